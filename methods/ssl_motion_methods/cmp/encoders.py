"""What CMP puts beside the image features: the sparse motion encoder (paper section 3.1)."""

from torch import Tensor, nn
from torch.nn import functional as F


class MotionEncoder(nn.Module):
    """Two Conv-BN-ReLU layers with pooling: guidance at input resolution -> features at the image features' stride.

    A 5x5 convolution of stride 2 and a max-pooling halve the resolution each; the average-pooling after the second,
    3x3 convolution does the rest. It is the only part that depends on the stride: the authors' two encoders
    ("8x" for ResNet-50, "32x" for AlexNet) have the same 4,000 parameters.

    Args:
        inputs: guidance channels; 4 (u, v, mask, mask) in the authors' code and weights, 3 (u, v, mask) in the paper.
        channels: of both convolutions.
        stride: total stride, a multiple of 4.
    """

    def __init__(self, inputs: int = 4, channels: int = 16, stride: int = 8) -> None:
        super().__init__()
        self.stride = stride
        self.features = nn.Sequential(
            nn.Conv2d(inputs, channels, 5, stride=2, padding=2),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2, stride=2),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.AvgPool2d(stride // 4, stride=stride // 4),
        )

    def forward(self, sparse_BCHW: Tensor) -> Tensor:
        """Map guidance [B, inputs, H, W] (pixels, not normalised) to [B, channels, ceil(H/stride), ceil(W/stride)].

        A side that is no multiple of the stride is continued by unguided pixels, so that every size fits the image
        features (the authors' code accepts multiples only).
        """
        height, width = sparse_BCHW.shape[-2:]
        padded = F.pad(sparse_BCHW, (0, -width % self.stride, 0, -height % self.stride))
        features: Tensor = self.features(padded)
        return features

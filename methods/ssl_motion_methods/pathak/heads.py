"""From the trunk's last features to a mask of logits."""

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from ssl_motion.errors import UsageError
from ssl_motion.protocols import Backbone
from ssl_motion_methods.pathak.config import PathakConfig


def chosen_head(config: PathakConfig, backbone: Backbone) -> Literal["deepmask", "conv"]:
    """Say which head a trunk gets."""
    if config.head == "auto":
        return "deepmask" if backbone.arch.startswith("alexnet") else "conv"
    return config.head


def _reduction(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class DeepMaskHead(nn.Module):
    """Every cell of the mask sees the whole image: a 1x1 convolution, then a linear map in two factors.

    As the authors' `DeepMaskAlexNet.lua` builds it: 1x1 convolution to 128 channels, batch norm, ReLU; linear to 512;
    linear to mask_size x mask_size.

    Args:
        backbone: only its last stage's channels and stride are read.
        config: `image_size` and the widths.

    Raises:
        UsageError: `image_size` is not set.
    """

    def __init__(self, backbone: Backbone, config: PathakConfig) -> None:
        super().__init__()
        if config.image_size is None:
            raise UsageError(
                'method_config.image_size: the "deepmask" head, which AlexNets get, has weights for one size of '
                "images: give their side in pixels (that of data.crop, or of the built-in world's images). "
                "Or choose head: conv, which takes any."
            )
        stride = backbone.strides[backbone.last_stage]
        self.image_size, self.mask_size = config.image_size, config.mask_size
        self.cells = -(-config.image_size // stride)
        self.reduction = _reduction(backbone.channels[backbone.last_stage], config.channels)
        self.mask = nn.Sequential(
            nn.Linear(config.channels * self.cells**2, config.rank), nn.Linear(config.rank, config.mask_size**2)
        )

    def forward(self, features_BCHW: Tensor) -> Tensor:
        """Map the last stage's features to logits [B, mask_size, mask_size].

        Raises:
            UsageError: The features are those of another image size.
        """
        if features_BCHW.shape[-2:] != (self.cells, self.cells):
            height, width = features_BCHW.shape[-2:]
            raise UsageError(
                f"features are {height} x {width}; method_config.image_size: {self.image_size} gives {self.cells} x "
                f"{self.cells}. Set it to the images' size, or choose head: conv"
            )
        logits: Tensor = self.mask(self.reduction(features_BCHW).flatten(1))
        return logits.view(-1, self.mask_size, self.mask_size)


class ConvHead(nn.Module):
    """A mask at the trunk's stride by 1x1 convolutions, resized bilinearly to mask_size x mask_size; any image size.

    Args:
        backbone: only its last stage's channels are read.
        config: the widths.
    """

    def __init__(self, backbone: Backbone, config: PathakConfig) -> None:
        super().__init__()
        self.mask_size = config.mask_size
        self.reduction = _reduction(backbone.channels[backbone.last_stage], config.channels)
        self.mask = nn.Conv2d(config.channels, 1, 1)

    def forward(self, features_BCHW: Tensor) -> Tensor:
        """Map the last stage's features to logits [B, mask_size, mask_size]."""
        coarse = self.mask(self.reduction(features_BCHW))
        size = (self.mask_size, self.mask_size)
        return F.interpolate(coarse, size=size, mode="bilinear", align_corners=False)[:, 0]

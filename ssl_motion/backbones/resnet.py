"""ResNets with torchvision's parameter names and a plain 7x7 stem (He et al. 2016; stride on the 3x3 convolution).

Total strides below 32 are reached by dilation in *every* block of a stage, the
first one included, as CMP's authors do. torchvision's
`replace_stride_with_dilation` leaves the first block of a dilated stage at the
previous dilation, which is another function of the same weights.
"""

from torch import Tensor, nn

from ssl_motion.backbones.initialise import initialise_he
from ssl_motion.protocols import Backbone

STAGES = ("layer1", "layer2", "layer3", "layer4")


def _conv3(inputs: int, outputs: int, stride: int, dilation: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=dilation, dilation=dilation, bias=False)


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (ResNet-18 and -34).

    Args:
        inputs: channels that come in.
        planes: channels of both convolutions.
        stride: of the first convolution and the shortcut.
        dilation: of both convolutions.
    """

    expansion = 1

    def __init__(self, inputs: int, planes: int, stride: int, dilation: int) -> None:
        super().__init__()
        self.conv1 = _conv3(inputs, planes, stride, dilation)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = _conv3(planes, planes, 1, dilation)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = _shortcut(inputs, planes, stride)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Map [B, inputs, H, W] to [B, planes, H/stride, W/stride]."""
        shortcut = x_BCHW if self.downsample is None else self.downsample(x_BCHW)
        out = self.relu(self.bn1(self.conv1(x_BCHW)))
        out = self.bn2(self.conv2(out))
        return self.relu(out + shortcut)  # type: ignore[no-any-return]  # nn.Module.__call__ is untyped


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions and a shortcut (ResNet-50 and -101); stride and dilation sit on the 3x3.

    Args:
        inputs: channels that come in.
        planes: channels of the 3x3 convolution; four times as many come out.
        stride: of the 3x3 convolution and the shortcut.
        dilation: of the 3x3 convolution.
    """

    expansion = 4

    def __init__(self, inputs: int, planes: int, stride: int, dilation: int) -> None:
        super().__init__()
        outputs = planes * self.expansion
        self.conv1 = nn.Conv2d(inputs, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = _conv3(planes, planes, stride, dilation)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(inputs, outputs, stride)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Map [B, inputs, H, W] to [B, 4 planes, H/stride, W/stride]."""
        shortcut = x_BCHW if self.downsample is None else self.downsample(x_BCHW)
        out = self.relu(self.bn1(self.conv1(x_BCHW)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return self.relu(out + shortcut)  # type: ignore[no-any-return]  # nn.Module.__call__ is untyped


LAYOUTS: dict[str, tuple[type[BasicBlock] | type[Bottleneck], tuple[int, int, int, int]]] = {
    "resnet18": (BasicBlock, (2, 2, 2, 2)),
    "resnet34": (BasicBlock, (3, 4, 6, 3)),
    "resnet50": (Bottleneck, (3, 4, 6, 3)),
    "resnet101": (Bottleneck, (3, 4, 23, 3)),
}


class ResNet(Backbone):
    """A ResNet without its classifier, with stages stem, layer1 .. layer4.

    "stem" is taken after its ReLU and before the max-pooling (stride 2).

    Args:
        arch: key of `LAYOUTS`.
        width: channels of the stem; the stages scale with it.
        output_stride: total stride of layer4: 4, 8, 16 or 32. A stage that would go beyond it keeps stride 1 and
            doubles the dilation instead (stride 8: dilations 1, 1, 2, 4).
    """

    def __init__(self, arch: str, width: int = 64, output_stride: int = 32) -> None:
        super().__init__()
        self.arch = arch
        block, depths = LAYOUTS[arch]
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.channels = {"stem": width}
        self.strides = {"stem": 2}
        inputs, total, dilation = width, 4, 1
        for index, (stage, depth) in enumerate(zip(STAGES, depths, strict=True)):
            stride = 1
            if index > 0 and total < output_stride:
                stride = 2
            elif index > 0:
                dilation *= 2
            total *= stride
            planes = width * 2**index
            blocks = []
            for position in range(depth):
                blocks.append(block(inputs, planes, stride if position == 0 else 1, dilation))
                inputs = planes * block.expansion
            self.add_module(stage, nn.Sequential(*blocks))
            self.channels[stage] = inputs
            self.strides[stage] = total
        initialise_he(self)

    def forward(self, image_BCHW: Tensor) -> dict[str, Tensor]:
        """Map images [B, 3, H, W] to the features of every stage; a side of n pixels becomes ceil(n / stride)."""
        stem = self.relu(self.bn1(self.conv1(image_BCHW)))
        stages = {"stem": stem}
        features = self.maxpool(stem)
        for stage in STAGES:
            features = getattr(self, stage)(features)
            stages[stage] = features
        return stages

"""AlexNet with batch norm, fully convolutional, as in the CMP paper's experiments.

No local response normalisation, no channel groups; batch norm after every hidden
convolution. Parameters are named as in the CMP authors' weights (`conv1.0.weight`
is a convolution's, `conv1.1.weight` its batch norm's). CMP's own additional
convolution ("conv8") is not part of the trunk.

With `norm: none` there are no batch norms; the convolutions keep their names. Such a
trunk is what is left after the batch norms were absorbed (`ssl_motion.backbones.absorb`).
"""

from dataclasses import dataclass, replace
from functools import partial

from torch import Tensor, nn

from ssl_motion.backbones.initialise import initialise_he
from ssl_motion.errors import UsageError
from ssl_motion.protocols import Backbone
from ssl_motion.spec import BackboneSpec


@dataclass(frozen=True)
class AlexNetPlan:
    """What tells the variants of AlexNet apart.

    Attributes:
        width: channels of conv1; the other layers keep AlexNet's proportions (96, 256, 384, 384, 256, 4096, 4096).
        kernel1: side of conv1's kernel.
        strides: strides of conv1, pool1, pool2 and pool5.
        dilation4: dilation of conv4.
        dilation5: dilation of conv5.
        fully_connected: whether pool5, fc6 and fc7 follow conv5.
        dropout: probability of zeroing an activation after fc6 and after fc7, while training.
        batch_norm: whether batch norm follows every convolution.
    """

    width: int = 96
    kernel1: int = 11
    strides: tuple[int, int, int, int] = (4, 2, 2, 2)
    dilation4: int = 1
    dilation5: int = 1
    fully_connected: bool = True
    dropout: float = 0.5
    batch_norm: bool = True


PLANS = {
    "alexnet_32x": AlexNetPlan(),
    "alexnet_8x": AlexNetPlan(strides=(2, 2, 2, 1)),
    "alexnet_mini": AlexNetPlan(
        width=24, kernel1=7, strides=(2, 2, 2, 1), dilation4=2, dilation5=2, fully_connected=False
    ),
}


def build_alexnet(spec: BackboneSpec) -> "AlexNet":
    """Build one of `PLANS`, at the width of `spec`.

    Raises:
        UsageError: The width is not a multiple of 3, or the stride is not the variant's.
    """
    plan = PLANS[spec.arch]
    width = spec.width or plan.width
    if width % 3:
        raise UsageError(
            f"backbone.width: {width} does not work for {spec.arch}: AlexNet's layers are in the proportion "
            f"96 : 256 : 384, so give a multiple of 3, such as {max(3, round(width / 3) * 3)}"
        )
    net = AlexNet(spec.arch, replace(plan, width=width, batch_norm=spec.norm == "batch"))
    own = net.strides[net.last_stage]
    if spec.output_stride not in (None, own):
        raise UsageError(
            f"backbone.output_stride: {spec.arch} has stride {own}, not {spec.output_stride}. "
            "Leave output_stride out, or take another trunk (alexnet_8x and alexnet_32x have the same parameters)."
        )
    return net


def _layer(
    inputs: int, outputs: int, kernel: int, *, batch_norm: bool, stride: int = 1, dilation: int = 1
) -> list[nn.Module]:
    padding = dilation * (kernel // 2)
    return [
        nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=padding, dilation=dilation),
        nn.BatchNorm2d(outputs) if batch_norm else nn.Identity(),
        nn.ReLU(inplace=True),
    ]


class AlexNet(Backbone):
    """AlexNet with stages conv1 .. conv5 and, unless left out, fc6 and fc7.

    A stage's features are taken after its ReLU and before the pooling that follows (fc6, fc7: after dropout).

    Args:
        arch: name to carry.
        plan: widths, strides and dilations.
    """

    def __init__(self, arch: str, plan: AlexNetPlan) -> None:
        super().__init__()
        self.arch = arch
        wide, wider, hidden = plan.width, plan.width * 8 // 3, plan.width * 4
        stride1, *pool_strides = plan.strides
        layer = partial(_layer, batch_norm=plan.batch_norm)
        self.conv1 = nn.Sequential(*layer(3, wide, plan.kernel1, stride=stride1))
        self.conv2 = nn.Sequential(*layer(wide, wider, 5))
        self.conv3 = nn.Sequential(*layer(wider, hidden, 3))
        self.conv4 = nn.Sequential(*layer(hidden, hidden, 3, dilation=plan.dilation4))
        self.conv5 = nn.Sequential(*layer(hidden, wider, 3, dilation=plan.dilation5))
        self.pool1, self.pool2, self.pool5 = (nn.MaxPool2d(3, stride=s, padding=1) for s in pool_strides)
        after2 = stride1 * plan.strides[1]
        after3 = after2 * plan.strides[2]
        self.channels = {"conv1": wide, "conv2": wider, "conv3": hidden, "conv4": hidden, "conv5": wider}
        self.strides = {"conv1": stride1, "conv2": after2, "conv3": after3, "conv4": after3, "conv5": after3}
        self.fully_connected = plan.fully_connected
        if plan.fully_connected:
            full = plan.width * 128 // 3
            self.fc6 = nn.Sequential(*layer(wider, full, 3), nn.Dropout(plan.dropout))
            self.fc7 = nn.Sequential(*layer(full, full, 1), nn.Dropout(plan.dropout))
            self.channels |= {"fc6": full, "fc7": full}
            self.strides |= {"fc6": after3 * plan.strides[3], "fc7": after3 * plan.strides[3]}
        initialise_he(self)

    def forward(self, image_BCHW: Tensor) -> dict[str, Tensor]:
        """Map images [B, 3, H, W] to the features of every stage; a side of n pixels becomes ceil(n / stride)."""
        stages = {"conv1": self.conv1(image_BCHW)}
        stages["conv2"] = self.conv2(self.pool1(stages["conv1"]))
        stages["conv3"] = self.conv3(self.pool2(stages["conv2"]))
        stages["conv4"] = self.conv4(stages["conv3"])
        stages["conv5"] = self.conv5(stages["conv4"])
        if self.fully_connected:
            stages["fc6"] = self.fc6(self.pool5(stages["conv5"]))
            stages["fc7"] = self.fc7(stages["fc6"])
        return stages

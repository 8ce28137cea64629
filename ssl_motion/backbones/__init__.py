"""Trunks with named stages, and the normalisation their input has.

Listing the trunks imports no torch; building one does.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ssl_motion.errors import UsageError
from ssl_motion.plugins import did_you_mean
from ssl_motion.spec import BackboneSpec

if TYPE_CHECKING:
    from ssl_motion.protocols import Backbone

INPUT_MEAN = (123.675, 116.28, 103.53)
"""Mean of each RGB channel on the scale 0..255, subtracted before the trunk (ImageNet's, as CMP's authors use)."""

INPUT_STD = (58.395, 57.12, 57.375)
"""What each RGB channel is divided by after `INPUT_MEAN` is subtracted."""

BACKBONES: Mapping[str, str] = {
    "alexnet_32x": "AlexNet with batch norm as a fully convolutional net (fc6, fc7 as convolutions); stride 32",
    "alexnet_8x": "the same parameters with smaller strides (2, 2, 2, 1); stride 8",
    "alexnet_mini": "AlexNet's five convolutions at width 24, last two dilated; stride 8, for small images",
    "resnet18": "ResNet-18, plain 7x7 stem; stride 32, or 4, 8, 16 by dilation",
    "resnet34": "ResNet-34, plain 7x7 stem; stride 32, or 4, 8, 16 by dilation",
    "resnet50": "ResNet-50, plain 7x7 stem; stride 32, or 4, 8, 16 by dilation",
    "resnet101": "ResNet-101, plain 7x7 stem; stride 32, or 4, 8, 16 by dilation",
}

EXTERNAL: Mapping[str, str] = {
    "torchvision:NAME": "torchvision's convolutional networks, a stage at each stride; where torchvision is installed",
    "timm:NAME": "timm's networks that give feature maps, at a stride where they can have one; where timm is installed",
}
"""Forms of names of other libraries' trunks (`ssl_motion.backbones.external`)."""


def build_backbone(spec: BackboneSpec) -> "Backbone":
    """Build a trunk with random weights, from torch's global generator: He's, or other libraries' own.

    Args:
        spec: which trunk, how wide, at which total stride, and whether with batch norms.

    Raises:
        UsageError: No such trunk (the nearest name is given), or it cannot have that width or stride, or not be
            without batch norms.
    """
    if spec.arch.startswith(("torchvision:", "timm:")):
        from ssl_motion.backbones.external import build_external

        return build_external(spec)
    if spec.arch not in BACKBONES:
        known = list(BACKBONES)
        raise UsageError(
            f"backbone.arch: unknown trunk {spec.arch!r}.{did_you_mean(spec.arch, known)} "
            f"Known: {', '.join([*known, *EXTERNAL])}"
        )
    if spec.arch.startswith("alexnet"):
        from ssl_motion.backbones.alexnet import build_alexnet

        return build_alexnet(spec)
    if spec.norm == "none":
        raise UsageError(
            f"backbone.norm: {spec.arch} cannot do without its batch norms; only the AlexNets can "
            f"({', '.join(name for name in BACKBONES if name.startswith('alexnet'))}). Leave norm out."
        )
    from ssl_motion.backbones.resnet import ResNet

    return ResNet(spec.arch, width=spec.width or 64, output_stride=spec.output_stride or 32)


def outline_backbone(spec: BackboneSpec) -> "Backbone":
    """Build a trunk without values (on torch's meta device), to ask for its stages, channels and strides.

    Raises:
        UsageError: As `build_backbone`.
    """
    from torch import device

    with device("meta"):
        return build_backbone(spec)


__all__ = ["BACKBONES", "EXTERNAL", "INPUT_MEAN", "INPUT_STD", "build_backbone", "outline_backbone"]

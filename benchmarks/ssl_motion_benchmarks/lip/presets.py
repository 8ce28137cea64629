"""What can be run: the presets, and what may be changed in them."""

from dataclasses import dataclass
from typing import Literal

from ssl_motion.presets import CroppedRecipeConfig, TaskPreset
from ssl_motion.spec import BackboneSpec
from ssl_motion_benchmarks.lip.folders import Layout

PresetName = Literal[
    "puppets_lip",
    "puppets_lip_full",
    "puppets_cihp",
    "puppets_cihp_full",
    "lip_fcn_small",
    "cihp_fcn_small",
    "lip_fcn_r50",
    "cihp_fcn_r50",
]
DEFAULT: PresetName = "puppets_lip"


@dataclass(frozen=True)
class Preset(TaskPreset):
    """A recipe with its trunk and data.

    Attributes:
        layout: how its data lie: one person a picture, or several.
    """

    layout: Layout


PRESETS: dict[PresetName, Preset] = {
    "puppets_lip": Preset(
        "the built-in world, one person a picture at 128x128, 20 parts, 300 iterations of batch 16",
        BackboneSpec(arch="alexnet_mini"),
        "builtin",
        "lip",
    ),
    "puppets_lip_full": Preset(
        "the same pictures, 3,000 iterations",
        BackboneSpec(arch="alexnet_mini"),
        "builtin",
        "lip",
    ),
    "puppets_cihp": Preset(
        "the built-in world, scenes of persons at 144x144, 20 parts, 300 iterations of batch 16",
        BackboneSpec(arch="alexnet_mini"),
        "builtin",
        "cihp",
    ),
    "puppets_cihp_full": Preset(
        "the same scenes, 3,000 iterations",
        BackboneSpec(arch="alexnet_mini"),
        "builtin",
        "cihp",
    ),
    "lip_fcn_small": Preset(
        "LIP scaled down: ResNet-18, crop 160, 300 iterations of batch 8; any trunk",
        BackboneSpec(arch="resnet18", output_stride=8),
        "reduced",
        "lip",
    ),
    "cihp_fcn_small": Preset(
        "CIHP scaled down: ResNet-18, crop 160, 300 iterations of batch 8; any trunk",
        BackboneSpec(arch="resnet18", output_stride=8),
        "reduced",
        "cihp",
    ),
    "lip_fcn_r50": Preset(
        "LIP (one person a picture), ResNet-50 FCN-d8, crop 473, 20k iterations of batch 16; our schedule, not CMP's",
        BackboneSpec(arch="resnet50", output_stride=8),
        "full",
        "lip",
    ),
    "cihp_fcn_r50": Preset(
        "CIHP (several persons), ResNet-50 FCN-d8, crop 473, 20k iterations of batch 16; our schedule, not CMP's",
        BackboneSpec(arch="resnet50", output_stride=8),
        "full",
        "cihp",
    ),
}


class LIPConfig(CroppedRecipeConfig):
    """Settings of the task: those that all recipes with crops have."""

    table = PRESETS

    preset: PresetName = DEFAULT

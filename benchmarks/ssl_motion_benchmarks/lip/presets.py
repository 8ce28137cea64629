"""What can be run: the presets, and what may be changed in them."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from ssl_motion.preset_config import PresetConfig
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
class Preset:
    """A recipe with its trunk and data.

    Attributes:
        summary: one line on what it is.
        layout: how its data lie: one person a picture, or several.
        backbone: the trunk it trains.
        scale: of its results, as in `ssl_motion.record.ResultRecord`.
    """

    summary: str
    layout: Layout
    backbone: BackboneSpec
    scale: Literal["full", "reduced", "builtin"]

    @property
    def builtin(self) -> bool:
        """Whether it runs on the built-in world."""
        return self.scale == "builtin"

    @property
    def test(self) -> Literal["val", "test"]:
        """The split that is scored."""
        return "test" if self.builtin else "val"


PRESETS: dict[PresetName, Preset] = {
    "puppets_lip": Preset(
        "the built-in world, one person a picture at 128x128, 20 parts, 300 iterations of batch 16",
        "lip",
        BackboneSpec(arch="alexnet_mini"),
        "builtin",
    ),
    "puppets_lip_full": Preset(
        "the same pictures, 3,000 iterations",
        "lip",
        BackboneSpec(arch="alexnet_mini"),
        "builtin",
    ),
    "puppets_cihp": Preset(
        "the built-in world, scenes of persons at 144x144, 20 parts, 300 iterations of batch 16",
        "cihp",
        BackboneSpec(arch="alexnet_mini"),
        "builtin",
    ),
    "puppets_cihp_full": Preset(
        "the same scenes, 3,000 iterations",
        "cihp",
        BackboneSpec(arch="alexnet_mini"),
        "builtin",
    ),
    "lip_fcn_small": Preset(
        "LIP scaled down: ResNet-18, crop 160, 300 iterations of batch 8; any trunk",
        "lip",
        BackboneSpec(arch="resnet18", output_stride=8),
        "reduced",
    ),
    "cihp_fcn_small": Preset(
        "CIHP scaled down: ResNet-18, crop 160, 300 iterations of batch 8; any trunk",
        "cihp",
        BackboneSpec(arch="resnet18", output_stride=8),
        "reduced",
    ),
    "lip_fcn_r50": Preset(
        "LIP (one person a picture), ResNet-50 FCN-d8, crop 473, 20k iterations of batch 16; our schedule, not CMP's",
        "lip",
        BackboneSpec(arch="resnet50", output_stride=8),
        "full",
    ),
    "cihp_fcn_r50": Preset(
        "CIHP (several persons), ResNet-50 FCN-d8, crop 473, 20k iterations of batch 16; our schedule, not CMP's",
        "cihp",
        BackboneSpec(arch="resnet50", output_stride=8),
        "full",
    ),
}


class LIPConfig(PresetConfig):
    """Settings of the task. Whatever differs from the preset is a fact of the protocol, and makes its scale "reduced".

    Attributes:
        preset: recipe to run.
        backbone: another trunk, for weights of another architecture.
        iterations: another length of training; the schedule is stretched with it.
        batch_size: another number of images per optimiser step.
        lr: another peak learning rate.
        crop: another side of the training crop.
        freeze_to: keep the trunk up to and including this stage as it starts.
        evaluate_on: split that is scored. Make choices (learning rates, ...) on "val", where there is a "test".
    """

    table = PRESETS

    preset: PresetName = DEFAULT
    backbone: BackboneSpec | None = None
    iterations: Annotated[int, Field(ge=1)] | None = None
    batch_size: Annotated[int, Field(ge=1)] | None = None
    lr: Annotated[float, Field(gt=0)] | None = None
    crop: Annotated[int, Field(ge=32)] | None = None
    freeze_to: str | None = None
    evaluate_on: Literal["val", "test"] | None = None

"""What can be run: the presets, and what may be changed in them."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from ssl_motion.preset_config import PresetConfig
from ssl_motion.spec import BackboneSpec

PresetName = Literal["puppets_coco", "puppets_coco_full", "coco_small", "coco_cmp2019", "coco_ssl_1x", "coco_ssl_2x"]


@dataclass(frozen=True)
class Preset:
    """A recipe with its trunk and data.

    Attributes:
        summary: one line on what it is.
        backbone: the trunk it trains.
        scale: of its results, as in `ssl_motion.record.ResultRecord`.
    """

    summary: str
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
    "puppets_coco": Preset(
        "the built-in world, 400 images of 96x96 with boxes and masks, 300 iterations; minutes on one core",
        BackboneSpec(arch="alexnet_mini"),
        "builtin",
    ),
    "puppets_coco_full": Preset(
        "the same, trained five times as long",
        BackboneSpec(arch="alexnet_mini"),
        "builtin",
    ),
    "coco_small": Preset(
        "COCO scaled down: ResNet-18, shorter side up to 192, 300 iterations of batch 4; any trunk, minutes on a CPU",
        BackboneSpec(arch="resnet18"),
        "reduced",
    ),
    "coco_cmp2019": Preset(
        "COCO, ResNet-50 FPN 1x as in 2019, frozen statistics and first stage: best guess at CMP's Table 2",
        BackboneSpec(arch="resnet50"),
        "full",
    ),
    "coco_ssl_1x": Preset(
        "COCO, ResNet-50 FPN 1x with synchronised batch norm and several scales, as in mmselfsup's benchmark",
        BackboneSpec(arch="resnet50"),
        "full",
    ),
    "coco_ssl_2x": Preset(
        "the same, trained twice as long",
        BackboneSpec(arch="resnet50"),
        "full",
    ),
}


class CocoConfig(PresetConfig):
    """Settings of the task. Whatever differs from the preset is a fact of the protocol, and makes its scale "reduced".

    Attributes:
        preset: recipe to run.
        backbone: another trunk, for weights of another architecture.
        iterations: another length of training; the schedule is stretched with it.
        batch_size: another number of images per optimiser step.
        lr: another peak learning rate.
        freeze_to: keep the trunk up to this stage as it starts, in place of what the preset keeps.
        evaluate_on: split that is scored. Make choices (learning rates, ...) on "val", where there is a "test".
    """

    table = PRESETS

    preset: PresetName = "puppets_coco"
    backbone: BackboneSpec | None = None
    iterations: Annotated[int, Field(ge=1)] | None = None
    batch_size: Annotated[int, Field(ge=1)] | None = None
    lr: Annotated[float, Field(gt=0)] | None = None
    freeze_to: str | None = None
    evaluate_on: Literal["val", "test"] | None = None

"""What can be run: the presets, and what may be changed in them."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from ssl_motion.preset_config import PresetConfig
from ssl_motion.spec import BackboneSpec

PresetName = Literal["puppets_det", "puppets_det_full", "voc07_det_faster", "voc07_det_fast"]


@dataclass(frozen=True)
class Preset:
    """A recipe with its trunk and data.

    Attributes:
        summary: one line on what it is.
        backbone: the trunk it trains.
        scale: of its results, as in `ssl_motion.record.ResultRecord`.
        takes_proposals: whether boxes are proposed from outside.
    """

    summary: str
    backbone: BackboneSpec
    scale: Literal["full", "reduced", "builtin"]
    takes_proposals: bool = False

    @property
    def builtin(self) -> bool:
        """Whether it runs on the built-in world."""
        return self.scale == "builtin"


PRESETS: dict[PresetName, Preset] = {
    "puppets_det": Preset(
        "boxes of the built-in world's actors by a small Faster R-CNN, 300 iterations; two minutes on one core",
        BackboneSpec(arch="alexnet_mini"),
        "builtin",
    ),
    "puppets_det_full": Preset(
        "puppets_det trained for 1,200 iterations", BackboneSpec(arch="alexnet_mini"), "builtin"
    ),
    "voc07_det_faster": Preset(
        "VOC 2007 trainval / test, Faster R-CNN with FPN and ResNet-50, 12 epochs: mmdetection's VOC schedule",
        BackboneSpec(arch="resnet50"),
        "full",
    ),
    "voc07_det_fast": Preset(
        "VOC 2007 trainval / test, Fast R-CNN with AlexNet on given proposals (--set proposals=FILE), 150k iterations",
        BackboneSpec(arch="alexnet_32x"),
        "full",
        takes_proposals=True,
    ),
}


class Voc07DetConfig(PresetConfig):
    """Settings of the task. Whatever differs from the preset is a fact of the protocol, and makes its scale "reduced".

    Attributes:
        preset: recipe to run.
        backbone: another trunk, for weights of another architecture.
        evaluate_on: list that is scored: "test" after training on trainval, "val" after training on train alone. Make
            choices (learning rates, ...) on "val".
        iterations: another length of training; the schedule is stretched with it.
        batch_size: another number of images per optimiser step.
        lr: another peak learning rate.
        freeze_to: keep the trunk up to this stage as it starts.
        proposals: files of proposed boxes (`proposals`) for both lists, where the preset takes them; their content is a
            fact of the protocol, not a change of it.
    """

    table = PRESETS

    preset: PresetName = "puppets_det"
    backbone: BackboneSpec | None = None
    evaluate_on: Literal["val", "test"] | None = None
    iterations: Annotated[int, Field(ge=1)] | None = None
    batch_size: Annotated[int, Field(ge=1)] | None = None
    lr: Annotated[float, Field(gt=0)] | None = None
    freeze_to: str | None = None
    proposals: list[str] = []

    @classmethod
    def said_by(cls, preset: Preset) -> dict[str, Any]:
        """Name the settings that a preset decides, with their values."""
        return {"backbone": preset.backbone, "evaluate_on": "test"}

    @field_validator("proposals", mode="before")
    @classmethod
    def _one_file_is_a_list_of_one(cls, files: Any) -> Any:
        return [files] if isinstance(files, str) else files

    @model_validator(mode="after")
    def _fits_the_preset(self) -> "Voc07DetConfig":
        if self.proposals and not PRESETS[self.preset].takes_proposals:
            raise ValueError(f"proposals: {self.preset} proposes its own boxes; voc07_det_fast takes them")
        return self

    @property
    def is_changed(self) -> bool:
        """Whether anything differs from the preset, the files of proposals aside."""
        return self != Voc07DetConfig(preset=self.preset, proposals=self.proposals)

"""What can be run: the presets, and what may be changed in them."""

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import field_validator, model_validator

from ssl_motion.presets import RecipeConfig
from ssl_motion.spec import BackboneSpec
from ssl_motion_benchmarks.voc07.presets import Voc07Preset

PresetName = Literal["puppets_det", "puppets_det_full", "voc07_det_faster", "voc07_det_fast"]


@dataclass(frozen=True)
class Preset(Voc07Preset):
    """A recipe with its trunk and data.

    Attributes:
        takes_proposals: whether boxes are proposed from outside.
    """

    takes_proposals: bool = False


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


class Voc07DetConfig(RecipeConfig):
    """Settings of the task, beside those that all recipes have.

    Attributes:
        proposals: files of proposed boxes (`proposals`) for both lists, where the preset takes them; their content is a
            fact of the protocol, not a change of it.
    """

    table = PRESETS

    preset: PresetName = "puppets_det"
    proposals: list[str] = []

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

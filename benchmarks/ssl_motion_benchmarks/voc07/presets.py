"""What the presets on VOC 2007 have in common."""

from dataclasses import dataclass
from typing import Literal

from ssl_motion.presets import TaskPreset


@dataclass(frozen=True)
class Voc07Preset(TaskPreset):
    """A trunk with VOC 2007 or the built-in world in its layout.

    VOC 2007 alone publishes the labels of its test images: "test" is scored after training on trainval. "val", after
    training on train alone, is for choices (learning rates, ...).
    """

    @property
    def test(self) -> Literal["val", "test"]:
        """The list that is scored."""
        return "test"

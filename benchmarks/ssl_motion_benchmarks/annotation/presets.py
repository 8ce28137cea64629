"""What can be run: the presets, and what may be changed in them."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from ssl_motion.annotation.procedure import AnnotationSettings
from ssl_motion.presets import PresetScale, PresetSettings
from ssl_motion.protocols import Scale
from ssl_motion_benchmarks.annotation.objects import Layout

PresetName = Literal["puppets_clicks", "davis16_clicks", "voc12_clicks", "coco_clicks"]


@dataclass(frozen=True)
class Preset(PresetScale):
    """Objects with their true masks.

    Attributes:
        summary: one line on what it is.
        scale: of its results.
        layout: how images and masks lie.
        objects: how many are annotated, the first by the SHA-256 of their names; None for all.
    """

    summary: str
    scale: Scale
    layout: Layout
    objects: int | None = None


PRESETS: dict[PresetName, Preset] = {
    "puppets_clicks": Preset(
        "300 objects of the built-in world's test images of 96x96; a minute or two on one core", "builtin", "voc", 300
    ),
    "davis16_clicks": Preset(
        "DAVIS 2016, the moving object in every tenth frame of every sequence there is", "full", "davis"
    ),
    "voc12_clicks": Preset("VOC 2012 val, every object of 0.5 % of its image or more", "full", "voc"),
    "coco_clicks": Preset("COCO val2017, 10 objects of each class, of 0.5 % of their image or more", "full", "coco"),
}


class AnnotationConfig(PresetSettings):
    """Settings of the task.

    Attributes:
        objects: another number of objects.
        evaluate_on: list that is scored. Make choices (the threshold, ...) on "val", where there is a "test".
        procedure: how a model makes a mask of clicks; baselines have their own ways.
    """

    table = PRESETS

    preset: PresetName = "puppets_clicks"
    objects: Annotated[int, Field(ge=1)] | None = None
    evaluate_on: Literal["val", "test"] | None = None
    procedure: AnnotationSettings = AnnotationSettings()

    @classmethod
    def said_by(cls, preset: Any) -> dict[str, Any]:
        """Name the settings that a preset decides, with their values."""
        return {"objects": preset.objects, "evaluate_on": preset.test}

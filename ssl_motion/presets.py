"""Named presets of transfer tasks: what a preset says, and settings that start from one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Protocol

from pydantic import BaseModel, Field, model_validator

from ssl_motion.protocols import Scale
from ssl_motion.spec import LATER, BackboneSpec, Strict


class PresetScale:
    """What follows from a preset's scale.

    Attributes:
        scale: of its results, as in `ssl_motion.record.ResultRecord`.
    """

    scale: Scale

    @property
    def builtin(self) -> bool:
        """Whether it runs on the built-in world."""
        return self.scale == "builtin"

    @property
    def test(self) -> Literal["val", "test"]:
        """The list that is scored: most data sets keep the labels of their test images to themselves."""
        return "test" if self.builtin else "val"


@dataclass(frozen=True)
class TaskPreset(PresetScale):
    """A trunk with data and a way of judging it.

    Attributes:
        summary: one line on what it is.
        backbone: the trunk.
        scale: of its results.
    """

    summary: str
    backbone: BackboneSpec
    scale: Scale


class PresetSettings(Strict):
    """Base of a task's `Config` that starts from a named preset.

    What the preset says anyway is dropped when it is given, so that saying it makes no other protocol and no other
    identity. Whatever is left is a change: a fact of the protocol, and it makes a full scale "reduced".

    Attributes:
        table: the task's presets by name.
        preset: which of them.
    """

    table: ClassVar[Mapping[Any, Any]]

    preset: str

    @classmethod
    def said_by(cls, preset: Any) -> dict[str, Any]:
        """Name the settings that a preset decides, with their values."""
        del preset
        return {}

    @model_validator(mode="before")
    @classmethod
    def _drop_what_the_preset_says_anyway(cls, content: Any) -> Any:
        if not isinstance(content, dict):
            return content
        name = content.get("preset", cls.model_fields["preset"].default)
        if not isinstance(name, str) or name not in cls.table:
            return content  # refused by the field itself
        said = cls.said_by(cls.table[name])
        return {key: value for key, value in content.items() if key not in said or not _same(value, said[key])}

    @property
    def is_changed(self) -> bool:
        """Whether anything differs from the preset."""
        return self != type(self).model_validate({"preset": self.preset})


class ScoredSettings(Protocol):
    """Settings that start from a preset and say which list is scored: `PresetSettings` with `evaluate_on`.

    That field stands in each `Config`, not in a base of theirs: its place there is that in the files of finished runs.
    """

    @property
    def table(self) -> Mapping[Any, Any]:
        """The task's presets by name."""

    @property
    def preset(self) -> str:
        """Name of the preset."""

    @property
    def evaluate_on(self) -> Literal["val", "test"] | None:
        """The list that is scored; None for the preset's."""

    @property
    def is_changed(self) -> bool:
        """Whether anything differs from the preset."""


class PresetConfig(PresetSettings):
    """Base of the `Config` of a task that judges trunks and starts from a preset.

    Attributes:
        backbone: another trunk, for weights of another architecture.
        iterations: another length of training; the schedule is stretched with it.
        batch_size: another number of images per optimiser step.
        lr: another peak learning rate.
        evaluate_on: list that is scored. Make choices (learning rates, ...) on "val", where there is a "test".
    """

    table: ClassVar[Mapping[Any, TaskPreset]]

    backbone: BackboneSpec | None = None
    iterations: Annotated[int, Field(ge=1)] | None = None
    batch_size: Annotated[int, Field(ge=1)] | None = None
    lr: Annotated[float, Field(gt=0)] | None = None
    evaluate_on: Literal["val", "test"] | None = None

    @classmethod
    def said_by(cls, preset: Any) -> dict[str, Any]:
        """Name the settings that a preset decides, with their values: trunk and scored list unless overridden."""
        return {"backbone": preset.backbone, "evaluate_on": preset.test}


class RecipeConfig(PresetConfig):
    """Base of the `Config` of a task whose presets are recipes of OpenMMLab (`configs/transfer`).

    Attributes:
        freeze_to: keep the trunk up to and including this stage as it starts.
    """

    freeze_to: Annotated[str | None, LATER] = None


class CroppedRecipeConfig(RecipeConfig):
    """As `RecipeConfig`, for recipes that train on square crops.

    Attributes:
        crop: another side of the training crop, in pixels.
    """

    crop: Annotated[int, Field(ge=32)] | None = None


def _same(given: Any, said: Any) -> bool:
    """Compare a setting as it was given, perhaps as plain data, with the preset's."""
    return bool(given == said or (isinstance(said, BaseModel) and given == said.model_dump(exclude_none=True)))

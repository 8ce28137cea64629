"""Tasks that train linear probes on a frozen trunk: presets, settings and how the two make a recipe of training."""

from dataclasses import dataclass, replace
from typing import Any, TypeVar

from ssl_motion.frozen.training import ProbeRecipe
from ssl_motion.preset_task import PresetTask
from ssl_motion.presets import PresetConfig, TaskPreset


@dataclass(frozen=True)
class ProbePreset(TaskPreset):
    """A trunk, data and a way of training probes.

    Attributes:
        recipe: how the probes are trained.
    """

    recipe: ProbeRecipe


class ProbeConfig(PresetConfig):
    """Base of the `Config` of a task that trains probes."""

    @classmethod
    def said_by(cls, preset: Any) -> dict[str, Any]:
        """Name the settings that a preset decides, with their values."""
        return {**super().said_by(preset), **{name: getattr(preset.recipe, name) for name in _TRAINING}}


_TRAINING = ("iterations", "batch_size", "lr")

ProbeConfigT = TypeVar("ProbeConfigT", bound=ProbeConfig)
ProbePresetT = TypeVar("ProbePresetT", bound=ProbePreset)


class ProbeTask(PresetTask[ProbeConfigT, ProbePresetT]):
    """Base of the tasks that train probes."""

    @property
    def recipe(self) -> ProbeRecipe:
        """How the probes are trained: the preset's recipe with the task's settings."""
        changes = {name: getattr(self.settings, name) for name in _TRAINING}
        return replace(self.preset.recipe, **{name: value for name, value in changes.items() if value is not None})

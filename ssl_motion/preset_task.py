"""Transfer tasks with named presets: what follows from preset and settings alone."""

from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from ssl_motion.errors import UsageError
from ssl_motion.presets import PresetConfig, PresetScale, ScoredSettings, TaskPreset
from ssl_motion.protocols import Scale, TransferTask
from ssl_motion.spec import BackboneSpec

SettingsT = TypeVar("SettingsT", bound=ScoredSettings)
ScaleT = TypeVar("ScaleT", bound=PresetScale)
ConfigT = TypeVar("ConfigT", bound=PresetConfig)
PresetT = TypeVar("PresetT", bound=TaskPreset)


class PresetTaskBase(TransferTask, Generic[SettingsT, ScaleT]):
    """Base of the tasks whose `Config` is a `ssl_motion.presets.PresetSettings`, whatever they judge.

    Attributes:
        settings: the configuration.
        preset: the preset it starts from.
    """

    def __init_subclass__(cls, **named: Any) -> None:
        super().__init_subclass__(**named)
        if "Config" in vars(cls):
            cls.presets = {name: preset.summary for name, preset in cls.Config.table.items()}  # type: ignore[attr-defined]

    def __init__(self, config: BaseModel) -> None:
        super().__init__(config)
        self.settings: SettingsT = config  # type: ignore[assignment]  # of the class's Config, as the harness promises
        self.preset: ScaleT = self.settings.table[self.settings.preset]
        if self.settings.evaluate_on == "test" and self.no_test_labels and not self.preset.builtin:
            raise UsageError(f"evaluate_on: {self.no_test_labels}; score 'val'")

    @property
    def no_test_labels(self) -> str:
        """Why no "test" can be scored outside the built-in world; empty where it can."""
        return ""

    @property
    def uses_puppets(self) -> bool:
        """Whether the preset runs on the built-in world."""
        return self.preset.builtin

    @property
    def scale(self) -> Scale:
        """A preset with changes is not the preset any more."""
        return "reduced" if self.preset.scale == "full" and self.settings.is_changed else self.preset.scale

    @property
    def tested(self) -> str:
        """Name of the list that is scored."""
        return self.settings.evaluate_on or self.preset.test


class PresetTask(PresetTaskBase[ConfigT, PresetT]):
    """Base of the tasks that judge trunks, whose `Config` is a `ssl_motion.presets.PresetConfig`."""

    def backbone(self) -> dict[str, Any]:
        """Describe the trunk that is judged."""
        return self.trunk.model_dump()

    @property
    def trunk(self) -> BackboneSpec:
        """The trunk that is judged."""
        return self.settings.backbone or self.preset.backbone

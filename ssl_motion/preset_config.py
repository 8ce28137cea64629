"""Settings of a transfer task that start from a named preset."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, model_validator

from ssl_motion.spec import Strict


class PresetConfig(Strict):
    """Base of a task's `Config` with a field `preset`.

    What the preset says anyway is dropped when it is given, so that saying it makes no other protocol and no other
    identity. Whatever is left is a change.

    Attributes:
        table: the task's presets by name; each has a `backbone`.
    """

    table: ClassVar[Mapping[Any, Any]]

    @classmethod
    def said_by(cls, preset: Any) -> dict[str, Any]:
        """Name the settings that a preset decides, with their values: trunk and scored list unless overridden."""
        return {"backbone": preset.backbone, "evaluate_on": preset.test}

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
        return self != type(self).model_validate({"preset": getattr(self, "preset", None)})


def _same(given: Any, said: Any) -> bool:
    """Compare a setting as it was given, perhaps as plain data, with the preset's."""
    return bool(given == said or (isinstance(said, BaseModel) and given == said.model_dump(exclude_none=True)))

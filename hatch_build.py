"""Puts `configs/` into wheels as `ssl_motion/_configs`; editable installs read the checkout's own folder."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ConfigsHook(BuildHookInterface):  # type: ignore[type-arg]  # hatchling takes any config
    """Adds the shipped configs to the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Map the folder, except for editable installs, where a copy would go stale."""
        if version != "editable":
            build_data["force_include"]["configs"] = "ssl_motion/_configs"

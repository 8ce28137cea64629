"""The output folder: one data set, one process at a time, one set of settings."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ssl_motion.errors import RunError, UsageError
from ssl_motion.fileio import write_json
from ssl_motion.locking import OWNER, held

SCHEMA_VERSION = 1
LOCK = "prepare.lock"
_SETTINGS = "prepare.json"


class OutputFolder:
    """A folder that holds, or will hold, a data set."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.scans = path / "work" / "scans"
        self.reports = path / "work" / "shards"

    def check(self, settings: dict[str, Any]) -> None:
        """Check, without touching it, that the folder is free for these settings.

        Raises:
            UsageError: It is a file, holds something else, or a data set of other settings (each difference is named).
        """
        if self.path.exists() and not self.path.is_dir():
            raise UsageError(f"the output folder {self.path} is a file; name a new or an empty folder")
        earlier = self.settings()
        if earlier is None:
            others = [name for name in self._entries() if name not in (LOCK, OWNER) and not name.endswith(".part")]
            if others:
                raise UsageError(
                    f"the output folder {self.path} holds other things ({others[0]}, ...); "
                    "name a new or an empty folder"
                )
        elif self.has_shards and (changes := list(differences(earlier, settings))):
            raise UsageError(
                f"{self.path} holds a data set made with other settings: {'; '.join(changes)}. "
                "Name another output folder, or delete this one."
            )

    @property
    def has_shards(self) -> bool:
        """Whether any shard was finished here; until then, settings and input may still change."""
        return any(self.reports.glob("*.json"))

    def settings(self) -> dict[str, Any] | None:
        """Return the settings of the data set here, or None where there is none yet."""
        try:
            settings: dict[str, Any] = json.loads((self.path / _SETTINGS).read_text(encoding="utf-8"))["settings"]
        except FileNotFoundError:
            return None
        except NotADirectoryError:
            raise UsageError(f"{self.path} lies below a file") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(
                f"{self.path / _SETTINGS} is damaged ({type(error).__name__}: {error}). "
                "Name another output folder, or delete this one."
            ) from error
        return settings

    @contextmanager
    def locked(self, settings: dict[str, Any]) -> Iterator[None]:
        """Hold the folder for this process.

        Raises:
            UsageError: As `check`.
            RunError: Another process holds the folder (its pid and host are named), or it cannot be written.
        """
        self.check(settings)
        with held(self.path, LOCK):
            # Somebody may have finished between the first look and the lock.
            self.check(settings)
            for folder in (self.path, self.scans, self.reports):
                # What a killed process left half-written; it held this lock, so nobody is writing now.
                for part in folder.glob(".*.part"):
                    part.unlink(missing_ok=True)
            if self.settings() != settings:
                write_json(self.path / _SETTINGS, {"schema_version": SCHEMA_VERSION, "settings": settings})
            yield

    def _entries(self) -> list[str]:
        try:
            return sorted(os.listdir(self.path))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RunError(f"cannot read the output folder {self.path}: {error.strerror or error}") from error


def differences(earlier: Any, now: Any, key: str = "") -> Iterator[str]:
    """Name the leaves in which two JSON values differ."""
    if isinstance(earlier, dict) and isinstance(now, dict):
        for name in sorted({*earlier, *now}):
            yield from differences(earlier.get(name), now.get(name), f"{key}.{name}" if key else name)
    elif earlier != now:
        yield f"{key} was {earlier!r}, is now {now!r}"

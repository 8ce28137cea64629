"""Runs on disk: `RUNS/KIND/LABEL-IDENTITY/`.

A folder belongs to one identity and, while it is locked, to one process. A
finished run has its `done.json`, written last. Nothing is ever deleted here: `--force`
moves an old folder aside.
"""

import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from ssl_motion.errors import DataError, RunError, SSLMotionError, StoppedBySignal, UsageError
from ssl_motion.fileio import write_json, write_text
from ssl_motion.locking import held, is_held

LOCK = "run.lock"
FAILURE = "failure.json"
SPEC = "spec.yaml"
"""Names of files in a run's folder: held while it is written, why it failed, and what the run is."""

Kind = Literal["pretrain", "transfer"]
_SHOWN = 8


def run_name(label: str, identity: str) -> str:
    """Name of a run's folder, and of its record among others. `label` is for people; the identity decides."""
    clean = re.sub(r"[^A-Za-z0-9._]+", "-", label).strip("-")
    return f"{clean}-{identity}"


def transfer_label(spec: Mapping[str, Any], method: str) -> str:
    """What people call a transfer run or an ensemble: protocol, method and seed.

    Args:
        spec: as it is written into the record.
        method: of the record; those of an ensemble joined by " + ".
    """
    config = spec.get("task_config")
    preset = str((config.get("preset") if isinstance(config, Mapping) else None) or spec.get("task"))
    return f"{preset}-ensemble-{method}" if "ensemble" in spec else f"{preset}-{method}-s{spec.get('seed')}"


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run."""

    path: Path
    identity: str

    @property
    def is_finished(self) -> bool:
        """Whether the run came to its end."""
        return (self.path / "done.json").is_file()

    @property
    def summary(self) -> dict[str, Any]:
        """What the run wrote at its end (`finish`).

        Raises:
            DataError: done.json is damaged, or another run's.
        """
        path = self.path / "done.json"
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            found = content["identity"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            cure = "`--force` runs it again and keeps the old folder beside it."
            raise DataError(f"{path} is damaged ({type(error).__name__}: {error}). {cure}") from error
        if found != self.identity:
            raise DataError(f"{path} is of another run: {found}. `--force` runs this one again.")
        return content

    @contextmanager
    def locked(self, spec: dict[str, Any]) -> Iterator[None]:
        """Hold the folder for this process, and note in it what it is for.

        What ends the work within is noted in the folder, until somebody tries again.

        Args:
            spec: resolved spec, written to `spec.yaml` for people.

        Raises:
            RunError: Another process holds the folder (its pid and host are named), or it cannot be written.
            StoppedBySignal: Ctrl-C came within; what is kept is said.
        """
        with held(self.path, LOCK):
            write_text(self.path / SPEC, yaml.safe_dump(spec, sort_keys=False, allow_unicode=True))
            (self.path / FAILURE).unlink(missing_ok=True)
            try:
                yield
            except KeyboardInterrupt:
                raise StoppedBySignal(self._stopped()) from None
            except StoppedBySignal:
                raise
            except Exception as error:
                text = str(error) if isinstance(error, SSLMotionError) else f"{type(error).__name__}: {error}"
                with suppress(RunError):  # such as a full disk, which may be the failure itself
                    write_json(self.path / FAILURE, {"error": text})
                raise

    def _stopped(self) -> str:
        """What Ctrl-C leaves behind, outside the training loop, which words its own end."""
        checkpoints = sorted((self.path / "checkpoints").glob("iter_*.pth"), key=lambda path: path.stat().st_mtime)
        kept = f"its checkpoint {checkpoints[-1].name}" if checkpoints else "what was rendered and computed until then"
        return f"stopped by Ctrl-C. {self.path} and {kept} are kept; the same command continues."

    @property
    def failure(self) -> str | None:
        """Why the last attempt failed; None where it did not, or was ended by a signal."""
        try:
            return str(json.loads((self.path / FAILURE).read_text(encoding="utf-8"))["error"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @property
    def is_held(self) -> bool:
        """Whether a process works in it."""
        return is_held(self.path, LOCK)

    def finish(self, summary: dict[str, Any]) -> None:
        """Mark the run as finished."""
        write_json(self.path / "done.json", {"identity": self.identity, **summary})

    def move_aside(self) -> Path | None:
        """Rename an existing folder to `NAME.old-TIME`; returns the new path, or None where there was none.

        Raises:
            RunError: It cannot be renamed (read-only folder, or a second time within one second).
        """
        if not self.path.exists():
            return None
        aside = self.path.with_name(f"{self.path.name}.old-{time.strftime('%Y%m%d-%H%M%S')}")
        try:
            self.path.rename(aside)
        except OSError as error:
            raise RunError(f"cannot move {self.path} aside to {aside.name}: {error.strerror or error}") from error
        return aside


class Store:
    """All runs below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, kind: Kind, label: str, identity: str) -> RunFolder:
        """Return the folder of a run, which need not exist yet (`run_name`)."""
        return RunFolder(self.root / kind / run_name(label, identity), identity)

    def runs(self, kind: Kind) -> list[RunFolder]:
        """List the runs of a kind, finished or not; folders moved aside are left out."""
        found = []
        for path in sorted((self.root / kind).glob("*")):
            match = re.fullmatch(r".*-([0-9a-f]{16})", path.name)
            if path.is_dir() and match:
                found.append(RunFolder(path, match.group(1)))
        return found

    def find(self, query: str, kind: Kind | None = None) -> RunFolder:
        """Find a run by folder path, by identity or folder name, or by the beginning of either, where it is one run's.

        Raises:
            UsageError: No run matches, or several do.
        """
        kinds: list[Kind] = [kind] if kind else ["pretrain", "transfer"]
        runs = [run for each in kinds for run in self.runs(each)]
        path = Path(query).resolve()
        hits = [run for run in runs if run.path.resolve() == path or query in (run.path.name, run.identity)]
        if not hits and path.is_dir() and (match := re.fullmatch(r".*-([0-9a-f]{16})", path.name)):
            return RunFolder(path, match.group(1))
        if not hits and query:
            hits = [run for run in runs if run.identity.startswith(query) or run.path.name.startswith(query)]
        if len(hits) == 1:
            return hits[0]
        names = [run.path.name for run in (hits or runs)]
        known = ", ".join(names[:_SHOWN]) or "none"
        if len(names) > _SHOWN:
            known += f", and {len(names) - _SHOWN} more (`ssl-bench list runs`)"
        problem = "matches several runs" if hits else f"is no run below {self.root}"
        raise UsageError(f"{query!r} {problem}. Runs: {known}")

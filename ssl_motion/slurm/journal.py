"""Which Slurm job does which job of a suite, kept on disk so that the same command finds its jobs again.

Two files say how a job stands: the journal is the submitting command's, and each job's state file is the job's own.
"""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from ssl_motion.errors import DataError
from ssl_motion.fileio import read_json_object, write_json


@dataclass(frozen=True)
class Entry:
    """A submitted job.

    Attributes:
        key: digest of what it does; another one under the same name is another job.
        token: of this submission of it, in its state file.
        batch: of its submission, in Slurm's comment.
        number: Slurm's, such as "12_3"; None until Slurm has given one.
        after: Slurm's numbers of the jobs that it waits for.
    """

    key: str
    token: str
    batch: str
    number: str | None = None
    after: list[str] = field(default_factory=list)


class Journal:
    """The submitted jobs of a suite, by name; on disk at every moment.

    Args:
        path: of the file, which need not exist.

    Raises:
        DataError: The file is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: dict[str, Entry] = {}
        if path.is_file():
            try:
                self.entries = {name: Entry(**entry) for name, entry in read_json_object(path).items()}
            except (ValueError, TypeError) as error:
                cure = "Look for jobs of the suite with squeue, cancel them, and remove the file."
                raise DataError(f"{path} is damaged ({error}). {cure}") from error

    def note(self, entries: dict[str, Entry]) -> None:
        """Add or replace entries."""
        self.entries.update(entries)
        write_json(self.path, {name: asdict(entry) for name, entry in self.entries.items()})

    def drop(self, names: list[str]) -> None:
        """Forget entries."""
        for name in names:
            del self.entries[name]
        self.note({})


@dataclass(frozen=True)
class State:
    """How a job stands, in its own words.

    Attributes:
        token: of the submission that wrote this.
        state: "running" also while it waits to be continued.
        began: time of its latest start, in seconds since 1970.
        seconds: time that the latest start took, at its end.
        run: folder of its run, once done.
        reused: whether the run was finished before.
    """

    token: str
    state: Literal["running", "done", "failed"]
    began: float
    seconds: float = 0.0
    run: str = ""
    reused: bool = False

    def write(self, path: Path) -> None:
        """Write it for the waiting command to read."""
        write_json(path, asdict(self))


def read_state(path: Path) -> State | None:
    """Read a job's state; None where it has not started."""
    try:
        return State(**read_json_object(path))
    except (OSError, ValueError, TypeError):
        return None

"""A folder that is replaced in one step: whoever looks, or kills the writer, finds the old one whole or the new one."""

import ctypes
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ssl_motion.errors import RunError, UsageError
from ssl_motion.locking import held

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # linux/fcntl.h, linux/fs.h


@contextmanager
def replaced(folder: Path, mark: str) -> Iterator[Path]:
    """Write a folder anew beside the old one, and exchange the two at the end.

    Args:
        folder: what to replace; made when missing.
        mark: name of a file that says that a folder was written here. It is put into the new one, and an old one
            without it is left alone.

    Yields:
        An empty folder to write into. Where the block fails, it is removed and the old folder stays.

    Raises:
        UsageError: The folder holds something else.
        RunError: Another process is writing it, or the disk cannot be written.
    """
    folder = folder.resolve()
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not (folder / mark).is_file()):
        raise UsageError(
            f"{folder} holds something that was not written by this report. Name another folder, or empty it."
        )
    beside = folder.parent / f".{folder.name}.new"
    part = beside / "part"
    with held(beside, "lock"):
        try:
            shutil.rmtree(part, ignore_errors=True)  # of a process that was killed
            part.mkdir()
            yield part
            (part / mark).touch()
            if folder.exists():
                _exchange(part, folder)
                shutil.rmtree(part)
            else:
                part.rename(folder)
        except OSError as error:
            raise RunError(
                f"cannot write {folder}: {error.strerror or error}. What was there is still there."
            ) from error
        finally:
            shutil.rmtree(part, ignore_errors=True)


def _exchange(new: Path, old: Path) -> None:
    """Exchange two folders; in one step where the system and the disk can (Linux, most local file systems)."""
    if sys.platform == "linux":
        library = ctypes.CDLL(None, use_errno=True)
        if hasattr(library, "renameat2"):
            paths = (_AT_FDCWD, os.fsencode(new), _AT_FDCWD, os.fsencode(old))
            if library.renameat2(*paths, _RENAME_EXCHANGE) == 0:
                return
    aside = new.with_name("old")
    shutil.rmtree(aside, ignore_errors=True)
    old.rename(aside)
    new.rename(old)
    aside.rename(new)

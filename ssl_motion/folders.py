"""Replacing the files of a whole folder, so that readers never see some of the old and some of the new."""

import ctypes
import errno
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

from ssl_motion.errors import RunError

_RENAME_EXCHANGE, _AT_FDCWD = 2, -100


@contextmanager
def replaced_folder(out: Path, is_ours: Callable[[str], bool]) -> Iterator[Path]:
    """Yield an empty folder; what is written there takes the place of what `out` held, when all of it is on disk.

    That happens in one step where `out` is missing, or holds nothing but files of ours and lies on a disk that can
    exchange two folders (Linux's own file systems can, network ones may not). Else the files are moved one after the
    other, a fraction of a millisecond each. Files that are not ours stay.

    Args:
        out: the folder; made, with its parents, when missing.
        is_ours: whether a name in `out` is one that may be replaced or removed.

    Raises:
        RunError: The folder cannot be written; what was there stays.
    """
    out = out.resolve()  # a link to a folder stays one
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.exists() and not out.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        beside = not out.exists() or (os.access(out.parent, os.W_OK) and out.stat().st_dev == out.parent.stat().st_dev)
        home = out.parent if beside else out
        prefix = f".{out.name}.{socket.gethostname()}."
        _clear(home, prefix)
        part = home / f"{prefix}{os.getpid()}-{token_hex(3)}.part"
        part.mkdir()
        try:
            if out.exists():
                shutil.copymode(out, part)
            yield part
            _install(part, out, is_ours)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        raise RunError(f"cannot write {out}: {error.strerror or error}. Nothing that was there is lost.") from error


def _install(part: Path, out: Path, is_ours: Callable[[str], bool]) -> None:
    if not out.exists():
        try:
            part.rename(out)
            return
        except OSError:
            if not out.is_dir():
                raise
            # Another process was faster.
    if part.parent != out and all(map(is_ours, os.listdir(out))) and _exchange(part, out):
        for name in os.listdir(part):
            if not is_ours(name):  # somebody has put it there meanwhile
                (part / name).rename(out / name)
        return
    new, aside = sorted(os.listdir(part)), part / "former"
    aside.mkdir()
    for name in new:
        if (out / name).is_dir():
            os.replace(out / name, aside / name)  # a folder cannot take the place of one that holds something
        os.replace(part / name, out / name)
    for name in os.listdir(out):
        if is_ours(name) and name not in new:
            os.replace(out / name, aside / name)


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders change names in one step; False where the system or the disk cannot."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    done: int = rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
    return done == 0


def _clear(folder: Path, prefix: str) -> None:
    """Remove what killed processes of this machine left."""
    for name in os.listdir(folder):
        number = name.removeprefix(prefix).partition("-")[0]
        if name.startswith(prefix) and name.endswith(".part") and number.isdigit() and not _lives(int(number)):
            shutil.rmtree(folder / name, ignore_errors=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # somebody else's
    return True

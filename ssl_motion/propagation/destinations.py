"""Where the verbs that apply a model write: never over what they read, and over what was there only if told to."""

import os
from collections.abc import Iterable
from pathlib import Path

from ssl_motion.errors import UsageError


def destination(
    given: Path | None, default: Path | None, writes: Iterable[str], reads: Iterable[Path], force: bool
) -> Path:
    """Decide where a verb writes, before anything is computed.

    Args:
        given: what the user named.
        default: the name where none is given; where that is taken, it is numbered (NAME-2, NAME-3, ...).
        writes: paths, below the folder that is decided on, of all that the verb may write or remove; "" is the path
            itself, for a verb that writes one file.
        reads: files of the user that the verb reads. Nothing is written over them, not even with `force`.
        force: whether what has one of the names in `writes` may be replaced, below the given path or the default one.

    Raises:
        UsageError: A file that is read would be replaced, something is there and `force` is not given, or a file is
            where a folder is to go.
    """
    out = given
    if out is None:
        assert default is not None, "a verb without a default name demands one"
        out = default if force else _free(default)
    written = list(writes)
    _spare(out, written, reads)
    if written != [""] and out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file; expected a folder, or a name that is free: name another --out")
    if given is not None and not force and _is_taken(out):
        raise UsageError(
            f"{out} {'is not empty' if out.is_dir() else 'exists already'}: name another --out, or add --force to "
            "replace what has the names of the files that are written"
        )
    return out


def _free(name: Path) -> Path:
    """The name itself, or with the least number from 2 on under which nothing is there."""
    number, free = 1, name
    while os.path.lexists(free):
        number += 1
        free = name.with_name(f"{name.name}-{number}")
    return free


def _is_taken(path: Path) -> bool:
    return any(path.iterdir()) if path.is_dir() else os.path.lexists(path)


def _spare(out: Path, written: Iterable[str], reads: Iterable[Path]) -> None:
    """Refuse to write over a file that is read, by whatever name (links, letter case) it is reached."""
    kept = {_file(path): path for path in reads if path.exists()}
    for name in written:
        target = out / name if name else out
        if target.exists() and (source := kept.get(_file(target))) is not None:
            raise UsageError(
                f"{source} is read, and what is written to {out} would replace it. That is refused, with --force too: "
                "name another --out"
            )


def _file(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino

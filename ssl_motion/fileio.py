"""Writing files so that a reader, or a restart, never sees half of one; and reading JSON objects."""

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Any, BinaryIO

from ssl_motion.errors import RunError


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file under a temporary name beside `path`, sync it, and rename it into place.

    Args:
        path: the final file; its folder is made when missing.
        write: gets the open binary file.

    Raises:
        RunError: The disk is full or the folder cannot be written; what stood at `path` is untouched.
    """
    # Not the process alone: machines that share a disk, and threads, may have the same.
    part = path.with_name(f".{path.name}.{os.getpid()}-{token_hex(3)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        with suppress(OSError):  # where the folder is a file, or read-only, this fails too
            part.unlink(missing_ok=True)
        raise RunError(f"cannot write {path}: {error.strerror or error}. Nothing that was there is lost.") from error
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically; bytes of a path that are no UTF-8 appear as escapes, such as \\udce9."""
    write_atomically(path, lambda file: file.write(text.encode("utf-8", errors="backslashreplace")))


def shortened(name: str, most_bytes: int) -> str:
    """Cut a part of a file's name to what fits: file systems count bytes (255); letters have up to four."""
    return name.encode("utf-8")[:most_bytes].decode("utf-8", errors="ignore")


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON atomically."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    if not _is_encodable(text):
        # Paths that are no UTF-8 reach Python as lone surrogates; as escapes they survive a round trip.
        text = json.dumps(value, indent=2, ensure_ascii=True, allow_nan=False)
    write_text(path, text + "\n")


def read_json_object(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds an object.

    Raises:
        OSError: It is missing or cannot be read.
        ValueError: It is not JSON in UTF-8, or holds something else; the message has no path.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError("it holds no object")
    return content


def why_unreadable(error: OSError | ValueError) -> str:
    """Say in plain words why a text file, such as one of JSON, could not be read: what `read_json_object` raised."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, IsADirectoryError):
        return "it is a folder"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "it is no text in UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)


def _is_encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def sha256_of(path: Path) -> str:
    """Hash a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else _sha256(file)


def _sha256(file: BinaryIO) -> str:
    # hashlib.file_digest came with Python 3.11.
    digest = hashlib.sha256()
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()

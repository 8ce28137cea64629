"""Tar files of small members that are read one group at a time, at a known place.

What is written depends on names and contents alone: no times, users or paths.
"""

import hashlib
import tarfile
import zlib
from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from ssl_motion.errors import DataError
from ssl_motion.fileio import write_atomically

BLOCK_SIZE = 512  # of a tar: one block of header, then the content filled up to whole blocks


def padded(size: int) -> int:
    """Room that a content of `size` bytes takes in a tar."""
    return -(-size // BLOCK_SIZE) * BLOCK_SIZE


def member(name: str, data: bytes) -> bytes:
    """Return one file of a tar: its header, its content, and the padding."""
    header = tarfile.TarInfo(name)
    header.size = len(data)
    header.mode = 0o644
    return header.tobuf(tarfile.USTAR_FORMAT) + data + bytes(padded(len(data)) - len(data))


def write_tar(path: Path, blocks: Iterable[bytes]) -> str:
    """Write a tar of whole members; it appears under its name only when it is all there.

    Args:
        path: file to write.
        blocks: of one or more members each (`member`); may be lazy, one is in memory at a time.

    Returns:
        The file's SHA-256, in hexadecimal.

    Raises:
        RunError: The disk is full or the folder cannot be written.
    """
    digest = hashlib.sha256()

    def write(file: BinaryIO) -> None:
        length = 0
        for block in blocks:
            file.write(block)
            digest.update(block)
            length += len(block)
        # A tar ends with two empty blocks, and its length is a whole number of records.
        end = bytes(-(-(length + 2 * BLOCK_SIZE) // tarfile.RECORDSIZE) * tarfile.RECORDSIZE - length)
        file.write(end)
        digest.update(end)

    write_atomically(path, write)
    return digest.hexdigest()


def read_members(path: Path, offset: int, sizes: Sequence[int], crc32: int) -> list[bytes]:
    """Read consecutive members: one open, one read, one check sum.

    Args:
        path: the tar.
        offset: where the first member's header begins.
        sizes: lengths of the members' contents.
        crc32: check sum of all of it, headers and padding included.

    Raises:
        DataError: The file cannot be read, is truncated, or was altered; says which, without naming the file.
    """
    length = sum(BLOCK_SIZE + padded(size) for size in sizes)
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(offset)
            block = _read_fully(file, length)
    except OSError as error:
        raise DataError(f"{error.strerror or error}") from error
    if zlib.crc32(block) != crc32:
        raise DataError(
            "the shard is truncated" if len(block) < length else "the shard was altered (its check sum differs)"
        )
    parts, position = [], 0
    for size in sizes:
        parts.append(block[position + BLOCK_SIZE : position + BLOCK_SIZE + size])
        position += BLOCK_SIZE + padded(size)
    return parts


def _read_fully(file: Any, length: int) -> bytes:
    block = BytesIO()
    while block.tell() < length and (chunk := file.read(length - block.tell())):
        block.write(chunk)
    return block.getvalue()

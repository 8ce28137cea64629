"""Where each pair lies inside a shard, and reading one pair alone.

A shard's sidecar (`<stem>.index.json`) holds, column by column, the offset, the sizes and a check sum of every pair.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ssl_motion.data.codec import decode_flow, decode_image
from ssl_motion.data.sample import FlowSample
from ssl_motion.data.tar import read_members
from ssl_motion.errors import DataError

Split = Literal["train", "val"]
SPLITS: tuple[Split, ...] = ("train", "val")
SCHEMA_VERSION = 1
SUFFIXES = ("jpg", "flow.png", "json")
COLUMNS = ("offset", "image_bytes", "flow_bytes", "meta_bytes", "crc32")


def shard_name(split: Split, number: int) -> str:
    """Name of a split's shard, such as `train-000007.tar`."""
    return f"{split}-{number:06d}.tar"


def sidecar_path(shard: Path) -> Path:
    """File beside a shard that says where its pairs lie."""
    return shard.with_name(f"{shard.stem}.index.json")


@dataclass(frozen=True)
class ShardIndex:
    """A sidecar in memory: 24 bytes a pair.

    Attributes:
        pairs: number of pairs.
        bytes: length of the tar.
        sha256: hash of the tar.
        offset: int64 [pairs], where each pair's first tar header begins.
        sizes: int32 [pairs, 3], lengths of image, flow and json.
        crc32: uint32 [pairs], check sum of the pair's three members, headers and padding included.
    """

    pairs: int
    bytes: int
    sha256: str
    offset: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int32]
    crc32: npt.NDArray[np.uint32]


def read_json(path: Path, remedy: str) -> dict[str, Any]:
    """Read an index file of this schema version; `remedy` ends the message of each DataError."""
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}. {remedy}") from error
    except ValueError as error:
        raise DataError(f"{path} is damaged: not JSON ({error}). {remedy}") from error
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != SCHEMA_VERSION:
        raise DataError(f"{path} has schema version {version!r}; this program reads {SCHEMA_VERSION}. {remedy}")
    return dict(content)


def read_shard_index(shard: Path) -> ShardIndex:
    """Read a shard's sidecar and compare it with the tar's length.

    Raises:
        DataError: The shard or its sidecar is missing, truncated or damaged; says which and what to do.
    """
    path = sidecar_path(shard)
    content = read_json(path, advice(shard))
    try:
        columns = [np.asarray(content[name], np.int64) for name in COLUMNS]
        pairs = int(content["pairs"])
        if any(column.shape != (pairs,) for column in columns):
            raise ValueError("columns of different length")
        index = ShardIndex(
            pairs=pairs,
            bytes=int(content["bytes"]),
            sha256=str(content["sha256"]),
            offset=columns[0],
            sizes=np.stack(columns[1:4], axis=1).astype(np.int32),
            crc32=columns[4].astype(np.uint32),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{path} is damaged ({type(error).__name__}: {error}). {advice(shard)}") from error
    check_length(shard, index.bytes)
    return index


def check_length(shard: Path, expected: int, remedy: str | None = None) -> None:
    """Fail where a shard is missing or has another length than its index says.

    Args:
        shard: the tar.
        expected: its length in bytes.
        remedy: what to do about it; None gives the advice for shards of pairs.

    Raises:
        DataError: Naming the shard.
    """
    remedy = remedy or advice(shard)
    try:
        found = shard.stat().st_size
    except OSError as error:
        raise DataError(f"shard {shard} cannot be read: {error.strerror or error}. {remedy}") from error
    if found != expected:
        what = "truncated" if found < expected else "longer than written"
        raise DataError(f"shard {shard} is {what}: {found} bytes, its index says {expected}. {remedy}")


def advice(shard: Path) -> str:
    """What to do about a damaged shard."""
    return (
        f"Copy it again from its source, or delete {shard.name} and {sidecar_path(shard).name} and repeat "
        "the command that wrote them (`ssl-bench prepare` writes only what is missing)."
    )


def read_pair(shard: Path, index: ShardIndex, number: int) -> FlowSample:
    """Read one pair: one open, one read, one check sum.

    Raises:
        DataError: The shard was truncated or altered; names the shard and the pair's key.
    """
    sizes = [int(size) for size in index.sizes[number]]
    key = f"{shard.stem}-{number:06d}"
    try:
        parts = read_members(shard, int(index.offset[number]), sizes, int(index.crc32[number]))
    except DataError as error:
        raise DataError(f"shard {shard}, pair {key}: {error}. {advice(shard)}") from error
    try:
        meta = json.loads(parts[2])
        flow, valid = decode_flow(parts[1])
        return FlowSample(
            decode_image(parts[0]), flow, valid, str(meta["clip"]), int(meta["frame"]), int(meta["gap"])
        ).checked()
    except (DataError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"shard {shard}, pair {key}: {error}. {advice(shard)}") from error

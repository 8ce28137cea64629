"""Further maps of a shard's images, beside it: `<stem>.<layer>.tar` and its sidecar.

Per pair, in the shard's order, the tar holds KEY.png (an 8-bit grey map of the stored image's size, 255 where nothing
is stated) and KEY.json (facts on it, "kept" among them). The sidecar (`<stem>.<layer>.index.json`) holds each map's
place, whether it is kept, and which shard and settings all of it was made from and with.
"""

import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ssl_motion.data.codec import decode_labels, encode_labels
from ssl_motion.data.sample import BoolArray, UInt8Array
from ssl_motion.data.shard_index import SCHEMA_VERSION, check_length, read_json, read_shard_index, sidecar_path
from ssl_motion.data.tar import member, read_members, write_tar
from ssl_motion.errors import DataError, RunError, UsageError
from ssl_motion.fileio import write_atomically

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_COLUMNS = ("offset", "map_bytes", "facts_bytes", "crc32", "kept")


@dataclass(frozen=True)
class LayerSpec:
    """What a layer is: everything, beside the pairs, that determines its maps.

    Attributes:
        name: lower-case letters, digits and underscores; the key in `FlowSample.layers`.
        settings: of its maker, as JSON data.
        version: of its maker; raised whenever a map may change.

    Raises:
        UsageError: The name has other characters in it.
    """

    name: str
    settings: dict[str, Any]
    version: int

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise UsageError(f"layer name {self.name!r}: expected lower-case letters, digits and underscores")


@dataclass(frozen=True)
class LayerMap:
    """The map of one pair.

    Attributes:
        labels: uint8 [H, W], of the stored image's size; `UNKNOWN_LABEL` where nothing is stated.
        facts: figures on it, JSON data. "kept" says whether the pair is to be used (it is unless said); where not,
            "reason" says why in a word or two.
    """

    labels: UInt8Array
    facts: Mapping[str, float | bool | str]

    @property
    def kept(self) -> bool:
        """Whether the pair is to be used."""
        return bool(self.facts.get("kept", True))

    @property
    def reason(self) -> str:
        """Why the pair is not to be used; empty where it is."""
        return "" if self.kept else str(self.facts.get("reason") or "not kept")


@dataclass(frozen=True)
class LayerIndex:
    """A layer shard's sidecar in memory.

    Attributes:
        pairs: number of maps.
        bytes: length of the tar.
        sha256: hash of the tar.
        source_sha256: hash of the shard that the maps belong to.
        layer: what the layer is.
        dropped: reason -> number of pairs not kept.
        offset: int64 [pairs], where each map's tar header begins.
        sizes: int32 [pairs, 2], lengths of map and facts.
        crc32: uint32 [pairs], check sum of a pair's two members.
        kept: bool [pairs].
    """

    pairs: int
    bytes: int
    sha256: str
    source_sha256: str
    layer: LayerSpec
    dropped: dict[str, int]
    offset: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int32]
    crc32: npt.NDArray[np.uint32]
    kept: BoolArray


def layer_path(shard: Path, name: str) -> Path:
    """File of a shard's layer."""
    return shard.with_name(f"{shard.stem}.{name}.tar")


def write_layer_shard(shard: Path, layer: LayerSpec, maps: Iterable[LayerMap]) -> None:
    """Write the maps of one shard, in the order of its pairs, and then their sidecar; one map is in memory at a time.

    Args:
        shard: a finished shard.
        layer: what the maps are.
        maps: one for each of its pairs; may be lazy.

    Raises:
        DataError: The shard is unfinished, or there are fewer or more maps than pairs.
        RunError: The disk is full or the folder cannot be written.
    """
    source = read_shard_index(shard)
    path = layer_path(shard, layer.name)
    rows: list[tuple[int, ...]] = []
    dropped: dict[str, int] = {}

    def blocks() -> Iterator[bytes]:
        offset = 0
        for number, each in enumerate(maps):
            key = f"{shard.stem}-{number:06d}"
            picture = encode_labels(each.labels)
            facts = json.dumps({"kept": True, **each.facts}, sort_keys=True, allow_nan=False).encode("ascii")
            block = member(f"{key}.png", picture) + member(f"{key}.json", facts)
            rows.append((offset, len(picture), len(facts), zlib.crc32(block), int(each.kept)))
            if not each.kept:
                dropped[each.reason] = dropped.get(each.reason, 0) + 1
            offset += len(block)
            yield block
        if len(rows) != source.pairs:
            raise DataError(f"{path}: {len(rows)} maps were made for the {source.pairs} pairs of {shard.name}")

    # A sidecar of an earlier attempt must not vouch for the new tar.
    try:
        sidecar_path(path).unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"cannot replace {sidecar_path(path)}: {error.strerror or error}") from error
    sha256 = write_tar(path, blocks())
    content = {
        "schema_version": SCHEMA_VERSION,
        "shard": path.name,
        "pairs": len(rows),
        "bytes": path.stat().st_size,
        "sha256": sha256,
        "source_sha256": source.sha256,
        "layer": layer.name,
        "settings": layer.settings,
        "version": layer.version,
        "dropped": dict(sorted(dropped.items())),
        **{name: [row[place] for row in rows] for place, name in enumerate(_COLUMNS)},
    }
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    write_atomically(sidecar_path(path), lambda file: file.write(text.encode("ascii")))


def read_layer_index(shard: Path, name: str) -> LayerIndex:
    """Read the sidecar of a shard's layer and compare it with the tar's length.

    Raises:
        DataError: The layer's tar or sidecar is missing, truncated or damaged; says which and what to do.
    """
    path = layer_path(shard, name)
    content = read_json(sidecar_path(path), layer_advice(path))
    try:
        pairs = int(content["pairs"])
        columns = [np.asarray(content[column], np.int64) for column in _COLUMNS]
        if any(column.shape != (pairs,) for column in columns):
            raise ValueError("columns of different length")
        index = LayerIndex(
            pairs=pairs,
            bytes=int(content["bytes"]),
            sha256=str(content["sha256"]),
            source_sha256=str(content["source_sha256"]),
            layer=LayerSpec(str(content["layer"]), dict(content["settings"]), int(content["version"])),
            dropped={str(reason): int(count) for reason, count in content["dropped"].items()},
            offset=columns[0],
            sizes=np.stack(columns[1:3], axis=1).astype(np.int32),
            crc32=columns[3].astype(np.uint32),
            kept=columns[4] != 0,
        )
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, UsageError) as error:
        raise DataError(
            f"{sidecar_path(path)} is damaged ({type(error).__name__}: {error}). {layer_advice(path)}"
        ) from error
    check_length(path, index.bytes, layer_advice(path))
    return index


def layer_advice(path: Path) -> str:
    """What to do about a damaged layer shard."""
    return (
        f"Delete {path.name} and {sidecar_path(path).name} and repeat what wrote them: `ssl-bench prepare --masks "
        "FOLDER`, or for the built-in world a run that reads the layer; only what is missing is written."
    )


def read_map(shard: Path, index: LayerIndex, number: int) -> LayerMap:
    """Read the map of one pair: one open, one read, one check sum.

    Raises:
        DataError: The layer shard was truncated or altered; names it and the pair's key.
    """
    path = layer_path(shard, index.layer.name)
    sizes = [int(size) for size in index.sizes[number]]
    try:
        picture, facts = read_members(path, int(index.offset[number]), sizes, int(index.crc32[number]))
        return LayerMap(decode_labels(picture), dict(json.loads(facts)))
    except (DataError, TypeError, ValueError) as error:
        raise DataError(f"shard {path}, pair {shard.stem}-{number:06d}: {error}. {layer_advice(path)}") from error

"""Image-flow pairs on disk: tar shards in the webdataset layout, with an index for random access.

A data set is a folder of `train-000000.tar`, ..., `val-000000.tar`, ... and `index.json`. A shard holds, pair after
pair, KEY.jpg (the image), KEY.flow.png (`ssl_motion.data.codec`) and KEY.json (clip, frame, gap, size).
Beside each shard lies `<stem>.index.json` with the place of every pair, so that one pair is one read at a known offset.
Nothing is ever unpacked to disk, and a shard's bytes depend on its pairs alone (no times, users or paths).
`ssl_motion.data.shard_pairs` reads the pairs by number.
"""

import hashlib
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ssl_motion.data.codec import FlowCode, encode_flow, encode_image
from ssl_motion.data.sample import FlowSample
from ssl_motion.data.shard_index import (
    COLUMNS,
    SCHEMA_VERSION,
    SPLITS,
    SUFFIXES,
    Split,
    check_length,
    read_json,
    read_shard_index,
    shard_name,
    sidecar_path,
)
from ssl_motion.data.tar import member, write_tar
from ssl_motion.errors import DataError, RunError, UsageError
from ssl_motion.fileio import sha256_of, write_atomically, write_text
from ssl_motion.identity import digest

__all__ = [
    "INDEX_NAME",
    "SPLITS",
    "ShardSet",
    "Split",
    "is_finished",
    "joined_fingerprint",
    "shard_name",
    "sidecar_path",
    "write_dataset_index",
    "write_shard",
]

INDEX_NAME = "index.json"

_SHARD_NAME = re.compile(r"(train|val)-\d{6}\.tar")


def write_shard(
    path: Path, samples: Iterable[FlowSample], *, jpeg_quality: int = 95, flow_code: FlowCode = "delta"
) -> int:
    """Write one shard and its sidecar; memory holds one sample at a time.

    The tar appears under its name only when whole, the sidecar after it: a shard with a sidecar is a finished one.

    Args:
        path: file to write, such as `shard_name("train", 0)` in the data set's folder.
        samples: checked one by one; may be lazy.
        jpeg_quality: of the images, 1 to 100.
        flow_code: see `ssl_motion.data.codec`.

    Returns:
        Number of samples written (a shard of none is a valid shard).

    Raises:
        DataError: A sample breaks `FlowSample`'s conventions.
        RunError: The disk is full or the folder cannot be written.
    """
    places: list[tuple[int, ...]] = []

    def blocks() -> Iterator[bytes]:
        offset = 0
        for number, sample in enumerate(samples):
            block, sizes = _pair_block(f"{path.stem}-{number:06d}", sample.checked(), jpeg_quality, flow_code)
            places.append((offset, *sizes, zlib.crc32(block)))
            offset += len(block)
            yield block

    sidecar = sidecar_path(path)
    # A sidecar of an earlier attempt must not vouch for the new tar.
    try:
        sidecar.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"cannot replace {sidecar}: {error.strerror or error}") from error
    sha256 = write_tar(path, blocks())
    columns = dict(zip(COLUMNS, map(list, zip(*places, strict=True)), strict=True)) if places else {}
    content = {
        "schema_version": SCHEMA_VERSION,
        "shard": path.name,
        "pairs": len(places),
        "bytes": path.stat().st_size,
        "sha256": sha256,
        **{name: columns.get(name, []) for name in COLUMNS},
    }
    text = json.dumps(content, separators=(",", ":"))
    write_atomically(sidecar, lambda file: file.write(text.encode()))
    return len(places)


def is_finished(shard: Path) -> bool:
    """Say whether a shard was written to its end: its sidecar is there and knows the tar's length."""
    try:
        read_shard_index(shard)
    except DataError:
        return False
    return True


def _pair_block(key: str, sample: FlowSample, quality: int, code: FlowCode) -> tuple[bytes, tuple[int, int, int]]:
    height, width = sample.size
    meta = {"clip": sample.clip, "frame": sample.frame, "gap": sample.gap, "height": height, "width": width}
    flow = encode_flow(sample.flow, sample.valid, code)
    image = encode_image(sample.image, quality)
    # ASCII escapes carry clip names that are not valid UTF-8 (surrogates) through unharmed.
    text = json.dumps(meta, sort_keys=True, ensure_ascii=True).encode("ascii")
    parts = (image, flow, text)
    block = b"".join(member(f"{key}.{suffix}", part) for suffix, part in zip(SUFFIXES, parts, strict=True))
    return block, (len(image), len(flow), len(text))


def write_dataset_index(
    folder: Path, *, name: str, flow_estimator: str, flow_version: str, flow_supervision: str, extra: dict[str, Any]
) -> None:
    """Write `index.json` over the finished shards of a folder; the last step of making a data set.

    Args:
        folder: with `train-*.tar` and `val-*.tar` and their sidecars.
        name: the data set's name in records and reports.
        flow_estimator: what measured the flow ("dis", "puppets", "imported", ...).
        flow_version: its exact version.
        flow_supervision: what the estimator was learned from ("none", "synthetic labels", ...).
        extra: further JSON facts (settings, statistics); not part of the fingerprint.

    Raises:
        UsageError: There are no shards.
        DataError: A shard is damaged or unfinished.
    """
    shards = sorted(path for path in folder.glob("*.tar") if _SHARD_NAME.fullmatch(path.name))
    if not shards:
        raise UsageError(f"no shards in {folder}: expected files like {shard_name('train', 0)}")
    splits: dict[str, list[dict[str, Any]]] = {split: [] for split in SPLITS}
    for shard in shards:
        index = read_shard_index(shard)
        entry = {"shard": shard.name, "pairs": index.pairs, "bytes": index.bytes, "sha256": index.sha256}
        splits[shard.name.split("-")[0]].append(entry)
    content = {
        "schema_version": SCHEMA_VERSION,
        "name": name,
        "fingerprint": _fingerprint(splits),
        "flow_estimator": flow_estimator,
        "flow_version": flow_version,
        "flow_supervision": flow_supervision,
        "pairs": {split: sum(entry["pairs"] for entry in splits[split]) for split in SPLITS},
        "shards": splits,
        "extra": extra,
    }
    # ASCII escapes: clip names in `extra` need not be valid UTF-8.
    write_text(folder / INDEX_NAME, json.dumps(content, indent=2, allow_nan=False) + "\n")


def joined_fingerprint(sets: Sequence["ShardSet"]) -> str:
    """Fingerprint of data sets that are read as one, in this order; of a single one, its own."""
    return sets[0].fingerprint if len(sets) == 1 else digest([each.fingerprint for each in sets])


def _fingerprint(splits: dict[str, list[dict[str, Any]]]) -> str:
    lines = sorted(f"{entry['shard']} {entry['sha256']}\n" for entries in splits.values() for entry in entries)
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]


class ShardSet:
    """A finished data set of shards.

    Attributes:
        folder: where it lies.
        info: content of `index.json`: name, flow_estimator, flow_version, flow_supervision, pairs, shards, extra.
        fingerprint: 16 hex digits; depends on the shards' names and bytes alone, not on their path.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        path = self.folder / INDEX_NAME
        if not self.folder.is_dir():
            raise UsageError(f"no folder {self.folder}; expected a data set written by `ssl-bench prepare`")
        if not path.is_file():
            raise UsageError(
                f"{self.folder} has no {INDEX_NAME}: it is not a data set of `ssl-bench prepare`, or that did not "
                "finish (repeat the same command: it continues)"
            )
        advice = "Repeat the command that wrote the data set: it writes what is missing."
        self.info = read_json(path, advice)
        try:
            self.fingerprint = str(self.info["fingerprint"])
            consistent = self.fingerprint == _fingerprint(self.info["shards"])
            self._pairs = {split: [int(entry["pairs"]) for entry in self.info["shards"][split]] for split in SPLITS}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"{path} is damaged ({type(error).__name__}: {error}). {advice}") from error
        if not consistent:
            raise DataError(f"{path} was altered: its fingerprint is not that of the shards it lists. {advice}")

    def count(self, split: Split) -> int:
        """Number of pairs in a split."""
        return sum(self._pairs[split])

    def shards(self, split: Split) -> list[tuple[Path, int]]:
        """The split's shards in order, with the number of pairs of each.

        Raises:
            DataError: A shard is missing or has another length than when the data set was finished.
        """
        entries = self.info["shards"][split]
        for entry in entries:
            check_length(self.folder / entry["shard"], int(entry["bytes"]))
        return [(self.folder / entry["shard"], int(entry["pairs"])) for entry in entries]

    def verify(self) -> Iterator[str]:
        """Hash every shard again (reads everything); yields one line for each that is missing or altered."""
        for split in SPLITS:
            for entry in self.info["shards"][split]:
                shard = self.folder / entry["shard"]
                if not shard.is_file():
                    yield f"{shard}: missing"
                elif sha256_of(shard) != entry["sha256"]:
                    yield f"{shard}: altered or damaged (its hash differs)"

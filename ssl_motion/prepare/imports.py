"""Flow that people already have -> shards: the original CMP lists, and folders of images with flow files.

Either source becomes one *manifest*, a JSON line per pair, so that nothing but the lines' places is ever held in memory
and any worker can read any line by itself.
"""

import json
import os
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ssl_motion.data.sample import FlowSample
from ssl_motion.data.shards import SPLITS, Split, shard_name
from ssl_motion.errors import DataError, UsageError
from ssl_motion.fileio import sha256_of, write_atomically
from ssl_motion.flow.lists import ListEntry, load_entry, read_list
from ssl_motion.identity import digest
from ssl_motion.prepare.folder import OutputFolder
from ssl_motion.prepare.matching import match_flow
from ssl_motion.prepare.pipeline import Plan, PrepareResult, run_plan
from ssl_motion.prepare.resize import shrink, shrink_flow
from ssl_motion.prepare.spec import ImportSpec, ShardSpec
from ssl_motion.prepare.split import held_out, split_position
from ssl_motion.video.clip import Rejection, printable

MANIFEST = "imports.jsonl"


@dataclass(frozen=True)
class ImportSource:
    """What to import.

    Attributes:
        lists: original CMP lists.
        val_lists: lists whose pairs form the val split; with any of these, `val_fraction` is not used.
        root: folder that the lists' relative paths start from.
        flow_pairs: (images, flow files), each two folders searched through or two files.
    """

    lists: Sequence[Path] = ()
    val_lists: Sequence[Path] = ()
    root: Path = Path()
    flow_pairs: Sequence[tuple[Path, Path]] = field(default_factory=tuple)


@dataclass(frozen=True)
class ImportUnit:
    """Plan of one shard: a run of one split's lines of the manifest."""

    shard: str
    split: Split
    start: int
    stop: int

    @property
    def planned(self) -> int:
        """Number of pairs that are tried."""
        return self.stop - self.start

    def describe(self) -> Any:
        """Return the plan as JSON data."""
        return [self.shard, self.start, self.stop]

    def candidates(self, spec: ShardSpec, out: OutputFolder) -> Iterator[FlowSample | Rejection]:
        """Read and shrink every pair."""
        offsets = np.load(_offsets_path(out, self.split), mmap_mode="r")[self.start : self.stop]
        with (out.path / "work" / MANIFEST).open("rb") as manifest:
            for offset in offsets.tolist():
                manifest.seek(offset)
                yield _load(json.loads(manifest.readline()), spec)


def import_flow(
    source: ImportSource, spec: ImportSpec, out: Path, *, processes: int = 1, name: str | None = None
) -> PrepareResult:
    """Turn images with existing flow into a data set of image-flow pairs.

    A pair that cannot be read, whose image and flow differ in size, or whose flow holds NaN is named in
    `rejected.jsonl` with the reason; the rest goes on. Continues what was interrupted, as `prepare` does.

    Args:
        source: what to import.
        spec: settings.
        out: folder of the data set.
        processes: worker processes (see `prepare`).
        name: name of the data set; the folder's name unless given.

    Raises:
        UsageError: A list or folder is missing, or holds no pair; or `out` holds something else.
        RunError: No pair could be kept, the disk is full, or `out` is in use or cannot be written.
    """
    _check(source)
    settings = _settings(source, spec)
    folder = OutputFolder(out)
    with folder.locked(settings):
        rejected, counts = _write_manifest(source, spec, folder)
        if not sum(counts.values()):
            first = f" First problem: {rejected[0].reason}" if rejected else ""
            raise UsageError(f"nothing to import: no image has a flow file.{first}")
        units = [
            ImportUnit(shard_name(split, number), split, start, min(start + spec.pairs_per_shard, counts[split]))
            for split in SPLITS
            for number, start in enumerate(range(0, counts[split], spec.pairs_per_shard))
        ]
        content = [
            sha256_of(folder.path / "work" / MANIFEST),
            *(sha256_of(_offsets_path(folder, split)) for split in SPLITS),
        ]
        plan = Plan(digest([settings, content]), units, rejected, [], settings)
        flow = (spec.flow_name, "as imported", spec.flow_supervision)
        return run_plan(plan, spec, folder, processes=processes, name=name or out.resolve().name, flow=flow)


def describe_import(source: ImportSource, spec: ImportSpec, out: Path) -> dict[str, Any]:
    """Say what `import_flow` would do, without reading an image or writing anything; errors as there."""
    _check(source)
    settings = _settings(source, spec)
    folder = OutputFolder(out)
    folder.check(settings)
    rejected: list[Rejection] = []
    pairs = sum(1 for _ in _entries(source, rejected))
    return {
        "out": str(out),
        "settings": settings,
        "identity": digest(settings),
        "pairs": pairs,
        "rejected": [rejection.as_json() for rejection in rejected],
        "cached": (out / "index.json").is_file(),
        "started": folder.settings() is not None,
    }


def _check(source: ImportSource) -> None:
    for path in [*source.lists, *source.val_lists, *(part for pair in source.flow_pairs for part in pair)]:
        if not path.exists():
            raise UsageError(f"no such file or folder: {printable(path)}")


def _settings(source: ImportSource, spec: ImportSpec) -> dict[str, Any]:
    return {"kind": "import", **spec.model_dump(mode="json"), "val_lists": bool(source.val_lists)}


def _offsets_path(out: OutputFolder, split: Split) -> Path:
    return out.path / "work" / f"imports-{split}.npy"


def _write_manifest(
    source: ImportSource, spec: ImportSpec, out: OutputFolder
) -> tuple[list[Rejection], dict[Split, int]]:
    """Write the manifest and, for either split, the places of its lines; return what was malformed and the counts."""
    rejected: list[Rejection] = []
    # 17 bytes a pair; lists of Python numbers would take ten times that.
    offsets, positions, given = array("q"), array("d"), array("b")

    def write(file: BinaryIO) -> None:
        place = 0
        for entry, in_val_list in _entries(source, rejected):
            clip = _clip_name(entry, spec)
            row = {
                "clip": clip,
                "frame": entry.frame,
                "gap": entry.gap,
                "image0": str(entry.image0),
                "image1": str(entry.image1),
                "flow": [str(path) for path in entry.flow],
                "where": entry.where,
            }
            # ASCII escapes carry paths that are not UTF-8 through unharmed.
            line = json.dumps(row, ensure_ascii=True).encode("ascii") + b"\n"
            file.write(line)
            offsets.append(place)
            positions.append(split_position(clip))
            given.append(in_val_list)
            place += len(line)

    write_atomically(out.path / "work" / MANIFEST, write)
    place_of = np.array(offsets, dtype=np.int64)
    val = np.array(given, dtype=np.bool_) if source.val_lists else held_out(np.array(positions), spec.val_fraction)
    counts: dict[Split, int] = {}
    for split in SPLITS:
        chosen = place_of[val if split == "val" else ~val]
        _save(_offsets_path(out, split), chosen)
        counts[split] = len(chosen)
    return rejected, counts


def _save(path: Path, values: npt.NDArray[np.int64]) -> None:
    write_atomically(path, lambda file: np.save(file, values, allow_pickle=False))


def _entries(source: ImportSource, rejected: list[Rejection]) -> Iterator[tuple[ListEntry, bool]]:
    """Yield every pair of the source, with whether it comes from a val list; note what is malformed."""
    for path in [*source.lists, *source.val_lists]:
        for entry in read_list(path, source.root):
            if isinstance(entry, DataError):
                rejected.append(Rejection("", printable(path), str(entry), "pair"))
            else:
                yield entry, path in source.val_lists
    for images, flows in source.flow_pairs:
        for item in match_flow(images, flows):
            if isinstance(item, Rejection):
                rejected.append(item)
            else:
                yield item, False


def _clip_name(entry: ListEntry, spec: ImportSpec) -> str:
    text = entry.clip if spec.clip == "folder" else f"{entry.clip}/{os.path.basename(entry.image0)}"
    return printable(text)


def _load(row: dict[str, Any], spec: ShardSpec) -> FlowSample | Rejection:
    paths = tuple(Path(path) for path in row["flow"])
    entry = ListEntry(
        Path(row["image0"]), Path(row["image1"]), paths, row["clip"], row["frame"], row["gap"], row["where"]
    )
    try:
        sample = load_entry(entry)
        if not sample.valid.all():
            _refuse_nan(entry)
        if not sample.valid.any():
            raise DataError(f"{entry.where}: {paths[0]} has no pixel with known flow")
    except DataError as error:
        return Rejection(entry.clip, printable(entry.image0), str(error), "pair")
    image = shrink(sample.image, spec.short_side)
    flow, valid = shrink_flow(sample.flow, sample.valid, spec.short_side)
    return FlowSample(image, flow, valid, sample.clip, sample.frame, sample.gap)


def _refuse_nan(entry: ListEntry) -> None:
    """Fail where a .flo file holds NaN, which is not the format's mark for unknown flow but a failed estimate."""
    path = entry.flow[0]
    if path.suffix.lower() == ".flo":
        count = int(np.isnan(np.fromfile(path, dtype="<f4", offset=12)).sum())
        if count:
            raise DataError(f"{entry.where}: {path} holds {count} NaN values; unknown flow is written as 1e10 there")

"""Making a layer of a data set: shard by shard, side by side, continued where it was interrupted."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ssl_motion import puppets
from ssl_motion.data.layer_shards import LayerMap, LayerSpec, read_layer_index, write_layer_shard
from ssl_motion.data.layers import LayerSet, layer_index_path, write_layer_index
from ssl_motion.data.sample import FlowSample
from ssl_motion.data.shard_index import SPLITS, Split, read_pair, read_shard_index, sidecar_path
from ssl_motion.data.shards import ShardSet
from ssl_motion.errors import DataError, UsageError
from ssl_motion.locking import held
from ssl_motion.prepare.folder import LOCK, differences
from ssl_motion.prepare.makers import LayerMaker, find_maker
from ssl_motion.prepare.pool import Tick, run_parallel
from ssl_motion.progress import Progress
from ssl_motion.spec import PuppetsSpec
from ssl_motion.spec_text import parse_spec


@dataclass(frozen=True)
class LayerResult:
    """What came out.

    Attributes:
        folder: the data set.
        layer: name of the layer.
        settings: of its maker.
        fingerprint: of the layer.
        pairs: split -> number of pairs.
        kept: split -> number of pairs that are kept.
        dropped: split -> reason -> number of pairs that are not.
        made: shards made by this call.
        reused: shards that were there already.
        seconds: wall time of this call.
    """

    folder: Path
    layer: str
    settings: dict[str, Any]
    fingerprint: str
    pairs: dict[str, int]
    kept: dict[str, int]
    dropped: dict[str, dict[str, int]]
    made: int
    reused: int
    seconds: float

    @property
    def cached(self) -> bool:
        """Whether everything was there already."""
        return self.made == 0

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON data."""
        return {**asdict(self), "folder": str(self.folder), "path": str(self.folder), "cached": self.cached}


@dataclass(frozen=True)
class _Unit:
    """One shard: its file, its split, and the number of its first pair in the split."""

    shard: Path
    split: Split
    first: int
    pairs: int
    sha256: str


@dataclass(frozen=True)
class _Task:
    """A layer to be made of a data set."""

    data: ShardSet
    layer: LayerSpec
    maker: LayerMaker
    settings: BaseModel

    def units(self) -> list[_Unit]:
        found = []
        for split in SPLITS:
            first = 0
            for entry in self.data.info["shards"][split]:
                pairs = int(entry["pairs"])
                found.append(_Unit(self.data.folder / entry["shard"], split, first, pairs, str(entry["sha256"])))
                first += pairs
        return found

    def missing(self) -> list[_Unit]:
        """Shards whose layer is not there in full.

        Raises:
            UsageError: A shard has the layer, made with other settings, by another version or from other pairs.
        """
        return [unit for unit in self.units() if not self._is_there(unit)]

    def _is_there(self, unit: _Unit) -> bool:
        try:
            index = read_layer_index(unit.shard, self.layer.name)
        except DataError:
            return False
        changes = list(differences(index.layer.settings, self.layer.settings))
        if index.layer.version != self.layer.version:
            changes.append(f"their maker's version was {index.layer.version}, is now {self.layer.version}")
        if index.source_sha256 != unit.sha256:
            changes.append(f"they belong to another {unit.shard.name} than is there now")
        if changes:
            name = self.layer.name
            raise UsageError(
                f"{self.data.folder} has {name} already, made otherwise: {'; '.join(changes)}. Use these, or copy the "
                f"data set elsewhere for the new ones, or delete the old ones "
                f"(*.{name}.tar, *.{name}.index.json and {name}.index.json)."
            )
        return True

    def finished(self) -> LayerSet | None:
        """The finished layer, or None where its index is missing, damaged or of something else."""
        try:
            found = LayerSet(self.data, self.layer.name)
        except (DataError, UsageError):
            return None
        return found if found.layer == self.layer else None


def make_layer(
    folder: Path, name: str, settings: Mapping[str, Any] | None = None, *, processes: int = 1
) -> LayerResult:
    """Make a layer of a data set.

    Repeating the call continues what was interrupted and leaves what is finished as it is. A second process waits for
    the first one and then finds all done.

    Args:
        folder: a finished data set.
        name: of the layer.
        settings: of its maker; the defaults unless given.
        processes: worker processes (see `ssl_motion.prepare.prepare`).

    Raises:
        UsageError: There is no finished data set, nothing makes such a layer, a setting is wrong, or the layer is there
            and was made with other settings or from other pairs.
        DataError: A shard of the data set is damaged.
        RunError: The disk is full, or the folder cannot be written.
    """
    began = time.monotonic()
    task = _task(folder, name, settings)
    todo = task.missing()
    finished = None if todo else task.finished()
    if finished is None:
        with held(folder, LOCK, wait=True):
            todo = task.missing()
            # Another process may have finished between the first look and the lock, and read the layer by now.
            finished = None if todo else task.finished()
            if finished is None:
                _make(task, todo, processes)
                finished = LayerSet(task.data, name)
    info = finished.info
    return LayerResult(
        folder,
        name,
        task.layer.settings,
        finished.fingerprint,
        info["pairs"],
        info["kept"],
        info["dropped"],
        len(todo),
        len(task.units()) - len(todo),
        time.monotonic() - began,
    )


def describe_layer(folder: Path, name: str, settings: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Say what `make_layer` would do, as JSON data, without doing it; errors as there."""
    task = _task(folder, name, settings)
    todo = task.missing()
    return {
        "out": str(folder),
        "layer": name,
        "settings": task.layer.settings,
        "pairs": sum(unit.pairs for unit in task.units()),
        "pairs_to_do": sum(unit.pairs for unit in todo),
        "cached": not todo and task.finished() is not None,
        "started": len(todo) < len(task.units()),
    }


def default_layer(name: str) -> LayerSpec:
    """Tell what a layer made with its maker's defaults is, such as the built-in world gets.

    Raises:
        UsageError: Nothing makes such a layer.
    """
    maker = find_maker(name)
    return LayerSpec(name, maker.Settings().model_dump(mode="json"), maker.version)


def ensure_puppets(spec: PuppetsSpec, root: Path, layers: Sequence[str] = (), processes: int = 1) -> Path:
    """Render the pairs of the built-in world, and make their layers with the makers' defaults, where they are missing.

    Args:
        spec: which data set.
        root: folder that holds data sets.
        layers: names of layers.
        processes: rendering processes; more than one are spawned, so scripts need the usual `__main__` guard.

    Returns:
        The folder of the shards. A second process waits for the first one and then finds all done.

    Raises:
        UsageError: Nothing makes such a layer, or one that is there was made with other settings.
        RunError: The folder cannot be written, or the disk is full.
    """
    folder = puppets.ensure_dataset(spec, root, layouts=("shards",), processes=processes) / "shards"
    for name in layers:
        make_layer(folder, name, processes=processes)
    return folder


def _task(folder: Path, name: str, settings: Mapping[str, Any] | None) -> _Task:
    maker = find_maker(name)
    checked = parse_spec(maker.Settings, dict(settings or {}), f"settings of the layer {name}")
    data = ShardSet(folder)
    for split in SPLITS:
        data.shards(split)  # for its errors
    maker.check(data)
    return _Task(data, LayerSpec(name, checked.model_dump(mode="json"), maker.version), maker, checked)


def _make(task: _Task, todo: list[_Unit], processes: int) -> None:
    """Make the layer of some shards and write the layer's index, in a locked folder."""
    folder, name = task.data.folder, task.layer.name
    for part in folder.glob(f".*{name}.*.part"):
        # What a killed process left half-written; it held this lock, so nobody is writing now.
        part.unlink(missing_ok=True)
    # An index of an earlier attempt must not vouch for what is being made.
    layer_index_path(folder, name).unlink(missing_ok=True)
    total = sum(unit.pairs for unit in task.units())
    done = total - sum(unit.pairs for unit in todo)
    work = partial(_make_shard, task=task)
    with Progress(f"{task.layer.name} of {task.data.info['name']}", total, "pairs", done=done) as progress:
        for _ in run_parallel(work, todo, min(processes, max(1, len(todo))), progress):
            pass
    write_layer_index(task.data, task.layer)


def _make_shard(unit: _Unit, tick: Tick, *, task: _Task) -> None:
    maps = task.maker.maps(task.settings, task.data, unit.split, unit.first, _pairs(unit))
    write_layer_shard(unit.shard, task.layer, _counted(maps, tick))


def _pairs(unit: _Unit) -> Iterator[FlowSample]:
    index = read_shard_index(unit.shard)
    if index.sha256 != unit.sha256:
        raise DataError(
            f"{sidecar_path(unit.shard)} and the data set's index name different shards. Delete the data set's "
            "index and repeat the command that wrote it."
        )
    for number in range(index.pairs):
        yield read_pair(unit.shard, index, number)


def _counted(maps: Iterator[LayerMap], tick: Tick) -> Iterator[LayerMap]:
    for each in maps:
        tick()
        yield each


__all__ = ["LayerResult", "default_layer", "describe_layer", "ensure_puppets", "make_layer"]

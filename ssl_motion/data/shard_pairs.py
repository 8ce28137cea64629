"""Reading the pairs of finished data sets by number, for loaders: one pair is one read at a known offset."""

import bisect
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from ssl_motion.data.layer_shards import LayerIndex, layer_advice, layer_path, read_layer_index, read_map
from ssl_motion.data.layers import LayerSet
from ssl_motion.data.sample import FlowSample, UInt8Array
from ssl_motion.data.shard_index import ShardIndex, Split, read_pair, read_shard_index
from ssl_motion.data.shards import ShardSet
from ssl_motion.errors import DataError, UsageError


class ShardPairs(Sequence[FlowSample]):
    """The pairs of one split of one or more data sets, by number.

    With layers, only the pairs that each of them keeps are there, and samples carry the layers' maps.

    Sidecars are read when a shard is first touched (24 bytes a pair are kept; with layers 18 more for each, and 8 for
    the choice); no file stays open, so that copies in forked or spawned loader processes are safe.
    """

    def __init__(
        self, folders: Sequence[Path | str], split: Split, max_pairs: int | None = None, layers: Sequence[str] = ()
    ) -> None:
        """Open data sets.

        Args:
            folders: data sets, joined in this order.
            split: "train" or "val".
            max_pairs: take only so many, spread evenly over all (that the layers keep); None takes all.
            layers: names of layers (`ssl_motion.data.layers`) that the samples are to carry.

        Raises:
            UsageError: A folder holds no finished data set or lacks a layer, or there are no pairs at all.
            DataError: A shard, or a layer's, is missing or truncated.
        """
        sets = [ShardSet(folder) for folder in folders]
        shards = [shard for data in sets for shard in data.shards(split)]
        self._shards = [path for path, _ in shards]
        self._ends = np.cumsum([pairs for _, pairs in shards], dtype=np.int64).tolist()
        self._total: int = self._ends[-1] if self._ends else 0
        where = ", ".join(map(str, folders)) or "no folder"
        if not self._total:
            raise UsageError(f"no {split} pairs in {where}")
        if max_pairs is not None and max_pairs < 1:
            raise UsageError(f"max_pairs is {max_pairs}; expected at least 1")
        self._layers = tuple(layers)
        self._chosen = kept_pairs(sets, split, self._layers) if layers else None
        if self._chosen is not None:
            self._total = len(self._chosen)
            if not self._total:
                raise UsageError(_nothing_kept(sets, split, self._layers))
        self._length = min(self._total, max_pairs or self._total)
        self._indexes: dict[int, ShardIndex] = {}
        self._layer_indexes: dict[tuple[int, str], LayerIndex] = {}

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, number: int) -> FlowSample: ...

    @overload
    def __getitem__(self, number: slice) -> list[FlowSample]: ...

    def __getitem__(self, number: int | slice) -> FlowSample | list[FlowSample]:
        if isinstance(number, slice):
            return [self[position] for position in range(*number.indices(self._length))]
        if not -self._length <= number < self._length:
            raise IndexError(f"pair {number} of {self._length}")
        place = self.place(int(number) % self._length)
        shard = bisect.bisect_right(self._ends, place)
        if shard not in self._indexes:
            self._indexes[shard] = read_shard_index(self._shards[shard])
        within = place - (self._ends[shard - 1] if shard else 0)
        sample = read_pair(self._shards[shard], self._indexes[shard], within)
        if not self._layers:
            return sample
        maps = {name: self._map(shard, within, name) for name in self._layers}
        try:
            return replace(sample, layers=maps).checked()
        except DataError as error:
            raise DataError(f"shard {self._shards[shard]}, layers {', '.join(maps)}: {error}") from error

    def _map(self, shard: int, within: int, name: str) -> UInt8Array:
        """Read a layer's map of one pair, from the layer that belongs to the shard as it is now."""
        path = self._shards[shard]
        if (shard, name) not in self._layer_indexes:
            index = read_layer_index(path, name)
            if index.source_sha256 != self._indexes[shard].sha256:
                tar = layer_path(path, name)
                raise DataError(f"{tar} was made from another {path.name} than is there. {layer_advice(tar)}")
            self._layer_indexes[shard, name] = index
        return read_map(path, self._layer_indexes[shard, name], within).labels

    def place(self, number: int) -> int:
        """Number that pair `number` has among all pairs of the data sets (another one under `max_pairs` or layers)."""
        # Integer arithmetic keeps the spread exact for any size.
        spread = number * self._total // self._length
        return spread if self._chosen is None else int(self._chosen[spread])

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_indexes": {}, "_layer_indexes": {}}


def kept_pairs(sets: Sequence[ShardSet], split: Split, layers: Sequence[str]) -> npt.NDArray[np.int64]:
    """Find the pairs that every one of the layers keeps.

    Args:
        sets: data sets, joined in this order.
        split: "train" or "val".
        layers: names of layers; with none, every pair is kept.

    Returns:
        int64 [kept], ascending, the pairs' numbers among all pairs of the split.

    Raises:
        UsageError: A data set lacks a layer.
        DataError: A layer is damaged.
    """
    found, begin = [np.empty(0, np.int64)], 0
    for data in sets:
        chosen = np.ones(data.count(split), np.bool_)
        for name in layers:
            chosen &= np.concatenate([np.empty(0, np.bool_), *LayerSet(data, name).kept(split)])
        found.append(np.flatnonzero(chosen) + begin)
        begin += len(chosen)
    return np.concatenate(found)


def _nothing_kept(sets: Sequence[ShardSet], split: Split, layers: Sequence[str]) -> str:
    lines = []
    for data in sets:
        for name in layers:
            dropped = LayerSet(data, name).info["dropped"][split]
            why = ", ".join(f"{reason} {count}" for reason, count in dropped.items())
            lines.append(f"{data.folder}, {name}: {why or 'none dropped'}")
    return (
        f"no {split} pair is kept by the layers {', '.join(layers)} ({'; '.join(lines)}). "
        "Make the layer with other settings in a copy of the data set, or take other data."
    )

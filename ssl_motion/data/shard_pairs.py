"""Reading the pairs of finished data sets by number, for loaders: one pair is one read at a known offset."""

import bisect
from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np

from ssl_motion.data.sample import FlowSample
from ssl_motion.data.shard_index import ShardIndex, Split, read_pair, read_shard_index
from ssl_motion.data.shards import ShardSet
from ssl_motion.errors import UsageError


class ShardPairs(Sequence[FlowSample]):
    """The pairs of one split of one or more data sets, by number.

    Sidecars are read when a shard is first touched (24 bytes a pair are kept); no file stays open, so that copies in
    forked or spawned loader processes are safe.
    """

    def __init__(self, folders: Sequence[Path | str], split: Split, max_pairs: int | None = None) -> None:
        """Open data sets.

        Args:
            folders: data sets, joined in this order.
            split: "train" or "val".
            max_pairs: take only so many, spread evenly over all; None takes all.

        Raises:
            UsageError: A folder holds no finished data set, or there are no pairs at all.
            DataError: A shard is missing or truncated.
        """
        shards = [shard for folder in folders for shard in ShardSet(folder).shards(split)]
        self._shards = [path for path, _ in shards]
        self._ends = np.cumsum([pairs for _, pairs in shards], dtype=np.int64).tolist()
        self._total: int = self._ends[-1] if self._ends else 0
        if not self._total:
            raise UsageError(f"no {split} pairs in {', '.join(map(str, folders)) or 'no folder'}")
        if max_pairs is not None and max_pairs < 1:
            raise UsageError(f"max_pairs is {max_pairs}; expected at least 1")
        self._length = min(self._total, max_pairs or self._total)
        self._indexes: dict[int, ShardIndex] = {}

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
        begin = self._ends[shard - 1] if shard else 0
        return read_pair(self._shards[shard], self._indexes[shard], place - begin)

    def place(self, number: int) -> int:
        """Number that pair `number` has among all pairs of the data sets (another one under `max_pairs`)."""
        # Integer arithmetic keeps the spread exact for any size.
        return number * self._total // self._length

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_indexes": {}}

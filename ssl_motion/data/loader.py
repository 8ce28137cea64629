"""Batches for pretraining, whose content depends on (seed, position) alone.

The training data are an endless row of draws. Draw number d has a sample (from the permutation of its epoch) and a
random generator of its own, so a run that continues at any draw, with any number of workers and processes, sees
exactly what an uninterrupted one sees. The loader itself has no state.
"""

import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from ssl_motion.data.augment import augment
from ssl_motion.data.sample import FlowSample
from ssl_motion.errors import DataError, SSLMotionError
from ssl_motion.protocols import PretrainMethod
from ssl_motion.seeding import generator
from ssl_motion.spec import DataSpec

Draw = tuple[int, int]  # (index of the sample, number of the draw)
Batch = dict[str, Tensor]

VALIDATION_SEED = 0


@dataclass(frozen=True)
class Failure:
    """What a worker hands over instead of a batch when the data are bad; raised in the main process."""

    message: str


class DrawSampler(Sampler[Draw]):
    """The endless row of draws of one process.

    A step's draws are contiguous over all processes: process r of w takes the r-th of w blocks of `batch_size`, so
    w processes see in a step what one process with w times the batch would see.

    Args:
        length: number of samples.
        seed: of the run.
        batch_size: draws per batch and process.
        rank: this process.
        world_size: number of processes.
    """

    def __init__(self, length: int, seed: int, batch_size: int, rank: int = 0, world_size: int = 1) -> None:
        self.length, self.seed, self.batch_size = length, seed, batch_size
        self.rank, self.world_size = rank, world_size
        self._start = 0
        self._epoch, self._order = -1, np.empty(0, dtype=np.int64)

    def start_at(self, position: int) -> None:
        """Begin at this process's draw number `position` (a multiple of the batch size) from the next `iter` on."""
        self._start = position

    def draw(self, position: int) -> Draw:
        """Return this process's draw number `position`."""
        block, within = divmod(position, self.batch_size)
        number = (block * self.world_size + self.rank) * self.batch_size + within
        epoch, offset = divmod(number, self.length)
        if epoch != self._epoch:
            self._order = generator(self.seed, "order", epoch).permutation(self.length)
            self._epoch = epoch
        return int(self._order[offset]), number

    def __iter__(self) -> Iterator[Draw]:
        position = self._start
        while True:
            yield self.draw(position)
            position += 1


class PairDataset(Dataset[Batch]):
    """Samples, augmented and turned into a method's tensors.

    Args:
        samples: stored samples by number, such as `ssl_motion.data.shard_pairs.ShardPairs`.
        method: chooses what of a sample is looked at (`view`), and makes its tensors (`targets`).
        spec: augmentation.
        seed: of the run.
        training: random augmentation; else the fixed one of validation.
    """

    def __init__(
        self, samples: Sequence[FlowSample], method: PretrainMethod, spec: DataSpec, seed: int, *, training: bool = True
    ) -> None:
        self.samples, self.method, self.spec = samples, method, spec
        self.seed, self.training = seed, training

    def __getitem__(self, draw: Draw) -> Batch:
        """Make the tensors of one draw: "image" uint8 [3, H, W] and the method's own."""
        index, number = draw
        rng = generator(self.seed, "sample" if self.training else "validation", number)
        choice = rng if self.training else None
        sample = self.method.view(augment(self.samples[index].checked(), self.spec, choice), choice)
        tensors = self.method.targets(sample, rng)
        return {"image": torch.from_numpy(sample.image).permute(2, 0, 1), **tensors}

    def __getitems__(self, draws: list[Draw]) -> list[Batch] | Failure:
        """Make the tensors of a batch's draws; bad data become a `Failure` (exceptions lose their type in workers)."""
        kind = "training" if self.training else "validation"
        tensors = []
        for draw in draws:
            try:
                tensors.append(self[draw])
            except SSLMotionError as error:
                return Failure(f"{kind} pair {draw[0]}: {error}")
        return tensors


def collate(items: list[Batch] | Failure) -> Batch | Failure:
    """Stack tensors over the batch. Images of different sizes become a `Failure`."""
    if isinstance(items, Failure):
        return items
    sizes = {tuple(item["image"].shape[1:]) for item in items}
    if len(sizes) > 1:
        listed = ", ".join(f"{height}x{width}" for height, width in sorted(sizes))
        return Failure(f"the images of a batch differ in size ({listed}): set data.crop, or a batch_size of 1")
    return {key: torch.stack([item[key] for item in items]) for key in items[0]}


class BatchLoader(DataLoader[Any]):
    """torch's DataLoader, raising a worker's `Failure` as a `DataError`."""

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]  # torch promises its own iterator class
        for batch in super().__iter__():
            if isinstance(batch, Failure):
                raise DataError(batch.message)
            yield batch


def _start_worker(worker: int) -> None:
    """Set up a loader's process: one thread, SIGTERM as usual, and Ctrl-C left to the main process."""
    del worker
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    cv2.setNumThreads(0)


def _options(workers: int, pin: bool) -> dict[str, Any]:
    # A generator of its own: torch's loader would otherwise draw from the global one, which dropout uses.
    return {
        "num_workers": workers,
        "collate_fn": collate,
        "pin_memory": pin,
        "worker_init_fn": _start_worker,
        "generator": torch.Generator().manual_seed(0),
    }


def training_loader(
    dataset: PairDataset, batch_size: int, *, workers: int = 0, rank: int = 0, world_size: int = 1, pin: bool = False
) -> BatchLoader:
    """Make the endless loader of a process's training batches.

    Args:
        dataset: of training samples.
        batch_size: samples per batch and process.
        workers: loader processes; the batches do not depend on it.
        rank: this process.
        world_size: number of processes.
        pin: hand over page-locked memory, for CUDA.
    """
    sampler = DrawSampler(len(dataset.samples), dataset.seed, batch_size, rank, world_size)
    return BatchLoader(dataset, batch_size=batch_size, sampler=sampler, drop_last=True, **_options(workers, pin))


def validation_batches(length: int, batch_size: int) -> list[list[Draw]]:
    """Split all samples into batches of at least two, in a fixed mixed order.

    Mixed, since validation also exchanges the images within a batch, and neighbours on disk come from one clip. A
    last batch of one sample joins the one before it.
    """
    order = generator(VALIDATION_SEED, "validation order").permutation(length).tolist()
    size = max(batch_size, 2)
    batches = [[(index, index) for index in order[start : start + size]] for start in range(0, length, size)]
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2].extend(batches.pop())
    return batches


def validation_loader(
    dataset: PairDataset, batch_size: int, *, workers: int = 0, rank: int = 0, world_size: int = 1, pin: bool = False
) -> BatchLoader:
    """Make the loader of a process's share of the validation batches (arguments as in `training_loader`)."""
    batches = validation_batches(len(dataset.samples), batch_size)[rank::world_size]
    return BatchLoader(dataset, batch_sampler=batches, **_options(workers, pin))

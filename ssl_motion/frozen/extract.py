"""Features of a frozen trunk over a list of images, every image once, all stages in one pass."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from ssl_motion.data.sample import UInt8Array
from ssl_motion.frozen.trunk import FrozenTrunk
from ssl_motion.frozen.views import View

POOLED_TO = 9600
"""Numbers per image and stage: conv1 .. conv5 of AlexNet then have 9600, 9216, 9600, 9600 and 9216 (DeepCluster)."""
BATCH = 16

Array = npt.NDArray[Any]
Random = Callable[[int], np.random.Generator]


class Reducer(Protocol):
    """What is kept of an image's feature maps: arrays of one shape for all images."""

    def facts(self) -> dict[str, Any]:
        """State it for a protocol or a cache."""
        ...

    def __call__(self, maps: Mapping[str, Tensor], indices: Sequence[int]) -> dict[str, Tensor]:
        """Reduce stage -> [B, C, h, w] to name -> [B, ...].

        Args:
            maps: features of a batch of images of one size.
            indices: which images of the list these are.
        """
        ...


class Pooled:
    """Averages every stage over a grid so that it has about so many numbers: stage -> [B, C x side x side].

    The grid's side is the largest with at most `budget` numbers, at least 1 and at most the map's own shorter side.
    """

    def __init__(self, budget: int = POOLED_TO) -> None:
        self.budget = budget

    def facts(self) -> dict[str, Any]:
        """State it for a protocol or a cache."""
        return {"pooled_to": self.budget}

    def __call__(self, maps: Mapping[str, Tensor], indices: Sequence[int]) -> dict[str, Tensor]:
        """Pool and flatten."""
        del indices
        return {stage: self.pool(features).flatten(1) for stage, features in maps.items()}

    def pool(self, features_BCHW: Tensor) -> Tensor:
        """Pool one stage: [B, C, side, side]."""
        _, channels, height, width = features_BCHW.shape
        side = max(1, min(int((self.budget / channels) ** 0.5), height, width))
        return F.adaptive_avg_pool2d(features_BCHW, side)


def extract(
    trunk: FrozenTrunk,
    images: Sequence[Path],
    view: View,
    reduce: Reducer,
    stages: Sequence[str] = (),
    *,
    batch_size: int = BATCH,
    device: str = "cpu",
    readers: int = 1,
    random: Random | None = None,
    order: Sequence[int] | None = None,
) -> Iterator[tuple[list[int], dict[str, Tensor]]]:
    """Compute features image by image, in order; images that follow each other and have one size go together.

    Args:
        trunk: what computes them.
        images: files.
        view: what of a file the trunk sees.
        reduce: what is kept.
        stages: which; none for all.
        batch_size: most images at a time; does not change the features beyond rounding.
        device: that the trunk is on.
        readers: threads that decode files ahead; changes nothing else.
        random: index -> generator for random crops; None for none.
        order: indices to take; None for all.

    Yields:
        Indices of the images, and the arrays of `reduce` for them, on the CPU.

    Raises:
        UsageError: The trunk has no such stage.
        DataError: A file cannot be read; it is named.
    """
    chosen = trunk.check_stages(stages)
    waiting: list[UInt8Array] = []
    indices: list[int] = []

    def flush() -> tuple[list[int], dict[str, Tensor]]:
        with torch.no_grad():
            kept = reduce(trunk.features(waiting, chosen, device), indices)
        done = (list(indices), {name: value.cpu() for name, value in kept.items()})
        waiting.clear()
        indices.clear()
        return done

    for index, image in _read(images, view, range(len(images)) if order is None else order, random, readers):
        if waiting and (image.shape != waiting[0].shape or len(waiting) == batch_size):
            yield flush()
        waiting.append(image)
        indices.append(index)
    if waiting:
        yield flush()


def _read(
    images: Sequence[Path], view: View, order: Sequence[int], random: Random | None, readers: int
) -> Iterator[tuple[int, UInt8Array]]:
    """Decode a few files ahead in threads (decoders release Python's lock), so that the trunk need not wait."""

    def read(index: int) -> UInt8Array:
        return view.read(images[index], random(index) if random is not None else None)

    ahead = 2 * BATCH * readers
    with ThreadPoolExecutor(readers) as pool:
        pending = [(index, pool.submit(read, index)) for index in order[:ahead]]
        following = iter(order[ahead:])
        try:
            while pending:
                index, image = pending.pop(0)
                yield index, image.result()
                for more in following:
                    pending.append((more, pool.submit(read, more)))
                    break
        finally:
            for _, image in pending:
                image.cancel()

"""A result's metric on images drawn anew: finding the kind of a file, and what its metric was computed by."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ssl_motion.errors import DataError
from ssl_motion.per_image.arrays import Float64Array, Times, listed
from ssl_motion.per_image.clicks import read_clicks
from ssl_motion.per_image.coco_detections import read_per_image_detections
from ssl_motion.per_image.confusion import read_per_image
from ssl_motion.per_image.multilabel import read_scores
from ssl_motion.per_image.verdicts import read_verdicts
from ssl_motion.per_image.voc_boxes import read_boxes
from ssl_motion.seeding import generator

AGREES = 0.05
"""How far a file's metric may lie from its record's, in points: few-shot SVMs' scores are kept in half precision."""
_AT_ONCE = 100


class PerImageFile(Protocol):
    """Any kind of per-image file."""

    @property
    def names(self) -> Sequence[str]:
        """Names of the images, in the order of the weights."""

    def of_draws(self, metric: str, times: Times) -> Sequence[Float64Array]:
        """Compute a metric for images that count `times` [B, N].

        Returns:
            An array [B] for every way in which a metric of that name may have been computed; none where there is none.
        """


# An array that files of one kind alone have -> their reader.
_READERS: dict[str, Callable[[Path], PerImageFile]] = {
    "cells": read_per_image,
    "thresholds": read_per_image_detections,
    "match": read_boxes,
    "scores": read_scores,
    "predicted": read_verdicts,
    "click_iou": read_clicks,
}


def is_known(path: Path) -> bool:
    """Whether a per-image file is of a kind that `read_any` reads; a task of another package may have its own.

    Raises:
        DataError: It cannot be read without running code.
    """
    return not _READERS.keys().isdisjoint(listed(path, "per-image statistics"))


def read_any(path: Path) -> PerImageFile:
    """Read a per-image file of any kind.

    Raises:
        DataError: It is of none of the kinds that are known.
    """
    names = listed(path, "per-image statistics")
    for name, read in _READERS.items():
        if name in names:
            return read(path)
    held = ", ".join(names) or "nothing"
    raise DataError(f"{path}: not a kind of per-image statistics that is known: it holds {held}")


@lru_cache(maxsize=2)
def image_draws(images: int, draws: int, seed: int) -> npt.NDArray[np.int32]:
    """Draw images with repetition, as many as there are: how often each counts, int32 [draws, images]."""
    rng = generator(seed, "bootstrap of images", images)
    return np.stack([np.bincount(rng.integers(images, size=images), minlength=images) for _ in range(draws)]).astype(
        np.int32
    )


def resampled(file: PerImageFile, metric: str, value: float, draws: int, seed: int) -> Float64Array | None:
    """Compute a result's metric on images drawn with repetition.

    Args:
        file: the result's.
        metric: its name.
        value: as the record has it; it says in which of several ways the metric was computed.
        draws: how many.
        seed: of the draws, which depend on nothing else but the number of images.

    Returns:
        [draws], NaN where a draw leaves nothing to judge; None where the file does not give the record's value.
    """
    images = len(file.names)
    if not images:
        return None
    once = file.of_draws(metric, np.ones((1, images), dtype=np.int32))
    errors = [abs(float(each[0]) - value) for each in once]
    if not errors or not min(errors) <= AGREES:
        return None
    way, times = int(np.argmin(errors)), image_draws(images, draws, seed)
    parts = [file.of_draws(metric, times[start : start + _AT_ONCE])[way] for start in range(0, draws, _AT_ONCE)]
    return np.concatenate(parts)

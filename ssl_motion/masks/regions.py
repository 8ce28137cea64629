"""Regions that vote together: cells of a grid, cut in two where part of a cell moves and part does not."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ssl_motion.data.sample import BoolArray, UInt8Array
from ssl_motion.masks.saliency import Saliency

LEAST_GAP = 0.2
"""A cell is cut when the mean lengths of `Saliency.own` in its two parts differ by more. Not the saliencies: they are
all 1 where both an object and a near background move fast."""
POSITION, COLOUR, MOTION = 1.0, 2.0, 0.25
"""Weights of a region's place (longer side = 1), CIE Lab colour (each channel 0..1) and own motion beside its
saliency, which has weight 1. Chosen on 30 scenes of the built-in world and 6 DAVIS sequences."""

_LEAST_PIXELS = 3  # a part of a cell with fewer is no region
_TWO_MEANS_ROUNDS = 3

_Float64Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Regions:
    """A partition of an image.

    Attributes:
        labels: int64 [H, W], region of each pixel, from 0.
        known: bool [N]; false for regions of pixels without valid flow.
        saliency: float64 [N], mean of the region; 0 where not known.
        looks: float64 [N, 5], descriptor by place and colour alone.
        descriptors: float64 [N, 8], by saliency and motion too; meaningless where not known.
    """

    labels: npt.NDArray[np.int64]
    known: BoolArray
    saliency: _Float64Array
    looks: _Float64Array
    descriptors: _Float64Array


def find_regions(image: UInt8Array, saliency: Saliency, valid: BoolArray, cells: int) -> Regions:
    """Cut an image into regions.

    Args:
        image: uint8 [H, W, 3] RGB.
        saliency: of its flow.
        valid: bool [H, W]; the other pixels of each cell are a region of their own.
        cells: along the longer side.
    """
    height, width = valid.shape
    longest = max(height, width)
    length = np.hypot(saliency.own[..., 0], saliency.own[..., 1])
    parts = _parts(_grid(height, width, cells), length.reshape(-1), valid.reshape(-1))
    present, labels = np.unique(parts, return_inverse=True)
    labels = labels.reshape(-1)
    counts = np.bincount(labels)

    def mean(values: npt.NDArray[Any]) -> _Float64Array:
        return np.asarray(np.bincount(labels, values.reshape(-1)) / counts, np.float64)

    known = present % 3 < 2
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    own = np.clip(saliency.own, -1, 1)
    rows, columns = np.indices((height, width), np.float32)
    looks = np.stack(
        [*(POSITION / longest * mean(axis) for axis in (columns, rows))]
        + [COLOUR / 255 * mean(lab[..., channel]) for channel in range(3)],
        axis=1,
    )
    level = np.where(known, mean(saliency.map), 0.0)
    motion = np.stack([level] + [MOTION * mean(own[..., channel]) for channel in range(2)], axis=1)
    return Regions(labels.reshape(height, width), known, level, looks, np.concatenate([looks, motion], axis=1))


def _grid(height: int, width: int, cells: int) -> npt.NDArray[np.int64]:
    """Cell of each pixel, int64 [H * W]; cells are as square as whole numbers allow."""
    longest = max(height, width)
    down, across = max(1, round(height * cells / longest)), max(1, round(width * cells / longest))
    row, column = np.arange(height) * down // height, np.arange(width) * across // width
    return np.asarray((row[:, None] * across + column).reshape(-1), np.int64)


def _parts(cell: npt.NDArray[np.int64], length: npt.NDArray[np.float32], valid: BoolArray) -> npt.NDArray[np.int64]:
    """Number each pixel 3 cell + (0, or 1 in the faster part of a cut cell, or 2 where invalid)."""
    count = int(cell.max()) + 1
    inside, values = cell[valid], length[valid].astype(np.float64)
    total, pixels = np.bincount(inside, values, count), np.bincount(inside, minlength=count)
    middle = total / np.maximum(pixels, 1)
    for _ in range(_TWO_MEANS_ROUNDS):
        above = values > middle[inside]
        high, number = np.bincount(inside, values * above, count), np.bincount(inside, above, count)
        upper, lower = high / np.maximum(number, 1), (total - high) / np.maximum(pixels - number, 1)
        middle = 0.5 * (upper + lower)
    enough = np.minimum(number, pixels - number) >= _LEAST_PIXELS
    cut = enough & (upper - lower > LEAST_GAP)
    parts = 3 * cell
    parts[valid] += cut[inside] & (values > middle[inside])
    parts[~valid] += 2
    return parts

"""In how many pieces an object is seen, and how many holes it has: what polygons are bad at (Zhan et al., table 4)."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ssl_motion.data.sample import BoolArray

SHARE = 0.02
"""A piece or hole counts from this share of the object's pixels on ..."""

PIXELS = 4
"""... and from so many pixels on."""


def count_pieces(mask: BoolArray) -> int:
    """Count the 8-connected parts of a mask that are large enough (`SHARE`, `PIXELS`); at least 1."""
    labels, number = ndimage.label(mask, np.ones((3, 3)))
    return max(1, _large(labels, number, mask))


def count_holes(mask: BoolArray) -> int:
    """Count the 4-connected parts of the rest that do not reach the picture's border and are large enough."""
    labels, number = ndimage.label(~mask)
    open_ones = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    closed = np.where(np.isin(labels, open_ones), 0, labels)
    return _large(closed, number, mask)


def _large(labels: npt.NDArray[np.integer], number: int, mask: BoolArray) -> int:
    areas = np.bincount(labels.ravel(), minlength=number + 1)[1:]
    return int((areas >= max(PIXELS, SHARE * mask.sum())).sum())

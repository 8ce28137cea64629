"""The next click of a simulated annotator: at the centre of the largest error.

The protocol of interactive segmentation since Xu et al., "Deep Interactive Object Selection" (CVPR 2016), in the form
that the code of RITM (Sofiiuk et al. 2022) gave it: the pixel that is farthest from the border of what is missing, or
of what is too much, whichever is deeper. The picture's own border counts as a border.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from ssl_motion.data.sample import BoolArray, Float32Array


@dataclass(frozen=True)
class Click:
    """A click at a pixel: on the object (positive), or beside it."""

    x: int
    y: int
    positive: bool


def next_click(
    truth: BoolArray, mask: BoolArray, counted: BoolArray | None = None, earlier: Iterable[Click] = ()
) -> Click | None:
    """Find out where somebody who knows the truth would click next.

    Args:
        truth: bool [H, W], the object.
        mask: bool [H, W], what was found so far.
        counted: bool [H, W], where the truth is known; None for everywhere.
        earlier: clicks that were made; no pixel is clicked twice.

    Returns:
        The click, positive where something is missing; of equally deep places the first, row by row, and what is too
        much before what is missing. None where nothing is wrong that was not clicked.
    """
    known = np.ones_like(truth) if counted is None else counted
    taken = list(earlier)
    missing = _depth(truth & ~mask & known, taken)
    too_much = _depth(mask & ~truth & known, taken)
    positive = bool(missing.max() > too_much.max())
    depth = missing if positive else too_much
    place = int(depth.argmax())
    if depth.flat[place] <= 0:
        return None
    row, column = divmod(place, depth.shape[1])
    return Click(column, row, positive)


def _depth(region: BoolArray, taken: Iterable[Click]) -> Float32Array:
    """Euclidean distance of each pixel of a region to the nearest one outside it; 0 outside and where clicked."""
    framed = np.pad(region.astype(np.uint8), 1)
    depth: Float32Array = cv2.distanceTransform(framed, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    for click in taken:
        depth[click.y, click.x] = 0
    return depth


def intersection_over_union(truth: BoolArray, mask: BoolArray, counted: BoolArray | None = None) -> float:
    """Compare a mask with the truth, in percent; 100 where both are empty. Arguments as for `next_click`."""
    known = np.ones_like(truth) if counted is None else counted
    union = int(((truth | mask) & known).sum())
    return 100.0 * int((truth & mask & known).sum()) / union if union else 100.0

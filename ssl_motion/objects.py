"""Objects in an image, true or detected, as pictures show them; without torch, so that reports can."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Objects:
    """Objects in an image, D of them.

    Attributes:
        boxes: float [D, 4], left, top, right, bottom in pixels from the image's upper left corner.
        labels: integer [D], numbers of the classes.
        scores: float [D], from 0 to 1; 1 for true ones.
        masks: bool [D, H, W]; None where there are boxes alone.
    """

    boxes: npt.NDArray[Any]
    labels: npt.NDArray[Any]
    scores: npt.NDArray[Any]
    masks: npt.NDArray[np.bool_] | None = None

    def chosen(self, places: npt.NDArray[Any]) -> "Objects":
        """Some of them, in the order of `places`."""
        masks = None if self.masks is None else self.masks[places]
        return Objects(self.boxes[places], self.labels[places], self.scores[places], masks)


def right_ones(found: Objects, truth: Objects, overlap: float = 0.5) -> npt.NDArray[np.bool_]:
    """Say which detections are right: each takes, by falling score, the free true box of its class it covers best.

    Args:
        found: detections.
        truth: objects that are there.
        overlap: least intersection over union of the boxes.

    Returns:
        bool [D].
    """
    right = np.zeros(len(found.labels), dtype=np.bool_)
    free = np.ones(len(truth.labels), dtype=np.bool_)
    if not len(free):
        return right
    shared = _overlaps(found.boxes, truth.boxes)
    for place in np.argsort(-found.scores, kind="stable"):
        fitting = np.where(free & (truth.labels == found.labels[place]), shared[place], -1.0)
        best = int(fitting.argmax())
        if fitting[best] >= overlap:
            right[place], free[best] = True, False
    return right


def _overlaps(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Intersection over union of boxes: [D, E]."""
    first, second = one.astype(np.float64)[:, None], other.astype(np.float64)[None]
    sides = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])
    shared = sides.clip(min=0).prod(axis=-1)
    areas = [(boxes[..., 2:] - boxes[..., :2]).prod(axis=-1) for boxes in (first, second)]
    whole = areas[0] + areas[1] - shared
    parts: npt.NDArray[np.float64] = np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)
    return parts

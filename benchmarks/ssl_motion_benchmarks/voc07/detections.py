"""VOC's average precision of boxes, and its inputs image by image in a compact file.

As the devkit has it: a detection is right when it overlaps an object of its class by an intersection over union of at
least 0.5, and the object has not been found by one with a higher score. It is compared with the object that it overlaps
most, and with no other. Detections of difficult objects count neither as right nor as wrong, nor do these objects.
What is kept of it, and the average precision, are in `ssl_motion.per_image.voc_boxes`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ssl_motion.per_image.voc_boxes import PerImageBoxes
from ssl_motion_benchmarks.voc07.devkit import Objects

OVERLAP = 0.5
Float32Array = npt.NDArray[np.float32]
Found = tuple[Float32Array, Float32Array, npt.NDArray[np.int64]]
"""Boxes [M, 4] (x1 y1 x2 y2 from edge to edge, as in `Objects`), scores [M] and numbers of classes [M]."""


def overlaps(boxes_M4: Float32Array, others_N4: Float32Array) -> npt.NDArray[np.float64]:
    """Intersection over union of every box with every other [M, N]; 0 where a box has no area."""
    one, two = boxes_M4.astype(np.float64)[:, None], others_N4.astype(np.float64)[None]
    sides = np.minimum(one[..., 2:], two[..., 2:]) - np.maximum(one[..., :2], two[..., :2])
    shared = sides.clip(min=0).prod(axis=-1)
    areas = [(each[..., 2:] - each[..., :2]).clip(min=0).prod(axis=-1) for each in (one, two)]
    union = areas[0] + areas[1] - shared
    found: npt.NDArray[np.float64] = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return found


def match(found: Found, objects: Objects) -> npt.NDArray[np.int8]:
    """Say of every detection of an image whether it is right (1), wrong (0) or of a difficult object (-1)."""
    boxes, scores, labels = found
    result = np.zeros(len(scores), np.int8)
    overlap_MN = np.where(labels[:, None] == objects.labels, overlaps(boxes, objects.boxes), -1.0)
    taken = np.zeros(len(objects.labels), np.bool_)
    for place in np.argsort(-scores, kind="stable") if len(objects.labels) else ():
        best = int(overlap_MN[place].argmax())
        if overlap_MN[place, best] < OVERLAP:
            continue
        if objects.difficult[best]:
            result[place] = -1
        elif not taken[best]:
            taken[best], result[place] = True, 1
    return result


def collect(images: Mapping[str, tuple[Found, Objects]], classes: Sequence[str]) -> PerImageBoxes:
    """Match the detections of every image and put them together, by name."""
    names = sorted(images)
    parts = [images[name] for name in names]
    counts_NK = np.stack([np.bincount(each.labels[~each.difficult], minlength=len(classes)) for _, each in parts])
    object_image, object_label = np.nonzero(counts_NK)
    empty: npt.NDArray[Any] = np.empty(0, np.float32)
    return PerImageBoxes(
        names=names,
        classes=list(classes),
        image=np.repeat(np.arange(len(names)), [len(found[1]) for found, _ in parts]).astype(np.int32),
        label=np.concatenate([empty, *(found[2] for found, _ in parts)]).astype(np.int16),
        score=np.concatenate([empty, *(found[1] for found, _ in parts)]).astype(np.float32),
        match=np.concatenate([empty, *(match(*each) for each in parts)]).astype(np.int8),
        object_image=object_image.astype(np.int32),
        object_label=object_label.astype(np.int16),
        object_count=counts_NK[object_image, object_label].astype(np.int32),
    )

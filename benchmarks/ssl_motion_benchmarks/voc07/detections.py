"""VOC's average precision of boxes, and its inputs image by image in a compact file.

As the devkit has it: a detection is right when it overlaps an object of its class by an intersection over union of at
least 0.5, and the object has not been found by one with a higher score. It is compared with the object that it overlaps
most, and with no other. Detections of difficult objects count neither as right nor as wrong, nor do these objects.

File format (`per_image.npz`, read it with `numpy.load(path, allow_pickle=False)`): N images, K classes; M detections;
G pairs of an image and a class with objects.

    names          text [N]
    classes        text [K]
    image, label   int32, int16 [M]  of a detection
    score          float32 [M]
    match          int8 [M]          1 right, 0 wrong, -1 a difficult object
    object_image, object_label, object_count  int32, int16, int32 [G]  objects that are not difficult
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from ssl_motion.errors import DataError
from ssl_motion.fileio import write_atomically
from ssl_motion.ranking import Rule, average_precision
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


@dataclass(frozen=True)
class PerImageBoxes:
    """Detections of a split with what they matched; see the format above."""

    names: list[str]
    classes: list[str]
    image: npt.NDArray[np.int32]
    label: npt.NDArray[np.int16]
    score: Float32Array
    match: npt.NDArray[np.int8]
    object_image: npt.NDArray[np.int32]
    object_label: npt.NDArray[np.int16]
    object_count: npt.NDArray[np.int32]

    @classmethod
    def collect(cls, images: Mapping[str, tuple[Found, Objects]], classes: Sequence[str]) -> "PerImageBoxes":
        """Match the detections of every image and put them together, by name."""
        names = sorted(images)
        parts = [images[name] for name in names]
        counts_NK = np.stack([np.bincount(each.labels[~each.difficult], minlength=len(classes)) for _, each in parts])
        object_image, object_label = np.nonzero(counts_NK)
        empty: npt.NDArray[Any] = np.empty(0, np.float32)
        return cls(
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

    def average_precisions(self, rule: Rule) -> npt.NDArray[np.float64]:
        """Compute each class's average precision in percent [K]; NaN for a class without objects."""
        values = []
        for number in range(len(self.classes)):
            counted = (self.label == number) & (self.match >= 0)
            positives = int(self.object_count[self.object_label == number].sum())
            values.append(average_precision(self.match[counted] == 1, self.score[counted], rule, positives))
        return np.array(values, dtype=np.float64)

    def save(self, path: Path) -> None:
        """Write the file."""
        content: dict[str, Any] = {each.name: np.array(getattr(self, each.name)) for each in fields(self)}
        write_atomically(path, lambda file: np.savez_compressed(file, **content))


def read_boxes(path: Path) -> PerImageBoxes:
    """Read a file of per-image detections.

    Raises:
        DataError: It is not one.
    """
    try:
        with np.load(path, allow_pickle=False) as content:
            arrays = {each.name: content[each.name] for each in fields(PerImageBoxes)}
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise DataError(f"{path}: not a file of per-image detections: {error}") from error
    texts: dict[str, Any] = {name: [str(each) for each in arrays.pop(name)] for name in ("names", "classes")}
    return PerImageBoxes(**texts, **arrays)

"""VOC's average precision of boxes from what every image's detections matched.

File format (`per_image.npz`, read it with `numpy.load(path, allow_pickle=False)`): N images, K classes; M detections;
G pairs of an image and a class with objects.

    names          text [N]
    classes        text [K]
    image, label   int32, int16 [M]  of a detection
    score          float32 [M]
    match          int8 [M]          1 right, 0 wrong, -1 a difficult object
    object_image, object_label, object_count  int32, int16, int32 [G]  objects that are not difficult

Detections of difficult objects count neither as right nor as wrong, nor do these objects.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ssl_motion.errors import DataError
from ssl_motion.per_image.arrays import Float64Array, Times, load, save, texts
from ssl_motion.ranking import Rule, average_precision, average_precision_of_draws, mean_present_in_rows

RULES: dict[str, Rule] = {"mAP": "envelope", "mAP07": "11-point"}
"""Metric -> how the curve of precision and recall is read."""


@dataclass(frozen=True)
class PerImageBoxes:
    """Detections of a split with what they matched; see the format above."""

    names: list[str]
    classes: list[str]
    image: npt.NDArray[np.int32]
    label: npt.NDArray[np.int16]
    score: npt.NDArray[np.float32]
    match: npt.NDArray[np.int8]
    object_image: npt.NDArray[np.int32]
    object_label: npt.NDArray[np.int16]
    object_count: npt.NDArray[np.int32]

    def average_precisions(self, rule: Rule) -> Float64Array:
        """Compute each class's average precision in percent [K]; NaN for a class without objects."""
        values = []
        for number in range(len(self.classes)):
            counted = (self.label == number) & (self.match >= 0)
            positives = int(self.object_count[self.object_label == number].sum())
            values.append(average_precision(self.match[counted] == 1, self.score[counted], rule, positives))
        return np.array(values, dtype=np.float64)

    def of_draws(self, metric: str, times: Times) -> Sequence[Float64Array]:
        """Compute "mAP" or "mAP07" for images that count `times` [B, N]: one array [B]; none for other metrics."""
        if metric not in RULES:
            return []
        columns = []
        for number in range(len(self.classes)):
            mine = (self.label == number) & (self.match >= 0)
            there = self.object_label == number
            positives = times[:, self.object_image[there]] @ self.object_count[there].astype(np.int64)
            counts = times[:, self.image[mine]]
            columns.append(
                average_precision_of_draws(self.match[mine] == 1, self.score[mine], counts, RULES[metric], positives)
            )
        return [mean_present_in_rows(np.stack(columns, axis=1))]

    def save(self, path: Path) -> None:
        """Write the file."""
        content: dict[str, Any] = {each.name: np.array(getattr(self, each.name)) for each in fields(self)}
        save(path, **content)


def read_boxes(path: Path) -> PerImageBoxes:
    """Read a file of per-image detections.

    Raises:
        DataError: It is not one.
    """
    content = load(path, "per-image detections")
    try:
        arrays: dict[str, Any] = {each.name: content[each.name] for each in fields(PerImageBoxes)}
    except KeyError as error:
        raise DataError(f"{path}: not a file of per-image detections: no array {error}") from error
    return PerImageBoxes(**{**arrays, "names": texts(arrays["names"]), "classes": texts(arrays["classes"])})

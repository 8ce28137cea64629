"""Average precision of detections, and its inputs image by image in a compact file.

The matching of detections to objects is pycocotools' (`box_metric`). What is kept of it suffices to compute precision,
recall and AP for any set of images, such as one drawn with repetitions for a bootstrap.

File format (`per_image.npz`, read it with `numpy.load(path, allow_pickle=False)`): N images, K classes, T thresholds of
the IoU, A ranges of area, S kinds of region; M detections, sorted by image, class and falling score; G pairs of an
image and a class with objects.

    names          text [N]          image names, in the order of pycocotools (by number)
    classes        text [K]
    kinds          text [S]          "bbox" or "segm"
    thresholds     float64 [T]
    areas          text [A]          "all", "small", ...
    image, label   int32, int16 [M]  of a detection
    score          float32 [M]
    hit            uint16 [S, A, M]  bit t: it matches an object at threshold t
    ignored        uint16 [S, A, M]  bit t: it counts neither as right nor as wrong at threshold t
    object_image, object_label  int32, int16 [G]
    object_count   int32 [A, G]      objects that count in the range
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ssl_motion.errors import DataError
from ssl_motion.per_image.arrays import Float64Array, Times, load, save, text_array, texts
from ssl_motion.ranking import mean_present_in_rows

RECALLS = np.linspace(0.0, 1.0, 101)
"""Recall levels at which COCO reads the precision."""

_TEXT = ("names", "classes", "kinds", "areas")
_THRESHOLDS = {"AP50": 0.5, "AP75": 0.75}
_AREAS = {"APS": "small", "APM": "medium", "APL": "large"}


@dataclass(frozen=True)
class PerImageDetections:
    """Detections of a split with what they matched; see the format above."""

    names: list[str]
    classes: list[str]
    kinds: list[str]
    thresholds: Float64Array
    areas: list[str]
    image: npt.NDArray[np.int32]
    label: npt.NDArray[np.int16]
    score: npt.NDArray[np.float32]
    hit: npt.NDArray[np.uint16]
    ignored: npt.NDArray[np.uint16]
    object_image: npt.NDArray[np.int32]
    object_label: npt.NDArray[np.int16]
    object_count: npt.NDArray[np.int32]

    def curve(
        self, kind: str, label: int, area: str = "all", times: Times | None = None
    ) -> tuple[Float64Array, Float64Array] | None:
        """Recall and precision of a class after each of its detections, by falling score.

        Args:
            kind: one of `kinds`.
            label: number of the class.
            area: one of `areas`.
            times: [N], how often each image counts; None for once.

        Returns:
            Recall and precision, each [T, detections of the class], or None where no object counts.
        """
        often = np.ones(len(self.names), np.int64) if times is None else np.asarray(times, dtype=np.int64)
        s, a = self.kinds.index(kind), self.areas.index(area)
        there = self.object_label == label
        objects = int((self.object_count[a, there] * often[self.object_image[there]]).sum())
        if not objects:
            return None
        mine = np.flatnonzero(self.label == label)
        # Stable, as pycocotools sorts: equal scores stay in the order of the images.
        mine = mine[np.argsort(-self.score[mine], kind="stable")]
        bits = np.arange(len(self.thresholds), dtype=np.uint16)[:, None]
        hit = (self.hit[s, a, mine] >> bits & 1).astype(bool)
        counted = ~(self.ignored[s, a, mine] >> bits & 1).astype(bool)
        weight = often[self.image[mine]]
        right = np.cumsum((hit & counted) * weight, axis=1).astype(np.float64)
        wrong = np.cumsum((~hit & counted) * weight, axis=1).astype(np.float64)
        return right / objects, right / (right + wrong + np.spacing(1))

    def precision(self, kind: str, times: Times | None = None) -> Float64Array:
        """Interpolated precision at COCO's recall levels, as pycocotools' `eval["precision"]` at its most detections.

        Args:
            kind: one of `kinds`.
            times: [N], how often each image counts; None for once.

        Returns:
            float [T, 101, K, A]; -1 for a class without an object that counts.
        """
        table = np.full((len(self.thresholds), len(RECALLS), len(self.classes), len(self.areas)), -1.0)
        for a, area in enumerate(self.areas):
            for label in range(len(self.classes)):
                found = self.curve(kind, label, area, times)
                if found is not None:
                    for t, (recall, precision) in enumerate(zip(*found, strict=True)):
                        table[t, :, label, a] = interpolate(recall, precision)
        return table

    def of_draws(self, metric: str, times: Times) -> Sequence[Float64Array]:
        """Compute a metric, such as "bbox_AP" or "segm_APS", for images that count `times` [B, N].

        Returns:
            One array [B], equal to `figures` of `precision` draw by draw; none for metrics that are not of this file.
        """
        kind, _, name = metric.partition("_")
        area = _AREAS.get(name, "all")
        chosen = np.isclose(self.thresholds, _THRESHOLDS[name]) if name in _THRESHOLDS else self.thresholds > 0
        known = name == "AP" or (name in _THRESHOLDS and chosen.any()) or name in _AREAS
        if not known or kind not in self.kinds or area not in self.areas:
            return []
        s, a = self.kinds.index(kind), self.areas.index(area)
        at = np.flatnonzero(chosen)
        columns = [self._class_of_draws(s, a, label, at, times) for label in range(len(self.classes))]
        return [mean_present_in_rows(np.stack(columns, axis=1)) * 100]

    def _class_of_draws(self, s: int, a: int, label: int, chosen: npt.NDArray[np.intp], times: Times) -> Float64Array:
        """Mean over thresholds and recall levels of a class's precision in each draw [B]; NaN without objects."""
        there = self.object_label == label
        objects = times[:, self.object_image[there]] @ self.object_count[a, there].astype(np.int64)
        mine = np.flatnonzero(self.label == label)
        mine = mine[np.argsort(-self.score[mine], kind="stable")]
        counts = times[:, self.image[mine]]
        taken = np.cumsum(counts, axis=1, dtype=np.float64)
        total = np.zeros(len(times))
        for t in chosen:
            hit, ignored = ((bits[s, a, mine] >> np.uint16(t) & 1).astype(bool) for bits in (self.hit, self.ignored))
            right = np.flatnonzero(hit & ~ignored)
            if not right.size:
                continue
            # Only right detections raise the recall, and the precision between two of them falls: the curve is known
            # from its values there.
            without = np.flatnonzero(ignored)
            skipped = np.cumsum(counts[:, without], axis=1, dtype=np.float64)
            skipped = np.concatenate([np.zeros((len(times), 1)), skipped], axis=1)[:, np.searchsorted(without, right)]
            found = np.cumsum(counts[:, right], axis=1, dtype=np.float64)
            precision = found / (taken[:, right] - skipped + np.spacing(1))
            best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
            total += (best * np.diff(_levels_reached(found, objects), axis=1, prepend=0)).sum(axis=1)
        return np.where(objects > 0, total / (len(chosen) * len(RECALLS)), np.nan)

    def save(self, path: Path) -> None:
        """Write the file."""
        content = {field.name: getattr(self, field.name) for field in fields(self)}
        content.update({name: text_array(content[name]) for name in _TEXT})
        save(path, **content)


def _levels_reached(found: Float64Array, objects: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """How many of COCO's recall levels are at or below found [B, H] of objects [B]."""
    recall = found / np.maximum(objects, 1)[:, None]
    levels = np.minimum((recall * 100).astype(np.int64), 100)
    # A rounding may have put it one off; comparing with the levels themselves decides, as `interpolate` does.
    levels += RECALLS[np.minimum(levels + 1, 100)] <= recall
    levels = np.minimum(levels, 100)
    reached: npt.NDArray[np.int64] = levels + (RECALLS[levels] <= recall)
    return reached


def interpolate(recall: Float64Array, precision: Float64Array) -> Float64Array:
    """The highest precision at or beyond each of COCO's recall levels; 0 beyond the last recall reached: [101]."""
    highest = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    return highest[np.searchsorted(recall, RECALLS, side="left")]


def figures(precision: Float64Array, thresholds: Float64Array, areas: list[str]) -> dict[str, float]:
    """COCO's figures of a table of precisions, in percent: "AP", "AP50", "AP75", and "APS", "APM", "APL".

    Args:
        precision: float [T, 101, K, A], -1 where there is nothing to find (`PerImageDetections.precision`).
        thresholds: [T].
        areas: names of the ranges.

    Returns:
        NaN for a figure without any object; those of ranges and thresholds that are not there are left out.
    """
    every = areas.index("all")
    found = {"AP": _mean(precision[..., every])}
    for name, threshold in _THRESHOLDS.items():
        at = np.flatnonzero(np.isclose(thresholds, threshold))
        if at.size:
            found[name] = _mean(precision[at[0], :, :, every])
    for name, area in _AREAS.items():
        if area in areas:
            found[name] = _mean(precision[..., areas.index(area)])
    return found


def class_figures(precision: Float64Array, areas: list[str]) -> Float64Array:
    """AP of every class over all areas, in percent: [K]; NaN for a class without objects."""
    every = precision[..., areas.index("all")]
    return np.array([_mean(every[:, :, label]) for label in range(precision.shape[2])])


def _mean(values: Float64Array) -> float:
    there = values[values > -1]
    return float(there.mean()) * 100 if there.size else float("nan")


def read_per_image_detections(path: Path) -> PerImageDetections:
    """Read a file of per-image detections.

    Raises:
        DataError: It is not one.
    """
    content = load(path, "per-image detections")
    try:
        parts: dict[str, Any] = {field.name: content[field.name] for field in fields(PerImageDetections)}
    except KeyError as error:
        raise DataError(f"{path}: not a file of per-image detections: no array {error}") from error
    return PerImageDetections(**{**parts, **{name: texts(parts[name]) for name in _TEXT}})

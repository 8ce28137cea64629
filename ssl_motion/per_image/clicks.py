"""Figures of annotation by clicks, from how good the mask of every object was after every click.

File format (`per_image.npz`, read it with `numpy.load(path, allow_pickle=False)`): N images, M objects, K clicks.

    names      text [N]        image names
    image      int32 [M]       of each object
    objects    text [M]        names of the objects
    pieces     int32 [M]       connected parts of the true mask
    holes      int32 [M]       holes of the true mask
    click_iou  float32 [M, K]  IoU in percent after each click; the last one stays where no more clicks were made

Metrics, all of them means over objects:

    NoC80         number of clicks until the IoU is 80 % for the first time; K where it never is
    failures80    share of the objects, in percent, where it never is
    IoU3          IoU in percent after three clicks
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ssl_motion.errors import DataError
from ssl_motion.per_image.arrays import Float64Array, Times, load, save, text_array, texts

_METRIC = re.compile(r"(NoC|failures|IoU)(\d+)")


@dataclass(frozen=True)
class PerObjectClicks:
    """How the objects of a split were annotated; see the format above."""

    names: list[str]
    image: npt.NDArray[np.int32]
    objects: list[str]
    pieces: npt.NDArray[np.int32]
    holes: npt.NDArray[np.int32]
    click_iou: npt.NDArray[np.float32]

    def of_objects(self, metric: str) -> Float64Array | None:
        """Work out what a metric averages: float [M]; None for a metric that is not of this file."""
        found = _METRIC.fullmatch(metric)
        if found is None:
            return None
        kind, number = found.group(1), int(found.group(2))
        clicks = self.click_iou.shape[1]
        if kind == "IoU":
            return self.click_iou[:, number - 1].astype(np.float64) if 1 <= number <= clicks else None
        reached = self.click_iou >= number
        ever = reached.any(axis=1)
        if kind == "failures":
            return np.where(ever, 0.0, 100.0)
        return np.asarray(np.where(ever, reached.argmax(axis=1) + 1, clicks), np.float64)

    @property
    def kinds(self) -> dict[str, npt.NDArray[np.bool_]]:
        """Which objects, bool [M], are of a kind; one in several pieces may have holes too."""
        several, hollow = self.pieces > 1, self.holes > 0
        return {"one piece without holes": ~several & ~hollow, "several pieces": several, "with holes": hollow}

    def mean(self, metric: str, chosen: npt.NDArray[np.bool_] | None = None) -> float:
        """Average a metric of this file over all objects, or over chosen ones [M]; NaN where there are none."""
        values = self.of_objects(metric)
        assert values is not None, metric
        values = values if chosen is None else values[chosen]
        return float(values.mean()) if values.size else float("nan")

    def of_draws(self, metric: str, times: Times) -> Sequence[Float64Array]:
        """Compute a metric for images that count `times` [B, N]: one array [B]; NaN where no object is left."""
        values = self.of_objects(metric)
        if values is None:
            return []
        images = len(self.names)
        sums = np.bincount(self.image, weights=values, minlength=images)
        numbers = np.bincount(self.image, minlength=images)
        with np.errstate(invalid="ignore", divide="ignore"):
            return [(times @ sums) / (times @ numbers)]

    def save(self, path: Path) -> None:
        """Write the file."""
        save(
            path,
            names=text_array(self.names),
            image=self.image,
            objects=text_array(self.objects),
            pieces=self.pieces,
            holes=self.holes,
            click_iou=self.click_iou,
        )


def read_clicks(path: Path) -> PerObjectClicks:
    """Read a file of how objects were annotated.

    Raises:
        DataError: It is not one.
    """
    content = load(path, "how objects were annotated by clicks")
    try:
        names, objects = texts(content["names"]), texts(content["objects"])
        numbers = {name: content[name] for name in ("image", "pieces", "holes", "click_iou")}
        kept = PerObjectClicks(names=names, objects=objects, **numbers)
    except KeyError as error:
        raise DataError(f"{path}: not a file of how objects were annotated: no array {error}") from error
    lengths = {len(kept.objects), len(kept.image), len(kept.pieces), len(kept.holes), len(kept.click_iou)}
    if kept.click_iou.ndim != 2 or not kept.click_iou.shape[1] or len(lengths) > 1:
        raise DataError(f"{path}: its arrays do not fit together")
    return kept

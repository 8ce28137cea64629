"""Accuracy from the classes that linear probes put first for every image.

File format (`per_image.npz`, read it with `numpy.load(path, allow_pickle=False)`): N images, S stages.

    names      text [N]         CLASS/FILE of the images
    labels     int32 [N]        their classes
    stages     text [S]
    predicted  int32 [S, N, 5]  classes of the highest scores, best first (fewer where there are fewer)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ssl_motion.errors import DataError
from ssl_motion.per_image.arrays import Float64Array, Times, load, save, text_array, texts

TOPS = {"top1": 1, "top5": 5}
"""Metric -> among how many classes the right one has to be."""


@dataclass(frozen=True)
class Verdicts:
    """What the probes say of a split.

    Attributes:
        names: CLASS/FILE of the images.
        labels: int32 [N], their classes.
        predicted: stage -> int32 [N, 5], the classes of the highest scores, best first (fewer where there are fewer).
    """

    names: Sequence[str]
    labels: npt.NDArray[np.int32]
    predicted: Mapping[str, npt.NDArray[np.int32]]

    def hits(self, stage: str, top: int) -> npt.NDArray[np.bool_]:
        """Whether the class of an image is among the first `top`, [N]."""
        return np.asarray((self.predicted[stage][:, :top] == self.labels[:, None]).any(axis=1), dtype=np.bool_)

    def accuracy(self, stage: str, top: int) -> float:
        """Percentage of images whose class is among the first `top`."""
        return float(self.hits(stage, top).mean() * 100)

    def of_draws(self, metric: str, times: Times) -> Sequence[Float64Array]:
        """Compute "top1" or "top5" for images that count `times` [B, N]: an array [B] for every stage."""
        if metric not in TOPS:
            return []
        total = times.sum(axis=1)
        return [times @ self.hits(stage, TOPS[metric]).astype(np.int64) / total * 100 for stage in self.predicted]

    def save(self, path: Path) -> None:
        """Write the file."""
        save(
            path,
            names=text_array(self.names),
            labels=self.labels,
            stages=text_array(list(self.predicted)),
            predicted=np.stack(list(self.predicted.values())),
        )


def read_verdicts(path: Path) -> Verdicts:
    """Read a file of what probes said of every image.

    Raises:
        DataError: It is not one.
    """
    content = load(path, "the classes predicted for every image")
    try:
        predicted = dict(zip(texts(content["stages"]), content["predicted"], strict=True))
        return Verdicts(texts(content["names"]), content["labels"], predicted)
    except (KeyError, ValueError) as error:
        raise DataError(f"{path}: not a file of the classes predicted for every image: {error}") from error

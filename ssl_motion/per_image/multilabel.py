"""Figures of multi-label classification, and their inputs image by image in a compact file.

File format (`per_image.npz`, read it with `numpy.load(path, allow_pickle=False)`): N images, K classes, D draws
(1 where nothing is drawn).

    names    text [N]
    classes  text [K]
    labels   int8 [N, K]        1 there, -1 not there, 0 not scored
    draws    text [D]           what was drawn, such as "4 shots, draw 2"; "" where nothing was
    scores   float32 [D, N, K]  higher means more likely there; float16 where there are several draws
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ssl_motion.errors import DataError
from ssl_motion.per_image.arrays import Float64Array, Times, load, save, text_array, texts
from ssl_motion.ranking import Rule, average_precision, average_precision_of_draws, mean_present_in_rows

RULES: dict[str, tuple[Rule, ...]] = {"mAP": ("envelope", "step"), "mAP07": ("11-point",)}
"""Metric -> how the curve of precision and recall may be read: SVMs by the envelope, fine-tuned networks by steps."""


def average_precisions(
    labels_NK: npt.NDArray[np.int8], scores_NK: npt.NDArray[Any], rule: Rule
) -> npt.NDArray[np.float64]:
    """Compute each class's average precision in percent [K]; NaN where no image has the class.

    Args:
        labels_NK: 1 there, -1 not there, 0 not scored.
        scores_NK: higher means more likely there.
        rule: of `ssl_motion.ranking`.
    """
    values = []
    for label, score in zip(labels_NK.T, scores_NK.T, strict=True):
        known = label != 0
        values.append(average_precision(label[known] == 1, score[known], rule))
    return np.array(values, dtype=np.float64)


@dataclass(frozen=True)
class PerImageScores:
    """Labels and scores of all images of a split; see the format above."""

    names: list[str]
    classes: list[str]
    labels: npt.NDArray[np.int8]
    draws: list[str]
    scores: npt.NDArray[Any]

    def of_draws(self, metric: str, times: Times) -> Sequence[Float64Array]:
        """Compute "mAP" or "mAP07" for images that count `times` [B, N], averaged over the draws of training images.

        Returns:
            An array [B] for every rule that the metric may have been computed by; none for other metrics.
        """
        return [
            np.mean([self._of_draws(scores, rule, times) for scores in self.scores], axis=0)
            for rule in RULES.get(metric, ())
        ]

    def _of_draws(self, scores_NK: npt.NDArray[Any], rule: Rule, times: Times) -> Float64Array:
        columns = []
        for label, score in zip(self.labels.T, scores_NK.T, strict=True):
            known = label != 0
            columns.append(average_precision_of_draws(label[known] == 1, score[known], times[:, known], rule))
        return mean_present_in_rows(np.stack(columns, axis=1))

    def save(self, path: Path) -> None:
        """Write the file."""
        save(
            path,
            names=text_array(self.names),
            classes=text_array(self.classes),
            labels=self.labels,
            draws=text_array(self.draws),
            scores=self.scores,
        )


def single(
    names: Sequence[str], classes: Sequence[str], labels: npt.NDArray[np.int8], scores: npt.NDArray[Any]
) -> PerImageScores:
    """Put together the scores of one classifier [N, K]."""
    return PerImageScores(list(names), list(classes), labels, [""], scores[None].astype(np.float32))


def read_scores(path: Path) -> PerImageScores:
    """Read a file of per-image scores.

    Raises:
        DataError: It is not one.
    """
    content = load(path, "per-image scores")
    try:
        return PerImageScores(
            names=texts(content["names"]),
            classes=texts(content["classes"]),
            labels=content["labels"],
            draws=texts(content["draws"]),
            scores=content["scores"],
        )
    except KeyError as error:
        raise DataError(f"{path}: not a file of per-image scores: no array {error}") from error

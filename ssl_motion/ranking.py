"""Average precision of a ranking, by each of the rules that results on PASCAL VOC were published with.

All rules read one curve: precision and recall after each distinct score, from the highest down. Items of equal scores
are taken in together, so that no result depends on the order of the input.

| rule | value | used by |
|---|---|---|
| "step" | area under the curve of steps, sum of (R_n - R_n-1) P_n | scikit-learn; fine-tuned classification |
| "envelope" | the same where precision is the best at this recall or a higher one | VOC 2010 on; linear SVMs |
| "11-point" | mean of that best precision at recalls 0, 0.1, ..., 1 | VOC 2007 |
"""

from collections.abc import Iterable
from typing import Literal

import numpy as np
import numpy.typing as npt

Rule = Literal["step", "envelope", "11-point"]
Float64Array = npt.NDArray[np.float64]
_SLACK = 1e-9  # so that a recall of 3 in 10 reaches 0.3, whatever the last digit says


def precision_recall(
    right: npt.ArrayLike, scores: npt.ArrayLike, positives: int | None = None
) -> tuple[Float64Array, Float64Array]:
    """Compute precision and recall after each distinct score, from the highest down.

    Args:
        right: bool [N], whether an item is what was looked for.
        scores: float [N].
        positives: how many there are to be found; None for those in `right`.

    Returns:
        Precision and recall, [distinct scores] each. Recall is NaN where there is nothing to be found.
    """
    found, score = np.asarray(right, dtype=bool), np.asarray(scores, dtype=np.float64)
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(found[order])
    ends = np.flatnonzero(np.diff(score[order]))
    last = np.append(ends, score.size - 1) if score.size else ends
    total = int(found.sum()) if positives is None else positives
    hits = hits[last].astype(np.float64)
    recall = hits / total if total else np.full_like(hits, np.nan)
    return hits / (last + 1), recall


def average_precision(
    right: npt.ArrayLike, scores: npt.ArrayLike, rule: Rule = "step", positives: int | None = None
) -> float:
    """Compute average precision in percent; NaN where there is nothing to be found.

    Args:
        right: bool [N], whether an item is what was looked for.
        scores: float [N].
        rule: see the module.
        positives: how many there are to be found; None for those in `right`.
    """
    total = int(np.asarray(right, dtype=bool).sum()) if positives is None else positives
    if total == 0:
        return float("nan")
    precision, recall = precision_recall(right, scores, total)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    if rule == "11-point":
        # The recall rises along the curve: the first point that reaches a level has the best precision from there on.
        reached = np.searchsorted(recall, np.arange(11) / 10 - _SLACK)
        return float(np.append(best, 0.0)[reached].mean() * 100)
    steps = np.diff(recall, prepend=0.0)
    return float((steps * (precision if rule == "step" else best)).sum() * 100)


def average_precision_of_draws(
    right: npt.ArrayLike,
    scores: npt.ArrayLike,
    counts: npt.NDArray[np.integer],
    rule: Rule,
    positives: npt.NDArray[np.integer] | None = None,
) -> Float64Array:
    """Compute average precision in percent where items count several times, as if they were really repeated.

    Args:
        right: bool [N], whether an item is what was looked for.
        scores: float [N].
        counts: [B, N], how often each item counts in each of B draws.
        rule: see the module.
        positives: [B], how many there are to be found in each draw; None for those in `right`.

    Returns:
        [B]; NaN where there is nothing to be found.
    """
    found, score = np.asarray(right, dtype=bool), np.asarray(scores, dtype=np.float64)
    total = (counts[:, found].sum(axis=1) if positives is None else positives).astype(np.float64)
    order = np.argsort(-score, kind="stable")
    last = np.append(np.flatnonzero(np.diff(score[order])), score.size - 1)[: score.size]
    times = counts[:, order]
    hits = np.cumsum(times * found[order], axis=1, dtype=np.float64)[:, last]
    taken = np.cumsum(times, axis=1, dtype=np.float64)[:, last]
    # Before anything is taken in there is no precision; its recall step is nothing.
    precision = np.divide(hits, taken, out=np.zeros_like(hits), where=taken > 0)
    recall = np.divide(hits, total[:, None], out=np.zeros_like(hits), where=total[:, None] > 0)
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    if rule == "11-point":
        padded = np.concatenate([best, np.zeros((len(best), 1))], axis=1)
        reached = (recall[:, :, None] < np.arange(11) / 10 - _SLACK).sum(axis=1)
        value = np.take_along_axis(padded, reached, axis=1).mean(axis=1)
    else:
        steps = np.diff(recall, axis=1, prepend=0.0)
        value = (steps * (precision if rule == "step" else best)).sum(axis=1)
    return np.asarray(np.where(total > 0, value * 100, np.nan), dtype=np.float64)


def mean_present(values: npt.ArrayLike) -> float:
    """Average over the values that are not NaN; NaN where all are."""
    array = np.asarray(values, dtype=np.float64)
    present = array[~np.isnan(array)]
    return float(present.mean()) if present.size else float("nan")


def mean_present_in_rows(values_BK: Float64Array) -> Float64Array:
    """`mean_present` of every row: [B]."""
    present = ~np.isnan(values_BK)
    number = present.sum(axis=1)
    sums = np.where(present, values_BK, 0.0).sum(axis=1)
    means: Float64Array = np.divide(sums, number, out=np.full(len(sums), np.nan), where=number > 0)
    return means


def present_by_name(names: Iterable[str], values: Iterable[float]) -> dict[str, float]:
    """Pair names with figures; those that are no numbers are left out."""
    return {name: float(value) for name, value in zip(names, values, strict=True) if value == value}

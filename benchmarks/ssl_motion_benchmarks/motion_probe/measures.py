"""How well a predicted flow is the motion of an articulated figure; the equations stand in protocol.md."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from ssl_motion.data.sample import BoolArray, Float32Array
from ssl_motion.per_image.averages import PerImageAverages
from ssl_motion.puppets.exact import Float64Array
from ssl_motion_benchmarks.motion_probe.queries import Query

QUARTERS = ("0-25 %", "25-50 %", "50-75 %", "75-100 %")
"""Of the way from the joint to the arrow's foot."""

METRICS = ("rigidity", "separation", "kinematic_error", "kinematic_cosine", "fixed_motion")

Int64Array = npt.NDArray[np.int64]


def auc(
    inside: Float64Array, outside: Float64Array, rings: tuple[Int64Array, Int64Array] | None = None
) -> float | None:
    """Chance, in percent, that a score drawn from one set is above one of another; ties count half.

    It is the area under the ROC curve of the score as a test of membership.

    Args:
        inside: [N], scores of the one set.
        outside: [M], of the other.
        rings: [N] and [M], numbers from 0: a pair counts where both are of one ring; None lets every pair count.

    Returns:
        None where no pair counts.
    """
    scores = np.concatenate([inside, outside])
    ring = np.zeros(scores.size, np.int64) if rings is None else np.concatenate(rings)
    total = np.bincount(ring)
    own = np.bincount(ring[: inside.size], minlength=total.size)
    pairs = int((own * (total - own)).sum())
    if not pairs:
        return None
    # Ranks within each ring: all are ranked at once, one ring above the other.
    ranks = rankdata(scores + ring * (np.ptp(scores) + 1)) - (np.cumsum(total) - total)[ring]
    above = ranks[: inside.size].sum() - 0.5 * (own * (own + 1)).sum()
    return float(above / pairs * 100)


def measure(query: Query, flow_HW2: Float32Array) -> dict[str, float]:
    """Measure one prediction.

    Args:
        query: what was asked.
        flow_HW2: what was predicted, in pixels of the image.

    Returns:
        The metrics, and further figures as "METRIC: WHAT". What a query has no answer to is left out.
    """
    ((x, y, *arrow),) = query.guidance.arrows
    vector = np.array(arrow)
    length = float(np.linalg.norm(vector))
    flow = flow_HW2.astype(np.float64)
    speed = np.linalg.norm(flow, axis=-1)
    error = np.linalg.norm(flow - query.truth, axis=-1) / length
    outside = {
        "the rest of the figure": query.rest,
        "other figures": query.others,
        "what is fixed": query.fixed & ~query.rest,
    }
    rings = _rings(query.group.shape, x, y)
    areas, matched = {}, {}
    for what, where in outside.items():
        if where.any():
            areas[what] = auc(speed[query.group], speed[where])
            matched[what] = auc(speed[query.group], speed[where], (rings[query.group], rings[where]))
    # Pixels that move and those that stay weigh the same, however many there are.
    errors = [float(error[where].mean()) for where in (query.moving, query.rest) if where.any()]
    found = {
        **_mean("rigidity", matched),
        **_mean("separation", areas),
        "kinematic_error": float(np.mean(errors)),
        "kinematic_cosine": _cosine(flow, query.truth, query.moving | query.rest),
        "fixed_motion": float(speed[query.fixed].mean() / length),
        "response": float(flow[int(y), int(x)] @ vector / length**2),
    }
    found = {**found, **{f"{name}: {query.kind}": value for name, value in found.items()}}
    for name, values in (("rigidity", matched), ("separation", areas)):
        found.update({f"{name}: against {what}": value for what, value in values.items() if value is not None})
    if query.kind == "turn":
        found.update(_fading(query.reach, query.moving, speed / length))
    return found


def _rings(shape: tuple[int, ...], x: float, y: float) -> Int64Array:
    """Squared distance of every pixel from the arrow's foot, which is a pixel: whole numbers, [H, W]."""
    rows, columns = np.indices(shape)
    rings: Int64Array = (columns - int(x)) ** 2 + (rows - int(y)) ** 2
    return rings


def _mean(name: str, values: Mapping[str, float | None]) -> dict[str, float]:
    """Average what there is; empty where there is nothing."""
    there = [value for value in values.values() if value is not None]
    return {name: float(np.mean(there))} if there else {}


def _cosine(flow: Float64Array, truth: Float64Array, where: BoolArray) -> float:
    """Cosine between two fields, each taken as one long vector over a region; 0 where nothing is predicted to move."""
    one, other = flow[where].ravel(), truth[where].ravel()
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / lengths if lengths > 0 else 0.0


def _fading(reach: Float64Array, moving: BoolArray, response: Float64Array) -> dict[str, float]:
    """Mean response of what turns, by the distance from the joint; in truth it is that distance itself."""
    found = {}
    for number, name in enumerate(QUARTERS):
        where = moving & (reach >= number / 4) & (reach < (number + 1) / 4)
        if where.any():
            found[f"response by distance from the joint: {name}"] = float(response[where].mean())
    return found


def averages(names: Sequence[str], measured: Sequence[Sequence[Mapping[str, float]]]) -> PerImageAverages:
    """Average every figure over the queries of each image.

    Args:
        names: of the images.
        measured: for each image, what `measure` found of each query.
    """
    figures = dict.fromkeys(figure for queries in measured for query in queries for figure in query)
    return PerImageAverages(
        list(names),
        {
            figure: np.array(
                [
                    np.mean(values) if (values := [query[figure] for query in queries if figure in query]) else np.nan
                    for queries in measured
                ]
            )
            for figure in sorted(figures)
        },
    )


def details(kept: PerImageAverages) -> dict[str, dict[str, float]]:
    """Average the further figures over the images, by group."""
    groups: dict[str, dict[str, float]] = {}
    for figure in kept.averages:
        group, _, what = figure.partition(": ")
        if what:
            groups.setdefault(group, {})[what] = kept.mean(figure)
    return groups

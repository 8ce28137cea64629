"""How well a predicted flow is the motion of an articulated figure; the equations stand in protocol.md."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import rankdata

from ssl_motion.data.sample import BoolArray, Float32Array
from ssl_motion.per_image.averages import PerImageAverages
from ssl_motion.puppets.exact import Float64Array
from ssl_motion_benchmarks.motion_probe.queries import Query

QUARTERS = ("0-25 %", "25-50 %", "50-75 %", "75-100 %")
"""Of the way from the joint to the arrow's foot."""

METRICS = ("rigidity", "kinematic_error", "kinematic_cosine", "fixed_motion")


def auc(inside: Float64Array, outside: Float64Array) -> float:
    """Chance, in percent, that a score drawn from one set is above one of another; ties count half.

    It is the area under the ROC curve of the score as a test of membership.
    """
    ranks = rankdata(np.concatenate([inside, outside]))
    above = ranks[: inside.size].sum() - 0.5 * inside.size * (inside.size + 1)
    return float(above / (inside.size * outside.size) * 100)


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
    areas = {what: auc(speed[query.group], speed[where]) for what, where in outside.items() if where.any()}
    # Pixels that move and those that stay weigh the same, however many there are.
    errors = [float(error[where].mean()) for where in (query.moving, query.rest) if where.any()]
    found = {
        "rigidity": float(np.mean(list(areas.values()))),
        "kinematic_error": float(np.mean(errors)),
        "kinematic_cosine": _cosine(flow, query.truth, query.moving | query.rest),
        "fixed_motion": float(speed[query.fixed].mean() / length),
        "response": float(flow[int(y), int(x)] @ vector / length**2),
    }
    found = {**found, **{f"{name}: {query.kind}": value for name, value in found.items()}}
    found.update({f"rigidity: against {what}": value for what, value in areas.items()})
    if query.kind == "turn":
        found.update(_fading(query.reach, query.moving, speed / length))
    return found


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

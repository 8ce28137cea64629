"""Curves of kind "scatter": does what was measured along x go with what is measured along y?"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ssl_motion.curves import CurveSpec, place
from ssl_motion.record import ResultRecord
from ssl_motion_reports.curves.places import metric_of
from ssl_motion_reports.curves.shapes import Curve, Line, Panel
from ssl_motion_reports.formatting import number
from ssl_motion_reports.statistics.correlation import Cluster, Correlation, rank_correlation

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def correlations_of(lines: Sequence[Sequence[Sequence[ResultRecord]]], spec: CurveSpec) -> tuple[Correlation, ...]:
    """Correlate x with the metric over the runs of a panel, and within its groups (lines) where there are several.

    Args:
        lines: of each group its settings, of each setting its replicates.
        spec: says where x and the metric stand.
    """
    strata = [[_points(replicates, spec) for replicates in line] for line in lines]
    found = [rank_correlation([[cluster for stratum in strata for cluster in stratum]])]
    if len(strata) > 1:
        found.append(rank_correlation(strata))
    return tuple(each for each in found if each is not None)


def _points(replicates: Sequence[ResultRecord], spec: CurveSpec) -> Cluster:
    metrics = [(record, metric_of(record, spec)) for record in replicates]
    return [(float(place(record, spec.x)), metric.value) for record, metric in metrics if metric is not None]


def draw_points(axes: "Axes", line: Line, style: dict[str, Any]) -> None:
    """Draw the runs of a line."""
    axes.plot(
        [point.x for point in line.points],
        [point.mean for point in line.points],
        **style,
        markeredgecolor="white",
        markeredgewidth=0.7,
        clip_on=False,
        zorder=3,
    )


def correlation_words(panel: Panel) -> str:
    """Say the correlations of a panel in one line; empty where there are none."""
    said = [f"{'over all runs' if each.strata == 1 else 'within groups'} {_shown(each)}" for each in panel.correlations]
    return f"rank correlation {', '.join(said)}" if said else ""


def _shown(known: Correlation) -> str:
    if known.low is None or known.high is None:
        return number(known.estimate)
    return f"{number(known.estimate)} [{number(known.low)}, {number(known.high)}]"


def scatter_notes(curve: Curve) -> list[str]:
    """What stands below a scatter: what a point is, and whether x goes with y."""
    known = [each for panel in curve.panels for each in panel.correlations]
    words = ["Points: single runs."]
    if not known:
        return [*words, "There are too few runs for a correlation."]
    words.append("Above each panel: Spearman's rank correlation of what stands on its axes.")
    if any(each.low is not None for each in known):
        words.append(
            f"In brackets: {known[0].level:.0%} intervals by bootstrap over settings, whose seeds stay together."
        )
    if any(each.low is None for each in known):
        words.append("No interval: too few settings.")
    if any(each.strata > 1 for each in known):
        words.append("Within groups: runs are ranked among those with the same marker alone.")
    return [*words, *_verdict(known)]


def _verdict(known: Sequence[Correlation]) -> list[str]:
    said = []
    for is_inside, where in ((False, "over all runs"), (True, "within groups")):
        tested = [each for each in known if (each.strata > 1) == is_inside and each.low is not None]
        if tested:
            up = sum(each.is_resolved and each.estimate > 0 for each in tested)
            down = sum(each.is_resolved and each.estimate < 0 for each in tested)
            panels = f"{len(tested)} panel{'s' if len(tested) > 1 else ''}"
            said.append(f"{where} the interval lies above 0 in {up} of {panels} and below it in {down}")
    return [f"In sum, {'; '.join(said)}."] if said else []

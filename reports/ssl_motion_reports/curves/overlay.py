"""The paper's own points beside a curve: what is known of them, and how it is drawn without claiming a comparison.

Points of the same task at full scale share the axis. All others were measured on another task: they get an axis of
their own at the right, with as many units an inch as the left one, so that slopes can be compared and heights cannot.
"""

from typing import TYPE_CHECKING, Any

from ssl_motion_reports.curves.places import value_text
from ssl_motion_reports.curves.shapes import Curve, Panel
from ssl_motion_reports.formatting import number, plain
from ssl_motion_reports.picture import FAINT
from ssl_motion_reports.published.curves import PublishedCurve, PublishedPoint

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STAR: dict[str, Any] = {
    "marker": "*",
    "color": "#000000",
    "markerfacecolor": "white",
    "markersize": 11,
    "markeredgewidth": 1.0,
}


def draw_published(axes: "Axes", panel: Panel, curve: Curve) -> None:
    """Draw what is known of the paper's curve into a panel."""
    published = curve.published
    assert published is not None
    points = [(x, point.y) for point in published.of_kind("point") if (x := _place(point, curve)) is not None]
    best = [x for point in published.of_kind("best") if (x := _place(point, curve)) is not None]
    for x in best:
        # On the axis, since its height is not known.
        axes.plot(x, 0.02, transform=axes.get_xaxis_transform(), clip_on=False, zorder=5, **STAR)
    if not points:
        return
    beside = axes if shares_axis(panel, published) else axes.twinx()
    beside.plot(*zip(*points, strict=True), linestyle=(0, (1, 1.5)), linewidth=1.0, zorder=5, **STAR)
    if beside is not axes:
        low, high = axes.get_ylim()
        values = [y for _, y in points if y is not None]
        span = max(high - low, 1.25 * (max(values) - min(values)))
        axes.set_ylim((low + high - span) / 2, (low + high + span) / 2)
        centre = (max(values) + min(values)) / 2
        beside.set_ylim(centre - span / 2, centre + span / 2)
        beside.set_ylabel(plain(f"paper: {published.metric} ({published.unit})"), color=FAINT, fontsize=8)
        beside.tick_params(color=FAINT, labelcolor=FAINT, labelsize=7.5)
        for side in ("top", "left", "bottom"):
            beside.spines[side].set_visible(False)
        beside.spines["right"].set_color(FAINT)
        beside.spines["right"].set_linestyle((0, (1, 1.5)))


def shares_axis(panel: Panel, published: PublishedCurve) -> bool:
    """Whether a panel measures what the paper measured: the same task at full scale, by the same metric."""
    same_metric = (panel.metric.name, panel.metric.unit) == (published.metric, published.unit)
    return panel.scale == "full" and panel.task == published.task and same_metric


def _place(point: PublishedPoint, curve: Curve) -> float | None:
    """Where a published point stands on the x axis; None where the axis has no such place."""
    if curve.categories:
        text = value_text(point.x)
        return float(curve.categories.index(text)) if text in curve.categories else None
    is_shown = isinstance(point.x, int | float) and (curve.spec.x_scale != "log2" or point.x > 0)
    return float(point.x) if is_shown else None


def published_words(curve: Curve) -> str:
    """Say of the paper's curve what is known, and how it is drawn."""
    published = curve.published
    assert published is not None
    shown = [point for point in published.of_kind("point") if _place(point, curve) is not None]
    words = [f"Paper ({published.publication}, {published.figure}):"]
    words += [f"{point.statement}." for point in published.of_kind("remark")]
    if shown:
        values = ", ".join(f"{number(float(point.y or 0), measured=False)} at {value_text(point.x)}" for point in shown)
        words.append(f"Stars: {values}, the only points that are known.")
        if not all(shares_axis(panel, published) for panel in curve.panels):
            words.append(
                f"They are {published.metric} on another task, on the right axis, which has as many units an inch as "
                "the left one: compare slopes, not heights."
            )
    elif any(_place(point, curve) is not None for point in published.of_kind("best")):
        words.append("Star on the x axis: the paper's best; its height is not known.")
    return " ".join(words)

"""Bars of every class of a comparison."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ssl_motion_reports.compare.canvas import ONE, OTHER, sheet
from ssl_motion_reports.compare.differences import Comparison, Difference
from ssl_motion_reports.formatting import number, plain
from ssl_motion_reports.picture import FAINT, INK, LINE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_classes(comparison: Comparison, stem: Path, dpi: int = 160) -> list[Path]:
    """Draw bars of every class: the first group of details.

    Returns:
        The PNG and the SVG; empty where there are no classes, and then those of an earlier report are removed.
    """
    files = [stem.with_name(stem.name + suffix) for suffix in (".png", ".svg")]
    if not comparison.classes:
        for file in files:
            file.unlink(missing_ok=True)
        return []
    group, rows = next(iter(comparison.classes.items()))
    rows = tuple(sorted(rows, key=lambda row: -row.value))
    width, height = 8.6, 1.55 + 0.36 * len(rows)
    title = f"{group} by class, {comparison.title.lower()}"
    with sheet(comparison, title, width, height, files, dpi) as figure:
        box = (1.75 / width, 0.55 / height, (width - 3.6) / width, (height - 1.5) / height)
        _bars(figure.add_axes(box), rows, group)
        _key(figure, comparison, (0.2 / width, 1 - 0.72 / height))
    return files


def _bars(axes: "Axes", rows: Sequence[Difference], group: str) -> None:
    places = np.arange(len(rows))[::-1]
    axes.barh(places + 0.2, [row.one for row in rows], height=0.36, color=ONE, edgecolor=INK, linewidth=0.6)
    axes.barh(
        places - 0.2, [row.other for row in rows], height=0.36, color=OTHER, edgecolor=INK, linewidth=0.6, hatch="////"
    )
    for place, row in zip(places, rows, strict=True):
        own = row.interval
        text = f"{row.value:+.2f}" + (f"  [{number(own.low)}, {number(own.high)}]" if own else "")
        axes.annotate(
            text, (1, float(place)), (8, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
            va="center", ha="left", color=INK, fontsize=8.5,
        )  # fmt: skip
    known = [row.interval for row in rows if row.interval is not None]
    head = "difference" + (f"  [{known[0].level:.0%} over {' and '.join(known[0].sources)}]" if known else "")
    axes.annotate(
        head, (1, 1), (8, 3), xycoords="axes fraction", textcoords="offset points", va="bottom", ha="left",
        color=FAINT, fontsize=7.5,
    )  # fmt: skip
    axes.set_yticks(places, [plain(row.name)[:24] for row in rows], fontsize=9, color=INK)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlabel(plain(group), color=FAINT, fontsize=9)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", color=LINE, labelcolor=FAINT, labelsize=8.5)
    axes.set_axisbelow(True)
    axes.grid(axis="x", color=LINE, linewidth=0.6)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(LINE)


def _key(figure: "Figure", comparison: Comparison, at: tuple[float, float]) -> None:
    from matplotlib.patches import Patch

    seeds = [len(side.records) for side in (comparison.one, comparison.other)]
    labels = [
        f"{plain(side.label)} (mean of {count} seed{'s' if count > 1 else ''})"
        for side, count in zip((comparison.one, comparison.other), seeds, strict=True)
    ]
    handles = [
        Patch(facecolor=ONE, edgecolor=INK, linewidth=0.6, label=labels[0]),
        Patch(facecolor=OTHER, edgecolor=INK, linewidth=0.6, hatch="////", label=labels[1]),
    ]
    figure.legend(
        handles=handles, loc="center left", bbox_to_anchor=at, frameon=False, ncols=2, fontsize=8.5, borderpad=0,
        borderaxespad=0,
    )  # fmt: skip

"""Cost against accuracy: what each pretraining took in time, and what it gave, as a picture."""

import io
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ssl_motion.fileio import write_atomically
from ssl_motion_reports.formatting import plain
from ssl_motion_reports.picture import FAINT, INK, LINE, subtitle_of, title_of
from ssl_motion_reports.shapes import Board, Entry, Group
from ssl_motion_reports.texts import heading

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANEL_INCHES = (5.6, 4.5)
# More panels than this make no picture; the tables have them all.
MOST = 8
# More entries than this have no room for their names: their ranks stand in for them.
NAMED = 16
# Where a label may stand, in points from its point; the nearest free place is taken.
_RADII, _DIRECTIONS = (9, 16, 26, 40, 56, 76, 100), 16
_ANGLES = 2 * np.pi * np.arange(_DIRECTIONS) / _DIRECTIONS
_STEPS = tuple(step / 12 for step in range(1, 13))


def draw_costs(board: Board, stem: Path, dpi: int = 160) -> list[Path]:
    """Draw one panel for each group with own results whose pretraining was timed.

    Args:
        board: what to draw.
        stem: files to write, without suffix; the same board gives the same bytes with the same matplotlib.
        dpi: pixels per inch of the PNG.

    Returns:
        The PNG and the SVG; empty where there is nothing to draw.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.style import context

    timed = [(group, _timed(group)) for group in board.groups if _timed(group)]
    panels = timed[:MOST]
    files = [stem.with_suffix(suffix) for suffix in (".png", ".svg")]
    if not panels:
        return []
    columns = min(2, len(panels))
    rows = math.ceil(len(panels) / columns)
    style = {"font.family": "DejaVu Sans", "text.parse_math": False, "svg.hashsalt": "ssl-motion"}
    with context(["default", style]):
        figure = Figure(figsize=(PANEL_INCHES[0] * columns, PANEL_INCHES[1] * rows), facecolor="white")
        FigureCanvasAgg(figure)
        for place, (group, entries) in enumerate(panels):
            row, column = divmod(place, columns)
            width, height = 1 / columns, 1 / rows
            box = (column * width + 0.125 * width, 1 - (row + 0.855) * height, 0.83 * width, 0.64 * height)
            _panel(figure.add_axes(box), group, entries)
        for axes, (group, entries) in zip(figure.axes, panels, strict=True):
            axes.get_ylim()  # fixes where points lie in pixels, which else only drawing does
            _label(axes, entries, group.primary)
        if len(panels) < len(timed):
            note = f"The first {len(panels)} of {len(timed)} protocols; the tables have all."
            figure.text(0.5, 0.004, note, ha="center", va="bottom", color=FAINT, fontsize=9)
        for file, metadata in zip(files, ({"Software": None}, {"Date": None, "Creator": None}), strict=True):
            content = io.BytesIO()
            figure.savefig(content, dpi=dpi, format=file.suffix[1:], metadata=metadata)
            _write(file, content.getvalue())
    return files


def _write(file: Path, content: bytes) -> None:
    write_atomically(file, lambda out: out.write(content) and None)


def _timed(group: Group) -> list[Entry]:
    return [
        entry
        for entry in group.entries
        if entry.origin == "reproduced" and entry.pretraining_seconds and group.primary in entry.values
    ]


def _panel(axes: "Axes", group: Group, entries: list[Entry]) -> None:
    metric = next(each for each in group.metrics if each.name == group.primary)
    # All of one look at once, which takes a fraction of the time. Hollow, not another colour, so that a print in grey
    # reads the same.
    for hollow in (True, False):
        part = [entry for entry in entries if (entry.versus_random == "not told apart") == hollow]
        if not part:
            continue
        values = [entry.values[group.primary] for entry in part]
        means, spreads = [each.mean for each in values], [math.nan if each.std is None else each.std for each in values]
        axes.errorbar(
            [entry.pretraining_seconds or 0.0 for entry in part], means, spreads,
            fmt="D", color=INK, mfc="white" if hollow else INK, ms=6, elinewidth=1.4, zorder=3,
        )  # fmt: skip
    for base in (entry for entry in group.entries if entry.method == "random" and group.primary in entry.values):
        value = base.values[group.primary]
        axes.axhline(value.mean, color=FAINT, linewidth=1.2, linestyle="--", zorder=1)
        if value.std is not None:
            axes.axhspan(value.mean - value.std, value.mean + value.std, color=LINE, alpha=0.45, linewidth=0, zorder=0)
        axes.annotate(
            "random", (1, value.mean), (-4, 3), xycoords=("axes fraction", "data"), textcoords="offset points",
            ha="right", va="bottom", color=FAINT, fontsize=8.5,
        )  # fmt: skip
    _scale(axes, [entry.pretraining_seconds or 0.0 for entry in entries])
    axes.set_xlabel("pretraining, seconds", color=FAINT, fontsize=9)
    axes.set_ylabel(plain(heading(metric)), color=FAINT, fontsize=9)
    axes.tick_params(color=LINE, labelcolor=FAINT, labelsize=8.5, which="both")
    axes.margins(y=0.15)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("bottom", "left"):
        axes.spines[side].set_color(LINE)
    subtitle = subtitle_of(group, entries)
    hollow = any(entry.versus_random == "not told apart" for entry in entries)
    key = "mean and standard deviation over seeds" + ("; hollow: not told apart from random" if hollow else "")
    if _is_crowd(entries):
        key += "; numbers: ranks of the leaderboard"
    for height, text, size, colour in (
        (1.2, title_of(group), 10.5, INK),
        (1.12, subtitle, 8, FAINT),
        (1.05, key, 8, FAINT),
    ):
        weight = "bold" if colour == INK else "normal"
        # About 88 characters fit a panel at 8 points, and 60 bold ones at 10.5.
        fitting = size * min(1.0, (60 if colour == INK else 88) / len(text))
        axes.text(-0.09, height, text, transform=axes.transAxes, fontsize=fitting, color=colour, fontweight=weight)


def _scale(axes: "Axes", seconds: list[float]) -> None:
    """A logarithmic axis with room for labels, and ticks that read as numbers however short it is."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xscale("log")
    low, high = min(seconds), max(seconds)
    # A third of a decade at least, so that noise in the time does not look like a difference.
    room = max(10 ** (1 / 6), (high / low) ** 0.35)
    axes.set_xlim(low / room, high * room)
    wide = high * room / (low / room) >= 30
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if wide else (1, 1.5, 2, 3, 4, 5, 6, 8)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


Boxes = npt.NDArray[np.float64]
"""Left, low, right and high end in pixels, [N, 4]: thousands are tried, for which matplotlib's own are slow."""


def _label(axes: "Axes", entries: list[Entry], metric: str) -> None:
    """Write each entry's name beside its point, where it covers neither a point, a spread, nor another name."""
    points = [(entry.pretraining_seconds or 0.0, entry.values[metric].mean) for entry in entries]
    taken = []
    for entry, point in zip(entries, points, strict=True):
        value = entry.values[metric]
        ends = [axes.transData.transform((point[0], value.mean + sign * (value.std or 0.0))) for sign in (-1, 1)]
        taken.append((*(ends[0] - 6), *(ends[1] + 6)))
    taken += [text.get_window_extent().extents for text in axes.texts]
    taken += [line.get_window_extent().padded(2).extents for line in axes.lines if line.get_linestyle() == "--"]
    boxes = np.array(taken, dtype=np.float64)
    leads = []
    for entry, point in zip(entries, points, strict=True):
        name = str(entry.rank) if _is_crowd(entries) else plain(entry.label)
        covers, end = _place(axes, name, point, boxes)
        boxes = np.concatenate([boxes, covers])
        if end is not None:
            leads.append((point, end))
    _draw_leads(axes, leads)


def _is_crowd(entries: list[Entry]) -> bool:
    return len(entries) > NAMED and all(entry.rank is not None for entry in entries)


def _place(
    axes: "Axes", name: str, point: tuple[float, float], taken: Boxes
) -> tuple[Boxes, tuple[float, float] | None]:
    """Put a name to the nearest free place.

    Returns:
        What the name and the line to it cover, and where that line ends, in points from its point; None where the name
        is near enough for none.
    """
    frame = np.array([axes.get_window_extent().extents])
    begin = axes.transData.transform(point)
    words = _words(axes, name, begin)
    in_the_way = taken[~((taken[:, :2] <= begin) & (begin <= taken[:, 2:])).all(axis=1)]
    pixels = axes.figure.dpi / 72
    best: tuple[float, int, tuple[float, float], str, Boxes] | None = None
    for radius in _RADII:
        # All directions at once: hundreds of names are placed.
        ways = radius * np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
        sides = ["left" if x > 3 else "right" if x < -3 else "center" for x in ways[:, 0]]
        boxes = np.stack([words[side] for side in sides]) + np.tile(ways * pixels, 2)
        # Covered words are worse than crossed lines, and these worse than distance.
        covered = 50 * _overlaps(boxes, taken)
        covered += 50 * ((boxes[:, 2:] - boxes[:, :2]).prod(axis=1) - _overlaps(boxes, frame))
        lines = [_line(begin, way * pixels) if radius > 12 else np.empty((0, 4)) for way in ways]
        crossed = np.array([_overlaps(line, in_the_way).sum() for line in lines])
        free = (covered <= 1e-3) & (crossed == 0)
        last = int(free.argmax()) if free.any() else _DIRECTIONS - 1
        cost = covered[: last + 1] + crossed[: last + 1] + radius
        place = int(cost.round(6).argmin())
        if best is None or cost[place] < best[0] - 1e-6:
            x, y = map(float, ways[place])
            best = (float(cost[place]), radius, (x, y), sides[place], np.concatenate([boxes[[place]], lines[place]]))
        if free.any():
            break
    assert best is not None
    _, radius, offset, side, covers = best
    axes.annotate(
        name, point, offset, textcoords="offset points", ha=side, va="center", color=INK, fontsize=8.5, zorder=4
    )
    if radius <= 12:
        return covers, None
    x, y = offset
    # Under or above its point a name is centred: the line would end in the middle of the words.
    return covers, (x, y - math.copysign(6, y) if side == "center" else y)


def _draw_leads(axes: "Axes", leads: list[tuple[tuple[float, float], tuple[float, float]]]) -> None:
    """Draw lines from points to their names, all at once: matplotlib's arrows, cut where words begin, take long.

    Args:
        axes: to draw into.
        leads: points, and the end of each one's line, in points (of 1/72 inch) from it.
    """
    from matplotlib.collections import LineCollection

    ends = np.array([end for _, end in leads]).reshape(-1, 2)
    begins = ends * 4 / np.hypot(*ends.T)[:, None]
    lines = LineCollection(
        list(np.stack([begins, ends], axis=1) / 72), colors=FAINT, linewidths=0.7, zorder=4, clip_on=False,
        offsets=[point for point, _ in leads], offset_transform=axes.transData,
    )  # fmt: skip
    lines.set_transform(axes.figure.dpi_scale_trans)
    axes.add_artist(lines)


def _words(axes: "Axes", name: str, begin: npt.NDArray[np.float64]) -> dict[str, npt.NDArray[np.float64]]:
    """What a name covers that stands on its point, by the side at which it is aligned: [4]."""
    text = axes.annotate(name, (0, 0), xycoords="figure pixels", ha="left", va="center", fontsize=8.5)
    left = text.get_window_extent().padded(1.5).extents + np.tile(begin, 2)
    width = text.get_window_extent().width
    text.remove()
    return {side: left - [shift, 0, shift, 0] for side, shift in (("left", 0), ("center", width / 2), ("right", width))}


def _line(begin: npt.NDArray[np.float64], way: npt.NDArray[np.float64]) -> Boxes:
    """Small boxes along the line from a point to its name."""
    places = begin + np.array(_STEPS)[:, None] * way
    return np.concatenate([places - 1.5, places + 1.5], axis=1)


def _overlaps(ones: Boxes, others: Boxes) -> npt.NDArray[np.float64]:
    """Area that each box shares with others, summed over these: [N]."""
    width = np.minimum(ones[:, None, 2], others[None, :, 2]) - np.maximum(ones[:, None, 0], others[None, :, 0])
    height = np.minimum(ones[:, None, 3], others[None, :, 3]) - np.maximum(ones[:, None, 1], others[None, :, 1])
    area: npt.NDArray[np.float64] = (width.clip(min=0) * height.clip(min=0)).sum(axis=1)
    return area

"""Curves as pictures: one panel a protocol, lines told apart by marker and dashes as well as by colour."""

import io
import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssl_motion.fileio import write_atomically
from ssl_motion_reports.curves.overlay import draw_published, published_words
from ssl_motion_reports.curves.scatter import correlation_words, draw_points, scatter_notes
from ssl_motion_reports.curves.shapes import Curve, Line, Panel
from ssl_motion_reports.formatting import plain
from ssl_motion_reports.picture import FAINT, INK, LINE
from ssl_motion_reports.texts import heading

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL_INCHES = (4.3, 3.1)
COLUMNS = 3
# Colours that are told apart with every common colour blindness (Okabe and Ito, 2008), dark ones first.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.6)), (0, (1.2, 1.4)), (0, (6, 1.5, 1.2, 1.5)), (0, (3, 1, 1, 1, 1, 1)))
REFERENCE_DASHES: tuple[Any, ...] = ((0, (4, 3)), (0, (1, 2)), (0, (8, 2, 1, 2)), (0, (10, 4)), (0, (4, 1, 1, 1, 1, 1)))
_SMALL = 8.0
# Of that size, in a line under the picture.
CHARACTERS_PER_INCH = 15.5
# Of the picture's title, and of names in the legend, the widest of letters apart.
_TITLE_CHARACTER, _NAME_CHARACTER = 0.122, 0.075
# Inches; of a name of several lines the further ones stand closer.
_TITLE_LINE, _LEGEND_ROW, _LEGEND_LINE = 0.23, 0.24, 0.145
# What stands before a name in the legend, with the room beside it.
_HANDLE = 0.75
# Points that lines of one panel stand apart, so that bars at one x do not cover each other.
_APART = 3.5


def draw_curve(curve: Curve, stem: Path, dpi: int = 160) -> list[Path]:
    """Draw a curve.

    Args:
        curve: what to draw.
        stem: files to write, without suffix; the same curve gives the same bytes with the same matplotlib.
        dpi: pixels per inch of the PNG.

    Returns:
        The PNG and the SVG; empty where there is nothing to draw, and then those of an earlier report are removed.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.style import context

    files = [stem.with_name(stem.name + suffix) for suffix in (".png", ".svg")]
    if not curve.panels:
        for file in files:
            file.unlink(missing_ok=True)
        return []
    columns = min(COLUMNS, len(curve.panels))
    rows = math.ceil(len(curve.panels) / columns)
    styles = _styles(curve)
    with context(["default", {"font.family": "DejaVu Sans", "text.parse_math": False, "svg.hashsalt": "ssl-motion"}]):
        width = PANEL_INCHES[0] * columns
        notes = _notes(curve, width)
        names = {key: _wrapped_name(key[0], width) for key in styles}
        legend_columns = _legend_columns(list(names.values()), width)
        title = textwrap.wrap(plain(curve.spec.title), int((width - 0.4) / _TITLE_CHARACTER))
        above = 0.45 + _TITLE_LINE * (len(title) - 1)
        below = 0.22 + 0.19 * len(notes) + _legend_inches(list(names.values()), legend_columns)
        cell = PANEL_INCHES[1] + (0.62 if curve.spec.kind == "scatter" else 0.4)
        height = rows * cell + above + below
        figure = Figure(figsize=(width, height), facecolor="white")
        FigureCanvasAgg(figure)
        for place, panel in enumerate(curve.panels):
            row, column = divmod(place, columns)
            # Margins in inches, so that pictures with one and with many panels look alike.
            left, bottom = column * PANEL_INCHES[0] + 0.72, height - above - (row + 1) * cell + 0.55
            box = (left / width, bottom / height, (PANEL_INCHES[0] - 1.42) / width, (PANEL_INCHES[1] - 0.62) / height)
            _panel(figure.add_axes(box), panel, curve, styles)
        for number, text in enumerate(title):
            place_y = 1 - (0.3 + _TITLE_LINE * number) / height
            figure.text(0.2 / width, place_y, text, fontsize=13, fontweight="bold", color=INK)
        handles = [(names[key], style) for key, style in styles.items() if key[0]]
        _legend(figure, handles, legend_columns, (0.2 / width, (0.12 + 0.19 * len(notes)) / height))
        for number, note in enumerate(reversed(notes)):
            figure.text(0.2 / width, (0.12 + 0.19 * number) / height, note, fontsize=_SMALL, color=FAINT)
        for file, metadata in zip(files, ({"Software": None}, {"Date": None, "Creator": None}), strict=True):
            _save(figure, file, dpi, metadata)
    return files


def _save(figure: "Figure", file: Path, dpi: int, metadata: dict[str, None]) -> None:
    content = io.BytesIO()
    figure.savefig(content, dpi=dpi, format=file.suffix[1:], metadata=metadata)
    write_atomically(file, lambda out: out.write(content.getvalue()) and None)


def _styles(curve: Curve) -> dict[tuple[str, bool], dict[str, Any]]:
    """Style of each line, by its label and whether it is a reference; the same in every panel."""
    keys = list(dict.fromkeys((line.label, line.is_reference) for panel in curve.panels for line in panel.lines))
    styles: dict[tuple[str, bool], dict[str, Any]] = {}
    for place, key in enumerate(key for key in keys if not key[1]):
        styles[key] = {
            "color": COLOURS[place % len(COLOURS)],
            "marker": MARKERS[place % len(MARKERS)],
            "linestyle": DASHES[place % len(DASHES)] if curve.is_joined else "none",
            "linewidth": 1.6,
            "markersize": 6,
        }
    for place, key in enumerate(key for key in keys if key[1]):
        dashes = REFERENCE_DASHES[place % len(REFERENCE_DASHES)]
        styles[key] = {"color": FAINT, "linestyle": dashes, "linewidth": 1.3}
    return styles


def _panel(axes: "Axes", panel: Panel, curve: Curve, styles: dict[tuple[str, bool], dict[str, Any]]) -> None:
    lines = [line for line in panel.lines if not line.is_reference]
    is_scatter = curve.spec.kind == "scatter"
    for place, line in enumerate(lines):
        if is_scatter:
            draw_points(axes, line, styles[line.label, False])
        else:
            _line(axes, line, styles[line.label, False], _APART * (place - (len(lines) - 1) / 2))
    for line in panel.lines:
        if line.is_reference:
            _level(axes, line, styles[line.label, True])
    _x_axis(axes, panel, curve)
    axes.set_ylabel(plain(heading(panel.metric)), color=FAINT, fontsize=9)
    axes.margins(y=0.12)
    axes.tick_params(color=LINE, labelcolor=FAINT, labelsize=_SMALL, which="both")
    axes.grid(axis="y", color=LINE, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("bottom", "left"):
        axes.spines[side].set_color(LINE)
    above: dict[str, Any] = {"transform": axes.transAxes, "ha": "left", "va": "baseline"}
    under = [plain(panel.detail), *([plain(correlation_words(panel))] if panel.correlations else [])]
    title = plain(panel.title)
    top = 1.05 + 0.08 * len(under)
    axes.text(-0.16, top, title, fontsize=10 * min(1.0, 44 / len(title)), fontweight="bold", color=INK, **above)
    for row, text in enumerate(under, start=1):
        size = _SMALL * min(1.0, 64 / len(text))
        axes.text(-0.16, top - 0.08 * row, text, fontsize=size, color=FAINT, **above)
    if curve.published is not None:
        draw_published(axes, panel, curve)


def _line(axes: "Axes", line: Line, style: dict[str, Any], aside: float) -> None:
    from matplotlib.transforms import ScaledTranslation

    colour = style["color"]
    places, means = [point.x for point in line.points], [point.mean for point in line.points]
    drawn = axes.plot(places, means, linestyle=style["linestyle"], lw=style["linewidth"], color=colour, zorder=3)
    for point in line.points:
        if point.interval is not None:
            ends = (point.interval.low, point.interval.high)
            drawn += axes.plot((point.x, point.x), ends, color=colour, lw=1.2, marker="_", ms=6, zorder=2)
        # Hollow, not another colour, where nothing is known of the spread.
        face = "white" if point.interval is None else colour
        drawn += axes.plot(
            point.x, point.mean, color=colour, marker=style["marker"], ms=style["markersize"], mfc=face, zorder=4
        )
    figure = axes.get_figure()
    assert figure is not None
    # Moved after plotting, so that the limits of the axes are those of the values.
    shifted = axes.transData + ScaledTranslation(aside / 72, 0, figure.dpi_scale_trans)
    for each in drawn:
        each.set_transform(shifted)
        each.set_clip_on(False)  # the shift may move a marker over the edge


def _level(axes: "Axes", line: Line, style: dict[str, Any]) -> None:
    (point,) = line.points
    axes.axhline(point.mean, **style, zorder=1)
    if point.interval is not None:
        axes.axhspan(point.interval.low, point.interval.high, color=LINE, alpha=0.4, linewidth=0, zorder=0)


def _x_axis(axes: "Axes", panel: Panel, curve: Curve) -> None:
    from matplotlib.ticker import FixedLocator, NullLocator

    label = plain(curve.spec.x_label)
    axes.set_xlabel(label, color=FAINT, fontsize=9 * min(1.0, 48 / len(label)))
    if curve.categories:
        axes.set_xticks(range(len(curve.categories)), [plain(text) for text in curve.categories])
        axes.set_xlim(-0.4, len(curve.categories) - 0.6)
        if max(map(len, curve.categories)) * len(curve.categories) > 44:
            axes.tick_params(axis="x", rotation=25)
    elif curve.spec.x_scale == "log2":
        axes.set_xscale("log", base=2)
        places = sorted({point.x: point.text for point in panel.points}.items())
        axes.xaxis.set_major_locator(FixedLocator([x for x, _ in places]))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticklabels([f"{x:g}" if x < 100_000 else f"{x / 1e6:g}M" for x, _ in places])
    else:
        axes.margins(x=0.06)


def _wrapped_name(label: str, width: float) -> list[str]:
    """A line's name, broken so that it fits into a picture of so many inches."""
    return textwrap.wrap(plain(label), int((width - 0.3 - _HANDLE) / _NAME_CHARACTER)) or [""]


def _legend_columns(names: Sequence[Sequence[str]], width: float) -> int:
    """How many names of lines stand side by side in so many inches."""
    longest = max((len(line) for name in names for line in name), default=0)
    return max(1, min(len(names), int((width - 0.3) / (_HANDLE + _NAME_CHARACTER * longest))))


def _legend_inches(names: Sequence[Sequence[str]], columns: int) -> float:
    """How high the legend is."""
    rows = math.ceil(len(names) / columns)
    heights = [_LEGEND_ROW + _LEGEND_LINE * (len(name) - 1) for name in names]
    return max((sum(heights[start : start + rows]) for start in range(0, len(names), rows or 1)), default=0.0)


def _legend(
    figure: "Figure", named: Sequence[tuple[Sequence[str], dict[str, Any]]], columns: int, at: tuple[float, float]
) -> None:
    from matplotlib.lines import Line2D

    if not named:
        return
    handles = [Line2D([], [], label="\n".join(name), **style) for name, style in named]
    figure.legend(
        handles=handles, loc="lower left", bbox_to_anchor=at, ncols=min(columns, len(handles)), frameon=False,
        fontsize=8.5, handlelength=3.4, labelcolor=INK, borderaxespad=0, borderpad=0,
    )  # fmt: skip


def _notes(curve: Curve, width: float) -> list[str]:
    """Lines under the picture, as long as it is wide."""
    points = [point for panel in curve.panels for line in panel.lines for point in line.points]
    counts = sorted({len(point.values) for point in points})
    known = [point.interval for point in points if point.interval is not None]
    if curve.spec.kind == "scatter":
        words = scatter_notes(curve)
    else:
        seeds = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        words = [f"Points: means over {seeds} seed{'s' if counts[-1] > 1 else ''}."]
    if known:
        over = " or ".join(sorted({" and ".join(interval.sources) for interval in known}, reverse=True))
        what = "Bands" if curve.spec.kind == "scatter" else "Bars and bands"
        words.append(f"{what}: {known[0].level:.0%} intervals of the mean over {over}.")
    if len(known) < len(points) and curve.spec.kind == "line":
        words.append("Hollow, or no band: one seed or one pretraining, so no interval.")
    if len(curve.panels) > 1:
        words.append("Each panel is a protocol of its own; heights are not comparable between panels.")
    if facts := sorted({fact for panel in curve.panels for fact in panel.along_x}):
        words.append(f"Along the x axis the protocol itself changes, in: {', '.join(facts)}.")
    words += [f"{remark[0].upper()}{remark[1:]}." for remark in curve.remarks]
    lines = textwrap.wrap(plain(" ".join(words)), int(width * CHARACTERS_PER_INCH))
    if curve.published is not None:
        lines += textwrap.wrap(plain(published_words(curve)), int(width * CHARACTERS_PER_INCH))
    return lines

"""A board's own results as a picture: every seed, the mean, and the spread.

Told apart by place and shape, not by colour, so that a print in grey reads the same.
"""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssl_motion.fileio import write_atomically
from ssl_motion_reports.formatting import PLUS_MINUS, amount, figure, plain
from ssl_motion_reports.published import task_title
from ssl_motion_reports.shapes import Board, Entry, Group
from ssl_motion_reports.texts import heading, letters

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH_INCHES = 8.6
ROW_INCHES = 0.52
# Title, axis and notes of one panel.
FRAME_INCHES = 1.75
# More rows or panels than this make no picture; the tables have them all.
MOST_ROWS, MOST_PANELS = 80, 12
# Characters of a row's name; more are cut.
LONGEST_NAME = 28
INK, FAINT, LINE, DOT = "#1b1f24", "#5a6472", "#d5dae1", "#6f9fd0"
WORLDS = {"still": "still camera", "weak_pan": "weak pan", "full_camera": "full camera motion"}


def draw(board: Board, path: Path, dpi: int = 160) -> bool:
    """Draw one panel for each group with own results; published rows are left out.

    Args:
        board: what to draw.
        path: PNG file to write; the same board gives the same bytes with the same matplotlib.
        dpi: pixels per inch (a width of `WIDTH_INCHES`).

    Returns:
        Whether there was anything to draw.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.style import context

    panels = [(group, _own(group)) for group in board.groups if group.reproduced]
    panels = [(group, lines) for group, lines in panels if lines]
    if not panels:
        return False
    groups, rows = len(panels), sum(len(lines) for _, lines in panels)
    panels = _first(panels)
    heights = [FRAME_INCHES + ROW_INCHES * len(lines) for _, lines in panels]
    with context(["default", {"font.family": "DejaVu Sans", "text.parse_math": False}]):
        figure_ = Figure(figsize=(WIDTH_INCHES, sum(heights)), facecolor="white")
        FigureCanvasAgg(figure_)
        top = sum(heights)
        for (group, lines), height in zip(panels, heights, strict=True):
            # Margins in inches, so that panels of different height look alike.
            left, right, above, below = _room(lines), 1.75, 0.95, 0.62
            place = (left, top - height + below, WIDTH_INCHES - left - right, height - above - below)
            total = sum(heights)
            box = (place[0] / WIDTH_INCHES, place[1] / total, place[2] / WIDTH_INCHES, place[3] / total)
            _panel(figure_.add_axes(box), group, lines, place)
            top -= height
        if (drawn := sum(len(lines) for _, lines in panels)) < rows:
            note = f"{drawn} of {rows} rows, {len(panels)} of {groups} protocols; the tables have all."
            figure_.text(0.5, 0.05 / sum(heights), note, ha="center", va="bottom", color=FAINT, fontsize=9)
        content = io.BytesIO()
        # Without its version, matplotlib writes nothing that changes from run to run.
        figure_.savefig(content, dpi=dpi, format="png", metadata={"Software": None})
    write_atomically(path, lambda file: file.write(content.getvalue()) and None)
    return True


def _first(panels: list[tuple[Group, list[Entry]]]) -> list[tuple[Group, list[Entry]]]:
    """Keep what makes a picture: the first panels, and of a very long one the best rows."""
    kept: list[tuple[Group, list[Entry]]] = []
    free = MOST_ROWS
    for group, lines in panels[:MOST_PANELS]:
        if kept and len(lines) > free:
            break
        kept.append((group, lines[:free]))
        free -= len(kept[-1][1])
    return kept


def _room(lines: list[Entry]) -> float:
    """Inches left of the axes that the rows' names need."""
    return max(1.9, 0.35 + 0.092 * max(len(_shorten(entry.label)) for entry in lines))


def _own(group: Group) -> list[Entry]:
    return [entry for entry in group.entries if entry.origin == "reproduced" and group.primary in entry.values]


def _panel(axes: "Axes", group: Group, lines: list[Entry], place: tuple[float, float, float, float]) -> None:
    metric = next(each for each in group.metrics if each.name == group.primary)
    rows = list(range(len(lines)))[::-1]
    values = [entry.values[group.primary] for entry in lines]
    # All rows at once, which takes a fraction of the time.
    axes.hlines(rows, 0, 1, transform=axes.get_yaxis_transform(), color=LINE, linewidth=0.8, zorder=0)
    spread = [(row, each.mean, each.std) for row, each in zip(rows, values, strict=True) if each.std is not None]
    places, means = [row for row, _, _ in spread], [mean for _, mean, _ in spread]
    lows, highs = [mean - std for _, mean, std in spread], [mean + std for _, mean, std in spread]
    axes.hlines(places, lows, highs, color=INK, linewidth=2.2, zorder=2)
    axes.plot(means, places, linestyle="none", marker="D", color=INK, markersize=7, zorder=4)
    # Seeds stand a little above the line, where neither mean nor spread covers them.
    dots = [(value, row + 0.23) for row, each in zip(rows, values, strict=True) for value in each.values]
    axes.scatter(
        [x for x, _ in dots], [y for _, y in dots], s=40, facecolor=DOT, edgecolor=INK, linewidth=0.8, zorder=3
    )
    for row, entry, value in zip(rows, lines, values, strict=True):
        seeds = len(value.values)
        note = f"{figure(value.mean, value.std)}"
        axes.annotate(
            note,
            (1, row),
            (10, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            ha="left",
            color=INK,
            fontsize=10.5,
            fontweight="bold",
        )
        axes.annotate(
            "   ".join(part for part in (f"n={seeds}", letters(entry)) if part),
            (1, row),
            (10, -12),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            ha="left",
            color=FAINT,
            fontsize=8,
        )
    axes.set_yticks(rows, [_shorten(entry.label) for entry in lines], fontsize=11.5, color=INK)
    axes.set_ylim(-0.6, len(lines) - 0.4)
    _limits(axes, lines, group.primary)
    axes.tick_params(axis="y", length=0, pad=8)
    axes.tick_params(axis="x", color=LINE, labelcolor=FAINT, labelsize=9)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(LINE)
    axes.set_xlabel(plain(heading(metric)), color=FAINT, fontsize=9.5)
    width, height = place[2], place[3]
    above: dict[str, Any] = {"transform": axes.transAxes, "ha": "left", "va": "baseline"}
    indent = -(place[0] - 0.2) / width
    axes.text(indent, 1 + 0.62 / height, title_of(group), fontsize=13, fontweight="bold", color=INK, **above)
    subtitle = subtitle_of(group, lines)
    # About 115 characters fit the width at 9 points.
    small = 9 * min(1.0, 115 / len(subtitle))
    axes.text(indent, 1 + 0.38 / height, subtitle, fontsize=small, color=FAINT, **above)
    key = _key(lines)
    axes.text(indent, 1 + 0.16 / height, key, fontsize=9 * min(1.0, 115 / len(key)), color=FAINT, **above)


def _limits(axes: "Axes", lines: list[Entry], name: str) -> None:
    """Choose the axis: all points, means and spreads with a tenth of room, and zero where it is not far."""
    values = [each for entry in lines for each in entry.values[name].values]
    for entry in lines:
        value = entry.values[name]
        values += [value.mean - (value.std or 0.0), value.mean + (value.std or 0.0)]
    low, high = min(values), max(values)
    room = (high - low) * 0.1 or max(abs(high) * 0.05, 0.5)
    axes.set_xlim(0.0 if low >= 0 and (low < 0.75 * high or low == high) else low - room, high + room)


def title_of(group: Group) -> str:
    """What the panel is about."""
    title = task_title(group.task)
    mark = {"builtin": "Puppets, the built-in world: ", "reduced": "Scaled down: "}.get(group.scale, "")
    return plain(mark + title[:1].lower() + title[1:] if mark else title)


def subtitle_of(group: Group, lines: list[Entry]) -> str:
    """Which world or data, which protocol, which backbone."""
    parts = [group.name, group.backbone]
    puppets: dict[str, Any] = lines[0].records[0].spec.get("puppets") or {}
    if group.scale == "builtin" and puppets:
        world = str(puppets.get("world", ""))
        parts.insert(0, f"{WORLDS.get(world, world)}, {puppets.get('size')} px")
        parts.append(f"{puppets.get('train_images')} labelled images")
        parts.append(f"{puppets.get('test_images')} test images")
    pairs = sorted({entry.pairs for entry in lines if entry.pairs})
    if pairs:
        span = amount(pairs[0]) if len(pairs) == 1 else f"{amount(pairs[0])} to {amount(pairs[-1])}"
        parts.append(f"pretrained on {span} pairs")
    return plain("; ".join(part for part in parts if part))


def _key(lines: list[Entry]) -> str:
    counts = sorted({len(entry.records) for entry in lines})
    if counts == [1]:
        return "circle: the one seed"
    seeds = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    key = f"circles: the {seeds} seeds of each; diamond and bar: mean {PLUS_MINUS} standard deviation"
    if any(entry.letters for entry in lines):
        key += "; rows that share a letter are not told apart (Tukey's HSD, 95 %)"
    return key


def _shorten(label: str) -> str:
    clean = plain(label)
    return clean if len(clean) <= LONGEST_NAME else clean[: LONGEST_NAME - 1] + "\N{HORIZONTAL ELLIPSIS}"

"""A board's own results as a picture: every seed, the mean, and the spread.

Told apart by place and shape, not by colour, so that a print in grey reads the same.
"""

import io
import textwrap
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssl_motion.fileio import write_atomically
from ssl_motion_reports.formatting import PLUS_MINUS, amount, figure, plain
from ssl_motion_reports.published import task_title
from ssl_motion_reports.shapes import Board, Entry, Group
from ssl_motion_reports.texts import heading, how_compared, letters

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH_INCHES = 8.6
ROW_INCHES = 0.52
# Title, axis and notes of one panel.
FRAME_INCHES = 1.97
# More rows or panels than this make no picture; the tables have them all.
MOST_ROWS, MOST_PANELS = 40, 8
TABLES = "leaderboard.html"
"""Page beside the picture that has all rows."""
# Characters in a line of a row's name, and the size of its letters by the number of lines; more lines are cut.
LONGEST_LINE = 28
NAME_SIZES = (11.5, 10.0, 8.5)
# Characters of the note on protocols that are left out, in a line as wide as the picture.
NOTE_CHARACTERS = 110
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
    left_out = [group for group, _ in panels[MOST_PANELS:]]
    panels = panels[:MOST_PANELS]
    most = _rows_of_a_panel([len(lines) for _, lines in panels])
    heights = [FRAME_INCHES + ROW_INCHES * min(len(lines), most) for _, lines in panels]
    note = _left_out(left_out)
    with context(["default", {"font.family": "DejaVu Sans", "text.parse_math": False}]):
        total = sum(heights) + 0.17 * len(note)
        figure_ = Figure(figsize=(WIDTH_INCHES, total), facecolor="white")
        FigureCanvasAgg(figure_)
        top = total
        for (group, lines), height in zip(panels, heights, strict=True):
            # Margins in inches, so that panels of different height look alike.
            names = _names(lines)[:most]
            left, right, above, below = _room(names), 1.75, 1.17, 0.62
            place = (left, top - height + below, WIDTH_INCHES - left - right, height - above - below)
            box = (place[0] / WIDTH_INCHES, place[1] / total, place[2] / WIDTH_INCHES, place[3] / total)
            _panel(figure_.add_axes(box), group, lines, names, place)
            top -= height
        figure_.text(0.5, 0.05 / total, "\n".join(note), ha="center", va="bottom", color=FAINT, fontsize=9)
        content = io.BytesIO()
        # Without its version, matplotlib writes nothing that changes from run to run.
        figure_.savefig(content, dpi=dpi, format="png", metadata={"Software": None})
    write_atomically(path, lambda file: file.write(content.getvalue()) and None)
    return True


def _rows_of_a_panel(counts: Sequence[int]) -> int:
    """Most rows that a panel may have, so that every panel has a place in the picture."""
    most = max(counts)
    while most > 1 and sum(min(count, most) for count in counts) > MOST_ROWS:
        most -= 1
    return most


def _left_out(groups: Sequence[Group]) -> list[str]:
    """Lines that name the protocols which are not drawn, and where they are to be found."""
    if not groups:
        return []
    shown = [f"{title_of(group)} ({plain(group.title)})" for group in groups[:6]]
    more = f"; and {len(groups) - len(shown)} more" if len(groups) > len(shown) else ""
    return textwrap.wrap(f"Not drawn, all in {TABLES}: {'; '.join(shown)}{more}.", NOTE_CHARACTERS)


def _names(lines: Sequence[Entry]) -> list[str]:
    """Names of rows, broken into lines; those that look alike when cut get the beginning of their key."""
    cut = [_broken(entry.label) for entry in lines]
    counts = Counter(cut)
    return [
        name if counts[name] == 1 else _broken(entry.label, f" #{entry.key[:6]}")
        for name, entry in zip(cut, lines, strict=True)
    ]


def _broken(label: str, ending: str = "") -> str:
    """A name in at most so many lines as there is room for; what is too long is cut before its ending."""
    parts = textwrap.wrap(plain(label) + ending, LONGEST_LINE)
    most = len(NAME_SIZES)
    if len(parts) > most:
        room = LONGEST_LINE - len(ending) - 1
        parts = [*parts[: most - 1], parts[most - 1][:room] + "\N{HORIZONTAL ELLIPSIS}" + ending]
    return "\n".join(parts)


def _room(names: Sequence[str]) -> float:
    """Inches left of the axes that the rows' names need."""
    return max(1.9, 0.35 + 0.092 * max(len(line) for name in names for line in name.split("\n")))


def _own(group: Group) -> list[Entry]:
    return [entry for entry in group.entries if entry.origin == "reproduced" and group.primary in entry.values]


def _panel(
    axes: "Axes", group: Group, everything: list[Entry], names: list[str], place: tuple[float, float, float, float]
) -> None:
    lines = everything[: len(names)]
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
    axes.set_yticks(rows, names, color=INK)
    for text, name in zip(axes.get_yticklabels(), names, strict=True):
        text.set_fontsize(NAME_SIZES[name.count("\n")])
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
    under = [text for text in (subtitle_of(group, lines), _key(lines), _letters_key(group, everything, lines)) if text]
    axes.text(
        indent,
        1 + (0.18 + 0.22 * len(under)) / height,
        title_of(group),
        fontsize=13,
        fontweight="bold",
        color=INK,
        **above,
    )
    for number, said in enumerate(reversed(under)):
        # About 115 characters fit the width at 9 points.
        small = 9 * min(1.0, 115 / len(said))
        axes.text(indent, 1 + (0.16 + 0.22 * number) / height, said, fontsize=small, color=FAINT, **above)


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
    """Which world or data, which protocol, which backbone, how many images."""
    parts = [group.name, group.backbone]
    puppets: dict[str, Any] = lines[0].records[0].spec.get("puppets") or {}
    if group.scale == "builtin" and puppets:
        world = str(puppets.get("world", ""))
        parts.insert(0, f"{WORLDS.get(world, world)}, {puppets.get('size')} px")
        parts.append(f"{puppets.get('train_images')} rendered to train on")
    # How many there are is counted, since a task may leave some of the rendered ones out, such as those without people.
    if images := max((entry.interval.images for entry in lines if entry.interval is not None), default=0):
        parts.append(f"{images:,} test images")
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
    return f"circles: the {seeds} seeds of each; diamond and bar: mean {PLUS_MINUS} standard deviation"


def _letters_key(group: Group, everything: Sequence[Entry], lines: Sequence[Entry]) -> str:
    """What letters mean, in the words of the tables, and which rows are left out."""
    parts = []
    if group.differences is not None and any(entry.letters for entry in lines):
        parts.append(f"rows that share a letter are not told apart ({how_compared(group.differences)})")
    if len(lines) < len(everything):
        parts.append(f"the best {len(lines)} of {len(everything)} rows: all are in {TABLES}")
    return "; ".join(parts)

"""What the pictures of a comparison share: style, colours, heads, writing."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssl_motion.fileio import write_atomically
from ssl_motion_reports.compare.differences import Comparison
from ssl_motion_reports.formatting import plain
from ssl_motion_reports.picture import FAINT, INK, LINE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Told apart by lightness, and with every common colour blindness (Okabe and Ito, 2008).
ONE, OTHER = "#0072B2", "#E69F00"


@contextmanager
def sheet(
    comparison: Comparison, title: str, width: float, height: float, files: Sequence[Path], dpi: int
) -> Iterator["Figure"]:
    """An empty figure below its heads, which is saved at the end.

    Args:
        comparison: whose sides and protocol the heads name.
        title: what is drawn of it.
        width: inches.
        height: inches.
        files: PNG or SVG, by their names.
        dpi: pixels per inch.
    """
    with _style():
        figure = _new_figure(width, height)
        _write_heads(figure, comparison, title, width, height)
        yield figure
        _save(figure, files, dpi)


def _style() -> Any:
    """Matplotlib's settings, as a context."""
    from matplotlib.style import context

    return context(
        [
            "default",
            {
                "font.family": "DejaVu Sans",
                "text.parse_math": False,
                "svg.hashsalt": "ssl-motion",
                "hatch.linewidth": 0.6,
            },
        ]
    )


def _new_figure(width: float, height: float) -> "Figure":
    """An empty figure of so many inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _write_heads(figure: "Figure", comparison: Comparison, title: str, width: float, height: float) -> None:
    """Write title, sides and protocol at the top."""
    words = plain(f"{title}: {comparison.one.label} against {comparison.other.label}")
    size = 12 * min(1.0, width * 8.2 / len(words))
    figure.text(0.2 / width, 1 - 0.3 / height, words, fontsize=size, fontweight="bold", color=INK)
    detail = plain(f"{comparison.one.protocol}; protocol {comparison.fingerprint}")
    figure.text(0.2 / width, 1 - 0.52 / height, detail, fontsize=8 * min(1.0, width * 15 / len(detail)), color=FAINT)


@dataclass(frozen=True)
class Grid:
    """Pictures in rows and columns below a comparison's heads.

    Attributes:
        heads: above the columns.
        rows: number of rows.
        cell: inches from one column to the next, which is a row's height, too.
        below: inches under the last row, for legends and notes.
    """

    heads: Sequence[str]
    rows: int
    cell: float
    below: float

    @contextmanager
    def sheet(self, comparison: Comparison, file: Path, notes: Sequence[str], dpi: int) -> Iterator["Figure"]:
        """A figure for images of a comparison, which is saved at the end.

        Args:
            comparison: whose images they are.
            file: PNG to write.
            notes: lines at the bottom, the lowest first.
            dpi: pixels per inch.
        """
        title = "Images on which they differ most"
        with sheet(comparison, title, self.width, self.height, [file], dpi) as figure:
            yield figure
            for line, text in enumerate(notes):
                place = 0.2 / self.width, (0.08 + 0.19 * line) / self.height
                figure.text(*place, plain(text), fontsize=7.5, color=FAINT)

    @property
    def width(self) -> float:
        """Inches."""
        return 0.3 + self.cell * len(self.heads)

    @property
    def height(self) -> float:
        """Inches."""
        return 0.95 + (self.cell + 0.12) * self.rows + self.below

    def axes(self, figure: "Figure", row: int, column: int, below: str) -> "Axes":
        """Axes for one picture.

        Args:
            figure: as large as the grid.
            row: number of the row.
            column: number of the column.
            below: words under the picture.
        """
        bottom = self.height - 0.95 - (self.cell + 0.12) * (row + 1) + 0.2
        axes = figure.add_axes(
            (
                (0.15 + self.cell * column) / self.width,
                bottom / self.height,
                (self.cell - 0.08) / self.width,
                (self.cell - 0.12) / self.height,
            )
        )
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_color(LINE)
        words = plain(self.heads[column]) if row == 0 else ""
        axes.set_title(cut(words, 30), fontsize=8.5 if len(words) < 22 else 7, color=INK, pad=3)
        axes.set_xlabel(cut(plain(below), 24), fontsize=7.5, color=FAINT, labelpad=2)
        return axes


def figures_of(comparison: Comparison, name: str) -> list[str]:
    """What is written under both sides' pictures of an image: their figures, where it has any."""
    known = next((row for row in comparison.images if row.name == name), None)
    return ["", ""] if known is None else [f"{known.one:.1f}", f"{known.other:.1f}"]


def cut(text: str, longest: int) -> str:
    """Shorten a text to so many characters."""
    return text if len(text) <= longest else text[: longest - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _save(figure: "Figure", files: Sequence[Path], dpi: int) -> None:
    """Write a figure as PNG or SVG, by the files' names, without anything that changes from run to run."""
    for file in files:
        metadata: dict[str, None] = {"Software": None} if file.suffix == ".png" else {"Date": None, "Creator": None}
        content = io.BytesIO()
        figure.savefig(content, dpi=dpi, format=file.suffix[1:], metadata=metadata)
        _write(file, content.getvalue())


def _write(file: Path, content: bytes) -> None:
    write_atomically(file, lambda out: out.write(content) and None)

"""What the pictures of a comparison share: style, colours, heads, writing."""

import io
from collections.abc import Sequence
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


def style() -> Any:
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


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure of so many inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def write_heads(figure: "Figure", comparison: Comparison, title: str, width: float, height: float) -> None:
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


def cut(text: str, longest: int) -> str:
    """Shorten a text to so many characters."""
    return text if len(text) <= longest else text[: longest - 1] + "\N{HORIZONTAL ELLIPSIS}"


def save(figure: "Figure", files: Sequence[Path], dpi: int) -> None:
    """Write a figure as PNG or SVG, by the files' names, without anything that changes from run to run."""
    for file in files:
        metadata: dict[str, None] = {"Software": None} if file.suffix == ".png" else {"Date": None, "Creator": None}
        content = io.BytesIO()
        figure.savefig(content, dpi=dpi, format=file.suffix[1:], metadata=metadata)
        _write(file, content.getvalue())


def _write(file: Path, content: bytes) -> None:
    write_atomically(file, lambda out: out.write(content) and None)

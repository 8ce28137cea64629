"""What the pictures of a comparison share: style, colours, heads, writing."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssl_motion.fileio import write_atomically
from ssl_motion_reports.compare.differences import Comparison
from ssl_motion_reports.formatting import plain
from ssl_motion_reports.picture import FAINT, INK

if TYPE_CHECKING:
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


def save(figure: "Figure", files: Sequence[Path], dpi: int) -> None:
    """Write a figure as PNG or SVG, by the files' names, without anything that changes from run to run."""
    for file in files:
        metadata: dict[str, None] = {"Software": None} if file.suffix == ".png" else {"Date": None, "Creator": None}
        content = io.BytesIO()
        figure.savefig(content, dpi=dpi, format=file.suffix[1:], metadata=metadata)
        _write(file, content.getvalue())


def _write(file: Path, content: bytes) -> None:
    write_atomically(file, lambda out: out.write(content) and None)

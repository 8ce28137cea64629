"""Two runs or two methods of one protocol: paired differences by metric, class and image, as text and pictures."""

import re
from pathlib import Path

from ssl_motion.fileio import write_text
from ssl_motion_reports.compare.bars import draw_classes
from ssl_motion_reports.compare.detected import Detected, draw_detections
from ssl_motion_reports.compare.differences import Comparison, Difference, compare
from ssl_motion_reports.compare.predicted import Predicted, draw_predictions
from ssl_motion_reports.compare.sides import Side, find_sides
from ssl_motion_reports.compare.texts import to_csv, to_markdown, verdict

__all__ = [
    "Comparison",
    "Detected",
    "Difference",
    "Predicted",
    "Side",
    "compare",
    "draw_classes",
    "draw_detections",
    "draw_predictions",
    "find_sides",
    "folder_name",
    "to_csv",
    "to_markdown",
    "verdict",
    "write_comparison",
]


def folder_name(comparison: Comparison) -> str:
    """Name of the folder that a comparison is written into: both labels, and the protocol's fingerprint."""
    words = f"{comparison.one.label} vs {comparison.other.label} {comparison.fingerprint[:6]}"
    return re.sub(r"[^A-Za-z0-9._=+]+", "-", words).strip("-")


def write_comparison(comparison: Comparison, out: Path, predictions: list[Path]) -> list[Path]:
    """Write a comparison as Markdown and CSV, with the bars of its classes as PNG and SVG.

    Args:
        comparison: what to write.
        out: folder to write into, made when missing.
        predictions: pictures in it that were drawn already.

    Returns:
        All files. The same records give the same bytes.

    Raises:
        RunError: The folder cannot be written.
    """
    pictures = draw_classes(comparison, out / "classes")
    shown = [path.name for path in [*pictures[:1], *predictions]]
    write_text(out / "compare.md", to_markdown(comparison, shown))
    write_text(out / "compare.csv", to_csv(comparison))
    return [out / "compare.md", out / "compare.csv", *pictures, *predictions]

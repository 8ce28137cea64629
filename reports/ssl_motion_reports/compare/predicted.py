"""Images of a comparison with both predictions."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ssl_motion_reports.compare.canvas import ONE, OTHER, Grid, figures_of
from ssl_motion_reports.compare.differences import Comparison
from ssl_motion_reports.formatting import plain
from ssl_motion_reports.picture import INK

BOTH_RIGHT, BOTH_WRONG, UNLABELLED = "#f2f3f5", "#3b4048", "#ffffff"
UInt8Array = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Predicted:
    """An image with what both sides predict.

    Attributes:
        name: of the image.
        image: uint8 [H, W, 3] RGB.
        label: integer [H, W], true classes; 255 unlabelled.
        one, other: integer [H, W], predicted classes.
    """

    name: str
    image: UInt8Array
    label: npt.NDArray[Any]
    one: npt.NDArray[Any]
    other: npt.NDArray[Any]


def draw_predictions(
    comparison: Comparison,
    pictures: Sequence[Predicted],
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
    file: Path,
    note: str,
    dpi: int = 130,
) -> list[Path]:
    """Draw images with their labels, both predictions, and where one of them alone is right.

    Args:
        comparison: whose images they are.
        pictures: in the order in which they are drawn.
        classes: names by number.
        palette: RGB of each class.
        file: PNG to write.
        note: which runs predicted.
        dpi: pixels per inch.

    Returns:
        The PNG; empty where there is nothing to draw, and then that of an earlier report is removed.
    """
    if not pictures:
        file.unlink(missing_ok=True)
        return []
    from matplotlib.lines import Line2D

    heads = ["image", "truth", comparison.one.label, comparison.other.label, "who is right"]
    used = sorted(
        {int(each) for one in pictures for part in (one.label, one.one, one.other) for each in np.unique(part)}
    )
    named = [each for each in used if each < len(classes)]
    legend_rows = -(-len(named) // 8)
    grid = Grid(heads, len(pictures), cell=1.85, below=0.45 + 0.24 * legend_rows)
    with grid.sheet(comparison, file, [note], dpi) as figure:
        for row, each in enumerate(pictures):
            parts = [
                each.image,
                *(_coloured(part, palette) for part in (each.label, each.one, each.other)),
                _right(each),
            ]
            below = figures_of(comparison, each.name)
            for column, (part, words) in enumerate(zip(parts, [each.name, "", *below, ""], strict=True)):
                grid.axes(figure, row, column, words).imshow(part, interpolation="nearest")
        right: list[tuple[str, Any]] = [
            (f"{comparison.one.label} alone", ONE),
            (f"{comparison.other.label} alone", OTHER),
            ("both are right", BOTH_RIGHT),
            ("neither", BOTH_WRONG),
        ]
        swatches = [(classes[each], tuple(value / 255 for value in palette[each])) for each in named]
        for place, entries in ((0.3 + 0.24 * legend_rows, right), (0.25, swatches)):
            handles = [
                Line2D([], [], marker="s", lw=0, ms=8, mfc=colour, mec=INK, mew=0.5, label=plain(name))
                for name, colour in entries
            ]
            figure.legend(
                handles=handles, loc="lower left", bbox_to_anchor=(0.15 / grid.width, place / grid.height), ncols=8,
                frameon=False, fontsize=7.5, handletextpad=0.1, columnspacing=1.0, borderpad=0, borderaxespad=0,
            )  # fmt: skip
    return [file]


def _coloured(part: npt.NDArray[Any], palette: Sequence[Sequence[int]]) -> UInt8Array:
    colours = np.full((256, 3), 255, dtype=np.uint8)
    colours[: len(palette)] = np.asarray(palette, dtype=np.uint8)
    drawn: UInt8Array = colours[np.clip(part, 0, 255).astype(np.int64)]
    return drawn


def _right(each: Predicted) -> UInt8Array:
    """Where both, one alone, the other alone, or neither is right; white where nothing is labelled."""
    from matplotlib.colors import to_rgb

    colours = np.array([to_rgb(colour) for colour in (BOTH_WRONG, OTHER, ONE, BOTH_RIGHT, UNLABELLED)])
    kinds = 2 * (each.one == each.label) + (each.other == each.label)
    drawn: UInt8Array = np.rint(colours[np.where(each.label == 255, 4, kinds)] * 255).astype(np.uint8)
    return drawn

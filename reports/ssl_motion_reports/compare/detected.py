"""Images of a comparison with the objects that both sides detect."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ssl_motion.objects import Objects, right_ones
from ssl_motion_reports.compare.canvas import Grid, cut, figures_of
from ssl_motion_reports.compare.differences import Comparison
from ssl_motion_reports.formatting import plain
from ssl_motion_reports.picture import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEAST_SCORE, MOST = 0.3, 12
"""Detections that are drawn: those of at least this score, and of an image no more than so many."""
# Told apart with every common colour blindness (Okabe and Ito, 2008), on photographs too, where white stands behind.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")
_RIGHT, _WRONG = "-", (0, (3, 1.6))


@dataclass(frozen=True)
class Detected:
    """An image with what both sides detect.

    Attributes:
        name: of the image.
        image: uint8 [H, W, 3] RGB.
        truth: objects that are there.
        one, other: detections.
    """

    name: str
    image: npt.NDArray[np.uint8]
    truth: Objects
    one: Objects
    other: Objects


def draw_detections(
    comparison: Comparison, pictures: Sequence[Detected], classes: Sequence[str], file: Path, note: str, dpi: int = 130
) -> list[Path]:
    """Draw images with their objects and the detections of both sides: boxes, and masks where there are any.

    Args:
        comparison: whose images they are.
        pictures: in the order in which they are drawn.
        classes: names by number.
        file: PNG to write.
        note: which runs predicted.
        dpi: pixels per inch.

    Returns:
        The PNG; empty where there is nothing to draw, and then that of an earlier report is removed.
    """
    if not pictures:
        file.unlink(missing_ok=True)
        return []
    grid = Grid(["truth", comparison.one.label, comparison.other.label], len(pictures), cell=2.9, below=0.5)
    explained = (
        f"Detections of score {LEAST_SCORE} and more, the best {MOST} of an image; dashed: no free object of that "
        "class below the box (IoU 0.5)."
    )
    with grid.sheet(comparison, file, [note, explained], dpi) as figure:
        for row, each in enumerate(pictures):
            below = figures_of(comparison, each.name)
            sides = [each.truth, shown(each.one), shown(each.other)]
            for column, (objects, words) in enumerate(zip(sides, [each.name, *below], strict=True)):
                said = words if len(objects.labels) else f"{words} (nothing found)".strip()
                axes = grid.axes(figure, row, column, said)
                axes.imshow(_with_masks(each.image, objects), interpolation="nearest")
                right = np.ones(len(objects.labels), dtype=bool) if column == 0 else right_ones(objects, each.truth)
                _boxes(axes, objects, right, classes, is_truth=column == 0)
    return [file]


def shown(found: Objects) -> Objects:
    """The detections that are drawn, best first."""
    order = np.argsort(-found.scores, kind="stable")[:MOST]
    return found.chosen(order[found.scores[order] >= LEAST_SCORE])


def _colour(label: int) -> str:
    return _COLOURS[label % len(_COLOURS)]


def _with_masks(image: npt.NDArray[np.uint8], objects: Objects) -> npt.NDArray[np.uint8]:
    """Tint an image by its objects' masks, the best one on top."""
    from matplotlib.colors import to_rgb

    if objects.masks is None:
        return image
    tinted = image.astype(np.float64)
    for mask, label in zip(objects.masks[::-1], objects.labels[::-1], strict=True):
        tinted[mask] = 0.5 * image[mask] + 0.5 * 255 * np.array(to_rgb(_colour(int(label))))
    drawn: npt.NDArray[np.uint8] = np.rint(tinted).astype(np.uint8)
    return drawn


def _boxes(
    axes: "Axes", objects: Objects, right: npt.NDArray[np.bool_], classes: Sequence[str], *, is_truth: bool
) -> None:
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke

    height, width = axes.images[0].get_array().shape[:2]  # type: ignore[union-attr]
    # Worst first, so that the best are on top.
    for place in range(len(objects.labels) - 1, -1, -1):
        left, top, end, bottom = (float(value) - 0.5 for value in objects.boxes[place])
        look: dict[str, Any] = {"edgecolor": _colour(int(objects.labels[place])), "facecolor": "none", "linewidth": 1.5}
        look |= {
            "linestyle": _RIGHT if right[place] else _WRONG,
            "path_effects": [withStroke(linewidth=3, foreground="white")],
        }
        axes.add_patch(Rectangle((left, top), end - left, bottom - top, **look))
        words = cut(plain(classes[int(objects.labels[place])]), 16)
        words += "" if is_truth else f" {objects.scores[place]:.2f}"
        axes.text(
            min(max(left, 0), 0.8 * width), max(top, 0.06 * height), words, fontsize=6, color=INK, va="bottom",
            clip_on=True, bbox={"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 0.8},
        )  # fmt: skip

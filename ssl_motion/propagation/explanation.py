"""The picture that explains coordinates, directions and units, from a scene whose motion is known exactly.

python -m ssl_motion.propagation.explanation docs/coordinates.png
"""

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ssl_motion.fileio import write_atomically
from ssl_motion.flow.colour import colour_wheel_legend
from ssl_motion.propagation.drawing import flow_picture, speed_at_full_colour
from ssl_motion.puppets import render
from ssl_motion.spec import PuppetsSpec

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SCENE = 10
"""Scene of the built-in world that is shown: one large actor whose leg swings."""

_SIDE = 96
_NEAR = 14  # pixels around the arrow that are shown enlarged
_RED, _BLUE = "#e61e1e", "#145aeb"


def draw_explanation(path: Path) -> None:
    """Draw frame t with an arrow, frame t + 1 with the same point, and the flow between them, to a PNG.

    Args:
        path: file to write.

    Raises:
        RunError: The file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    scene = render(PuppetsSpec(world="still", size=_SIDE), "pairs", SCENE)
    flow = scene.sample.flow
    speed = np.where(scene.sample.valid, np.linalg.norm(flow, axis=2), 0)
    y, x = (int(each) for each in np.unravel_index(speed.argmax(), speed.shape))
    dx, dy = (float(each) for each in flow[y, x])
    figure = Figure(figsize=(11, 3.9), layout="constrained")
    FigureCanvasAgg(figure)
    first, second, third = figure.subplots(1, 3)
    first.imshow(scene.sample.image)
    second.imshow(scene.next_image)
    third.imshow(flow_picture(flow))
    for axes, scale in ((first, 6), (second, 22)):
        shape = {"arrowstyle": "-|>", "color": _RED, "lw": 2, "shrinkA": 0, "shrinkB": 0, "mutation_scale": scale}
        axes.annotate("", (x + dx, y + dy), (x, y), arrowprops=shape)
    left, top = (min(max(each - _NEAR, 0), _SIDE - 2 * _NEAR) - 0.5 for each in (x, y))
    second.set(xlim=(left, left + 2 * _NEAR), ylim=(top + 2 * _NEAR, top))
    first.plot(x, y, "o", color=_RED, markersize=3)
    second.plot(x, y, "o", color=_RED, markersize=7)
    still = _still_place(speed)
    first.plot(*still, "o", color=_BLUE, markeredgecolor="white", markersize=7)
    box = {"boxstyle": "round,pad=0.25", "facecolor": "white", "alpha": 0.85, "edgecolor": "none"}
    _label(first, (x, y), f"(x, y) = ({x}, {y})\n(dx, dy) = ({dx:+.1f}, {dy:+.1f})", box)
    _label(first, still, f"still ({still[0]}, {still[1]})", box)
    _label(second, (x + dx, y + dy), f"(x + dx, y + dy)\n= ({x + dx:.1f}, {y + dy:.1f})", box)
    first.set_title(f"the image, frame t:\n--arrow {x},{y},{dx:.1f},{dy:.1f} --still {still[0]},{still[1]}", fontsize=9)
    second.set_title("one step later, frame t + gap, enlarged:\nthe same point of the foot", fontsize=9)
    third.set_title("flow: where each pixel of frame t goes, in pixels,\n(dx, dy) = (right, down)", fontsize=9)
    for axes in (first, second, third):
        axes.set_xlabel("x, pixels; (0, 0) is the centre of the upper left pixel", fontsize=7)
        axes.set_ylabel("y", fontsize=8)
        axes.tick_params(labelsize=7)
    wheel = third.inset_axes((1.04, 0.3, 0.42, 0.42))
    wheel.imshow(colour_wheel_legend(160))
    wheel.set_axis_off()
    for place, word in (((0.5, 1.04), "up"), ((0.5, -0.16), "down"), ((1.03, 0.46), "right"), ((-0.02, 0.46), "left")):
        side = {"up": "center", "down": "center", "right": "left", "left": "right"}[word]
        wheel.text(*place, word, transform=wheel.transAxes, fontsize=7, ha=side)
    wheel.text(
        0.5, -0.42, f"rim: {speed_at_full_colour(flow):.1f} px", transform=wheel.transAxes, fontsize=7, ha="center"
    )
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    write_atomically(path, lambda file: file.write(buffer.getvalue()))


def _still_place(speed: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]") -> tuple[int, int]:
    """Find the pixel (x, y) that is farthest from all that moves, and from the border."""
    from scipy.ndimage import distance_transform_edt

    rests = np.pad(speed < 0.1, 1)
    y, x = np.unravel_index(distance_transform_edt(rests).argmax(), rests.shape)
    return int(x) - 1, int(y) - 1


def _label(axes: "Axes", place: tuple[float, float], text: str, box: dict[str, object]) -> None:
    """Write below a point of the upper half of a picture, above one of the lower half."""
    left, right = axes.get_xlim()
    lower, upper = axes.get_ylim()
    down = place[1] < (lower + upper) / 2
    axes.annotate(
        text,
        place,
        xytext=(0, -14 if down else 14),
        textcoords="offset points",
        ha="left" if place[0] < (left + right) / 2 else "right",
        va="top" if down else "bottom",
        fontsize=7,
        bbox=box,
    )


if __name__ == "__main__":
    draw_explanation(Path(sys.argv[1]))

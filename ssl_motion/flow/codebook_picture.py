"""The picture of a codebook: its vectors in the plane."""

from io import BytesIO
from pathlib import Path

import numpy as np

from ssl_motion.fileio import write_atomically
from ssl_motion.flow.codebook import Codebook
from ssl_motion.flow.colour import flow_to_colour
from ssl_motion.flow.kmeans import nearest

_GREY = "#666666"
_WHOLE = 8000.0  # area of a dot that would stand for all flow, in square points
_GRID = 600  # side of the background in pixels
_PALE = 0.35


def draw_codebook(codebook: Codebook, path: Path, *, title: str) -> None:
    """Draw the vectors as dots with areas in proportion to their shares, to a PNG.

    Dots have the colour wheel's colours; paler, these also show which flow is nearest to which vector.

    Args:
        codebook: the vectors.
        path: file to write.
        title: heading, such as the data's name.

    Raises:
        RunError: The file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    vectors = codebook.array.astype(np.float64)
    reach = 1.1 * max(float(np.abs(vectors).max()), 1.0)
    figure = Figure(figsize=(7.2, 7.4), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.add_subplot()
    colours = flow_to_colour(vectors[None])[0] / 255
    steps = ((np.arange(_GRID) + 0.5) / _GRID * 2 - 1) * reach
    plane = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2).astype(np.float32)
    cells = colours[nearest(plane, codebook.array)[0]].reshape(_GRID, _GRID, 3)
    axis.imshow(1 - _PALE * (1 - cells), extent=(-reach, reach, reach, -reach), zorder=0)
    axis.axhline(0, color=_GREY, linewidth=0.5, zorder=1)
    axis.axvline(0, color=_GREY, linewidth=0.5, zorder=1)
    shares = np.array(codebook.shares)
    large_first = np.argsort(-shares, kind="stable")
    axis.scatter(
        vectors[large_first, 0],
        vectors[large_first, 1],
        s=_WHOLE * shares[large_first],
        c=colours[large_first],
        edgecolors=_GREY,
        linewidths=0.7,
        zorder=2,
    )
    axis.set(xlim=(-reach, reach), ylim=(reach, -reach), aspect="equal")
    side = codebook.settings.frame_side
    axis.set_xlabel(f"u, to the right, in pixels of a frame with a shorter side of {side}")
    axis.set_ylabel("v, down")
    axis.set_title(
        f"{title}: {len(vectors)} flow vectors, mean squared error {codebook.error:.3g} px²\n"
        f"dot areas are shares of {sum(codebook.counts):,} pixels; the largest is {100 * shares.max():.1f} %",
        fontsize=10,
    )
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    write_atomically(path, lambda file: file.write(buffer.getvalue()))

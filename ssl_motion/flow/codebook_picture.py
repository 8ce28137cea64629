"""The picture of a codebook: its vectors in the plane."""

from io import BytesIO
from pathlib import Path

import numpy as np

from ssl_motion.fileio import write_atomically
from ssl_motion.flow.codebook import Codebook
from ssl_motion.flow.colour import flow_to_colour

_GREY = "#666666"
_LARGEST = 2000.0  # area of the dot that stands for all flow, in square points


def draw_codebook(codebook: Codebook, path: Path, *, title: str) -> None:
    """Draw the vectors as dots in the colour wheel's colours, with areas in proportion to their shares, to a PNG.

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
    axis.axhline(0, color=_GREY, linewidth=0.5, zorder=0)
    axis.axvline(0, color=_GREY, linewidth=0.5, zorder=0)
    axis.scatter(
        vectors[:, 0],
        vectors[:, 1],
        s=_LARGEST * np.array(codebook.shares),
        c=flow_to_colour(vectors[None])[0] / 255,
        edgecolors=_GREY,
        linewidths=0.7,
        zorder=2,
    )
    # A point in the middle, so that rare vectors are seen too.
    axis.scatter(vectors[:, 0], vectors[:, 1], s=3, c="black", linewidths=0, zorder=3)
    axis.set(xlim=(-reach, reach), ylim=(reach, -reach), aspect="equal")
    side = codebook.settings.frame_side
    axis.set_xlabel(f"u, to the right, in pixels of a frame with a shorter side of {side}")
    axis.set_ylabel("v, down")
    largest = max(codebook.shares)
    axis.set_title(
        f"{title}: {len(vectors)} flow vectors, mean squared error {codebook.error:.3g} px²\n"
        f"dot areas are shares of {sum(codebook.counts):,} pixels; the largest is {100 * largest:.1f} %",
        fontsize=10,
    )
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    write_atomically(path, lambda file: file.write(buffer.getvalue()))

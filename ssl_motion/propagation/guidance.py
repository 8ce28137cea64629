"""What somebody tells a model of an image's motion: arrows, and points that stay where they are.

Coordinates are pixels of the original image, whatever the network's size: x to the right, y down, (0, 0) the centre of
the upper left pixel. An arrow is the displacement of the point at its foot.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field, FiniteFloat

from ssl_motion.errors import UsageError
from ssl_motion.spec import Strict
from ssl_motion.spec_text import load_json

ArrowNumbers = tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat]
PointNumbers = tuple[FiniteFloat, FiniteFloat]

MOST_POINTS = 10_000
"""Most arrows or still points of one image; a longer list is refused before what it holds is looked at."""

LONGEST_ARROW = 100_000.0
"""Most that an arrow may go along x or y, in pixels: far beyond any image, and what drawings can hold."""


class Guidance(Strict):
    """Sparse motion of one image.

    In a file: `{"arrows": [[x, y, dx, dy], ...], "stills": [[x, y], ...]}`.

    Attributes:
        arrows: (x, y, dx, dy) of each: where it starts, and how far that point moves.
        stills: (x, y) of points that do not move.
    """

    arrows: Annotated[list[ArrowNumbers], Field(max_length=MOST_POINTS)] = []
    stills: Annotated[list[PointNumbers], Field(max_length=MOST_POINTS)] = []

    @property
    def vectors(self) -> npt.NDArray[np.float64]:
        """All points as (x, y, dx, dy), float64 [N, 4]: arrows first, then stills with (0, 0)."""
        rows = [*self.arrows, *((x, y, 0.0, 0.0) for x, y in self.stills)]
        return np.asarray(rows, np.float64).reshape(-1, 4)

    @property
    def is_at_rest(self) -> bool:
        """Whether points are given, and none of them moves."""
        vectors = self.vectors
        return len(vectors) > 0 and not vectors[:, 2:].any()

    def checked(self, size: tuple[int, int]) -> "Guidance":
        """Return the guidance itself, or fail where a point lies outside an image or an arrow goes beyond all measure.

        Args:
            size: (height, width) of the image.

        Raises:
            UsageError: A point lies outside, or an arrow is longer than `LONGEST_ARROW`; it is named.
        """
        height, width = size
        for x, y, dx, dy in self.vectors:
            if not (-0.5 <= x < width - 0.5 and -0.5 <= y < height - 0.5):
                raise UsageError(
                    f"the point ({x:g}, {y:g}) lies outside the image, which is {width} x {height} pixels: "
                    f"x goes from 0 to {width - 1} (right), y from 0 to {height - 1} (down)"
                )
            if max(abs(dx), abs(dy)) > LONGEST_ARROW:
                raise UsageError(
                    f"the arrow at ({x:g}, {y:g}) goes by ({dx:g}, {dy:g}) pixels: expected at most {LONGEST_ARROW:g} "
                    "along each"
                )
        return self


def parse_numbers(text: str, what: str, names: tuple[str, ...]) -> tuple[float, ...]:
    """Read numbers that are separated by commas, such as those of an arrow.

    Args:
        text: such as "120,80,15,0".
        what: the option, for messages.
        names: of the numbers.

    Raises:
        UsageError: There are more or fewer, or one is no finite number.
    """
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) != len(names) or not np.isfinite(values).all():
        raise UsageError(
            f"{what} {text!r}: expected {','.join(names)}: {len(names)} numbers, in pixels of the original image"
        )
    return values


def parse_points(texts: Sequence[str], what: str) -> list[PointNumbers]:
    """Read points, "x,y" of each.

    Args:
        texts: such as "120,80".
        what: the option, for messages.

    Raises:
        UsageError: One is no point; it is named.
    """
    return [(x, y) for x, y in (parse_numbers(text, what, ("x", "y")) for text in texts)]


def read_guidance(path: Path) -> Guidance:
    """Read a guidance file.

    Raises:
        UsageError: There is none, or it is not of the form that `Guidance` describes; the key is named.
    """
    return load_json(Guidance, path, "guidance", '{"arrows": [[x, y, dx, dy], ...], "stills": [[x, y], ...]}')

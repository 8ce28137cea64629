"""How far a prediction follows what was asked for, at the very points where it was asked.

A model that predicts flow by classes cannot go beyond its largest one, and falls short of arrows longer than the
motion that it was trained on.
"""

import math
from dataclasses import dataclass
from typing import Any

from ssl_motion.data.sample import Float32Array
from ssl_motion.propagation.guidance import Guidance

FAR_SHORT = 0.5
"""An arrow of whose length less than this share is predicted, in its own direction, is worth a warning."""

_LEAST_LENGTH = 1.0  # pixels: of shorter arrows the share says little


@dataclass(frozen=True)
class Followed:
    """One given point, and what became of it. All in pixels of the original image.

    Attributes:
        foot: (x, y) where it was given.
        asked: (dx, dy) that were given; (0, 0) for a still point.
        predicted: (dx, dy) that were predicted at the pixel nearest to the foot.
    """

    foot: tuple[float, float]
    asked: tuple[float, float]
    predicted: tuple[float, float]

    @property
    def share(self) -> float | None:
        """Predicted motion along the arrow, as a share of its length (1: all of it); None for a still point."""
        square = self.asked[0] ** 2 + self.asked[1] ** 2
        if not square:
            return None
        return (self.asked[0] * self.predicted[0] + self.asked[1] * self.predicted[1]) / square

    def as_dict(self) -> dict[str, Any]:
        """What is said of it as JSON."""
        return {"foot": self.foot, "asked": self.asked, "predicted": self.predicted, "share": self.share}

    @property
    def falls_short(self) -> bool:
        """Whether less than half of an arrow (of a pixel or more) is predicted."""
        return self.share is not None and self.share < FAR_SHORT and math.hypot(*self.asked) >= _LEAST_LENGTH


def followed(flow_hw2: Float32Array, guidance: Guidance, size: tuple[int, int] | None = None) -> list[Followed]:
    """Compare a prediction with its guidance, point by point: arrows first, then stills.

    Args:
        flow_hw2: float32 [h, w, 2] in pixels of the image.
        guidance: that it was predicted from.
        size: (height, width) of the image where the flow is given on another grid, which is laid over it.

    Raises:
        UsageError: A point lies outside the image.
    """
    rows, columns = flow_hw2.shape[:2]
    height, width = size or (rows, columns)
    points = []
    for x, y, dx, dy in guidance.checked((height, width)).vectors.tolist():
        row = min(math.floor((y + 0.5) * rows / height), rows - 1)
        column = min(math.floor((x + 0.5) * columns / width), columns - 1)
        u, v = flow_hw2[row, column].tolist()
        points.append(Followed((x, y), (dx, dy), (u, v)))
    return points


def warnings(points: list[Followed]) -> list[str]:
    """Say, for people, which arrows the prediction falls far short of; nothing where there is none."""
    short = [number for number, point in enumerate(points, 1) if point.falls_short]
    if not short:
        return []
    names = ", ".join(map(str, short))
    return [
        f"the prediction falls far short of {'arrow' if len(short) == 1 else 'arrows'} {names}: less than "
        f"{100 * FAR_SHORT:.0f} % of the motion asked for. Arrows may be longer than any motion that the model was "
        "trained on, or ask for what it holds to be impossible there; try shorter ones, or another model."
    ]

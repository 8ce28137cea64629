"""How far a prediction follows what was asked for, at the very points where it was asked.

A model that predicts flow by classes cannot go beyond its largest one, and falls short of arrows longer than the
motion that it was trained on.
"""

import math
from dataclasses import dataclass

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

    @property
    def falls_short(self) -> bool:
        """Whether less than half of an arrow (of a pixel or more) is predicted."""
        return self.share is not None and self.share < FAR_SHORT and math.hypot(*self.asked) >= _LEAST_LENGTH


def followed(flow_HW2: Float32Array, guidance: Guidance) -> list[Followed]:
    """Compare a prediction with its guidance, point by point: arrows first, then stills.

    Args:
        flow_HW2: float32 [H, W, 2] in pixels.
        guidance: that it was predicted from.

    Raises:
        UsageError: A point lies outside the image.
    """
    points = []
    for x, y, dx, dy in guidance.checked((flow_HW2.shape[0], flow_HW2.shape[1])).vectors.tolist():
        u, v = flow_HW2[math.floor(y + 0.5), math.floor(x + 0.5)].tolist()
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

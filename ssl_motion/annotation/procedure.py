"""From clicks to a mask, with a model of motion (Zhan et al. 2019, section 4.3).

The points that somebody clicks on an object are told to move, together, in each of several directions; points beside
it are told to stay. What moves along is the object. Steps and constants are those of the authors' demonstration:

    score = mean over directions and components of |flow|, divided by its largest value
    mask  = score > threshold

With two points or more, the network looks closer: at the square around their bounding box whose side is the longer
side of that box times the zoom factor. The score is 0 outside it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from ssl_motion.data.sample import BoolArray, Float32Array, UInt8Array
from ssl_motion.errors import UsageError
from ssl_motion.propagation.guidance import Guidance
from ssl_motion.propagation.predictor import MotionPredictor, Seen
from ssl_motion.spec import Strict

REFERENCE_SIDE = 384
"""Side of the authors' network input, in pixels, which `AnnotationSettings.motion` refers to."""

Point = tuple[float, float]
"""(x, y) in pixels of the image, as in `ssl_motion.propagation.guidance`."""


class AnnotationSettings(Strict):
    """Constants of the procedure; the defaults are those of the authors' function.

    Attributes:
        motion: length of the dummy motion, in pixels on a network input of 384 pixels. On another side it is in
            proportion, so that a network for smaller images is asked for motion that it has classes for. The authors'
            example asks for 30.
        directions: of the dummy motion, evenly spread from "right" on; 4 are right, down, left and up.
        threshold: share of the largest response from which on a pixel is the object's.
        zoom_factor: side of the square that is looked at, in longer sides of the points' bounding box; None always
            looks at the whole image.
    """

    motion: Annotated[float, Field(gt=0, le=REFERENCE_SIDE)] = 10.0
    directions: Annotated[int, Field(ge=1, le=64)] = 4
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    zoom_factor: Annotated[float, Field(ge=1, allow_inf_nan=False)] | None = 4.0


@dataclass(frozen=True)
class Window:
    """A part of an image, in whole pixels."""

    left: int
    top: int
    width: int
    height: int

    @property
    def place(self) -> tuple[slice, slice]:
        """Rows and columns, to index an image with."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


@dataclass(frozen=True)
class Annotation:
    """What the clicks say.

    Attributes:
        mask: bool [H, W], the object.
        score: float32 [H, W], response from 0 to 1; 0 outside the window.
        window: the part of the image that was looked at.
    """

    mask: BoolArray
    score: Float32Array
    window: Window


def window_of(points: Sequence[Point], size: tuple[int, int], zoom_factor: float | None) -> Window:
    """Choose the part of the image to look at.

    The square is moved to lie in the image; where the image is too narrow or too low for it, it is cut. (The authors
    limit its side to the image's width, which in an upright picture can leave clicks outside.)

    Args:
        points: all clicks, in the image.
        size: (height, width) of the image.
        zoom_factor: as in `AnnotationSettings`.

    Returns:
        A window that holds every point; the whole image for fewer than two points, or several on one spot.
    """
    height, width = size
    x, y = np.asarray(points, np.float64).reshape(-1, 2).T
    extent = max(float(np.ptp(x)), float(np.ptp(y))) if len(points) > 1 else 0.0
    if zoom_factor is None or extent < 1:
        return Window(0, 0, width, height)
    side = max(round(zoom_factor * extent), math.ceil(extent) + 2)
    left, inner_width = _stretch(x, side, width)
    top, inner_height = _stretch(y, side, height)
    return Window(left, top, inner_width, inner_height)


def _stretch(coordinates: npt.NDArray[np.float64], side: int, whole: int) -> tuple[int, int]:
    """Lay `side` pixels around the middle of coordinates, within `whole` pixels: first pixel and number."""
    first = math.floor((coordinates.min() + coordinates.max() + 1 - side) / 2)
    return min(max(first, 0), max(whole - side, 0)), min(side, whole)


class Annotator:
    """Answers clicks on one image; the network looks at a part of it once, however often that is asked about.

    Args:
        predictor: the model.
        image: uint8 [H, W, 3] RGB.
        settings: constants of the procedure.
    """

    def __init__(
        self, predictor: MotionPredictor, image: UInt8Array, settings: AnnotationSettings | None = None
    ) -> None:
        self.predictor, self.image = predictor, image
        self.settings = settings or AnnotationSettings()
        self.size = (image.shape[0], image.shape[1])
        self._whole = Window(0, 0, self.size[1], self.size[0])
        self._seen: dict[Window, Seen] = {}

    def annotate(self, positive: Sequence[Point], negative: Sequence[Point] = ()) -> Annotation:
        """Find the object that the clicks mean.

        Args:
            positive: points on it, at least one.
            negative: points that are not.

        Raises:
            UsageError: There is no positive point, or a point lies outside the image.
        """
        if not positive:
            raise UsageError("no positive point: click at least once on the object")
        Guidance(stills=[*positive, *negative]).checked(self.size)
        window = window_of([*positive, *negative], self.size, self.settings.zoom_factor)
        guidances = self._guidances(window, positive, negative)
        response = np.zeros((window.height, window.width), np.float32)
        for flow_HW2 in self._look(window).flows(guidances):  # each is as large as the window
            response += np.abs(flow_HW2).sum(axis=2)
        response /= np.float32(2 * len(guidances))
        largest = float(response.max())
        score = np.zeros(self.size, np.float32)
        if largest > 0:
            score[window.place] = response / largest
        return Annotation(score > self.settings.threshold, score, window)

    def _look(self, window: Window) -> Seen:
        """Let the network look at a window; the whole image and the last window are kept."""
        if window not in self._seen:
            kept = {each: seen for each, seen in self._seen.items() if each == self._whole}
            self._seen = {**kept, window: self.predictor.look(np.ascontiguousarray(self.image[window.place]))}
        return self._seen[window]

    def _guidances(self, window: Window, positive: Sequence[Point], negative: Sequence[Point]) -> list[Guidance]:
        """One guidance for each direction, in pixels of the window."""
        inner_height, inner_width = self._look(window).inner
        length = self.settings.motion * min(inner_height, inner_width) / REFERENCE_SIDE
        stills = [(x - window.left, y - window.top) for x, y in negative]
        guidances = []
        for number in range(self.settings.directions):
            angle = 2 * math.pi * number / self.settings.directions
            dx = length * math.cos(angle) * window.width / inner_width
            dy = length * math.sin(angle) * window.height / inner_height
            arrows = [(x - window.left, y - window.top, dx, dy) for x, y in positive]
            guidances.append(Guidance(arrows=arrows, stills=stills))
        return guidances


def annotate(
    predictor: MotionPredictor,
    image: UInt8Array,
    positive: Sequence[Point],
    negative: Sequence[Point] = (),
    settings: AnnotationSettings | None = None,
) -> Annotation:
    """Find the object that some clicks on an image mean; see `Annotator`, which answers several rounds of clicks."""
    return Annotator(predictor, image, settings).annotate(positive, negative)

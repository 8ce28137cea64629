"""What the model is asked while somebody draws and clicks; the network looks at a picture once."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from ssl_motion.annotation.procedure import Annotation, Annotator, Point
from ssl_motion.data.sample import Float32Array, UInt8Array
from ssl_motion.propagation.drawing import speed_at_full_colour, veil
from ssl_motion.propagation.following import Followed, followed
from ssl_motion.propagation.guidance import Guidance
from ssl_motion.propagation.predictor import MotionPredictor, Seen
from ssl_motion.studio.library import Picture
from ssl_motion.studio.pictures import encode_png, read_picture

FLOW_SIDE = 512
"""Longest side of the flow that the browser is sent, in pixels; networks answer more coarsely than that."""

_KEPT = 4  # pictures: what a network makes of one may take hundreds of megabytes

T = TypeVar("T")


@dataclass
class Opened:
    """A picture on the desk.

    Attributes:
        pixels: uint8 [H, W, 3] RGB.
        annotator: answers clicks on it.
        seen: what the network makes of the whole of it, once it has looked.
    """

    pixels: UInt8Array
    annotator: Annotator
    seen: Seen | None = None


@dataclass(frozen=True)
class Answer:
    """A predicted motion.

    Attributes:
        picture: PNG with transparency, to be laid over the image.
        radius: speed in pixels of the image that is drawn at full strength.
        points: what became of each given point.
    """

    picture: bytes
    radius: float
    points: list[Followed]


class Desk:
    """Answers questions about pictures, one after the other; the last few pictures are kept as the network sees them.

    Args:
        predictor: the model.
    """

    def __init__(self, predictor: MotionPredictor) -> None:
        self.predictor = predictor
        self._opened: OrderedDict[tuple[str, str], Opened] = OrderedDict()
        self._lock = threading.Lock()

    def size(self, picture: Picture) -> tuple[int, int]:
        """(height, width) of a picture in pixels."""
        with self._lock:
            pixels = self._open(picture).pixels
        return pixels.shape[0], pixels.shape[1]

    def pixels(self, picture: Picture) -> UInt8Array:
        """Read a picture: uint8 [H, W, 3] RGB."""
        with self._lock:
            return self._open(picture).pixels

    def with_seen(self, picture: Picture, use: Callable[[UInt8Array, Seen], T]) -> T:
        """Call with a picture's pixels and what the network makes of it, while no other question is answered."""
        with self._lock:
            opened = self._open(picture)
            if opened.seen is None:
                opened.seen = self.predictor.look(opened.pixels)
            return use(opened.pixels, opened.seen)

    def predict(self, picture: Picture, guidance: Guidance) -> Answer:
        """Predict the motion of a picture.

        Raises:
            UsageError: A point lies outside the picture, or it cannot be read.
        """

        def answer(pixels: UInt8Array, seen: Seen) -> tuple[Float32Array, list[Followed]]:
            height, width = pixels.shape[:2]
            scale = min(1.0, FLOW_SIDE / max(height, width))
            sampled = (max(1, round(height * scale)), max(1, round(width * scale)))
            flow = seen.flow([guidance], sampled)[0]
            return flow, followed(flow, guidance, (height, width))

        flow, points = self.with_seen(picture, answer)
        hue, share = veil(flow)
        layer = np.concatenate([hue, np.rint(255 * share).astype(np.uint8)], axis=2)
        return Answer(encode_png(layer), speed_at_full_colour(flow), points)

    def annotate(self, picture: Picture, positive: list[Point], negative: list[Point]) -> Annotation:
        """Find the object that clicks mean.

        Raises:
            UsageError: There is no positive point, one lies outside the picture, or it cannot be read.
        """
        with self._lock:
            return self._open(picture).annotator.annotate(positive, negative)

    def _open(self, picture: Picture) -> Opened:
        key = (picture.key, picture.version)
        if key not in self._opened:
            pixels = read_picture(picture.path)
            self._opened[key] = Opened(pixels, Annotator(self.predictor, pixels))
            while len(self._opened) > _KEPT:
                self._opened.popitem(last=False)
        self._opened.move_to_end(key)
        return self._opened[key]

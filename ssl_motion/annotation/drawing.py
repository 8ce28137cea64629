"""A picture of an annotation: the mask over its image, with the clicks that it was made of."""

from collections.abc import Sequence

import cv2
import numpy as np

from ssl_motion.annotation.procedure import Point
from ssl_motion.data.sample import BoolArray, UInt8Array
from ssl_motion.propagation.drawing import enlargement

MASK, POSITIVE, NEGATIVE = (66, 133, 244), (30, 170, 60), (220, 40, 40)
_RIM = (255, 255, 255)
_VEIL = 0.5
_SHIFT = 4  # OpenCV draws at 1/16 of a pixel


def draw_annotation(
    image: UInt8Array, mask: BoolArray, positive: Sequence[Point], negative: Sequence[Point]
) -> UInt8Array:
    """Draw a mask in blue with a light outline, positive clicks as green discs, negative ones as red squares.

    Args:
        image: uint8 [H, W, 3] RGB; a small one is enlarged by a whole number (`propagation.drawing.enlargement`).
        mask: bool [H, W].
        positive: clicks on the object.
        negative: clicks beside it.

    Returns:
        uint8 [enlargement H, enlargement W, 3] RGB.
    """
    zoom = enlargement((image.shape[0], image.shape[1]))
    veiled = np.where(mask[..., None], np.rint((1 - _VEIL) * image + _VEIL * np.array(MASK)), image).astype(np.uint8)
    picture = np.ascontiguousarray(veiled.repeat(zoom, axis=0).repeat(zoom, axis=1))
    large = mask.astype(np.uint8).repeat(zoom, axis=0).repeat(zoom, axis=1)
    outlines, _ = cv2.findContours(large, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    unit = max(1.0, min(picture.shape[:2]) / 400)
    cv2.drawContours(picture, outlines, -1, _RIM, max(1, round(unit)))
    for radius, rim in ((6.5 * unit, True), (5 * unit, False)):
        for x, y in positive:
            cv2.circle(picture, _at(x, y, zoom), round(16 * radius), _RIM if rim else POSITIVE, -1, cv2.LINE_AA, _SHIFT)
        for x, y in negative:
            first, last = (_at(x, y, zoom, sign * radius / zoom) for sign in (-1, 1))
            cv2.rectangle(picture, first, last, _RIM if rim else NEGATIVE, -1, cv2.LINE_AA, _SHIFT)
    return picture


def _at(x: float, y: float, zoom: int, further: float = 0.0) -> tuple[int, int]:
    """Where the enlarged picture has a point, in 1/16 of a pixel: a pixel's centre stays the centre of its block."""
    column, row = (round(16 * ((each + further + 0.5) * zoom - 0.5)) for each in (x, y))
    return column, row

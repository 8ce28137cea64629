"""A picture of an annotation: the mask over its image, with the clicks that it was made of."""

from collections.abc import Sequence

import cv2
import numpy as np

from ssl_motion.annotation.procedure import Point
from ssl_motion.data.sample import BoolArray, UInt8Array
from ssl_motion.propagation.drawing import RIM, SHIFT, enlarged, enlargement, fixed, place, stroke

MASK, POSITIVE, NEGATIVE = (66, 133, 244), (30, 170, 60), (220, 40, 40)
_VEIL = 0.5


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
    veiled = image.copy()
    veiled[mask] = np.rint(np.float32(1 - _VEIL) * image[mask] + np.float32(_VEIL) * np.array(MASK, np.float32))
    picture = enlarged(veiled, zoom)
    outlines, _ = cv2.findContours(enlarged(mask.astype(np.uint8), zoom), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    unit = stroke(picture)
    cv2.drawContours(picture, outlines, -1, RIM, max(1, round(unit)))
    for radius, on_it, beside in ((6.5 * unit, RIM, RIM), (5 * unit, POSITIVE, NEGATIVE)):
        for x, y in positive:
            cv2.circle(picture, fixed(place(x, y, zoom)), round(16 * radius), on_it, -1, cv2.LINE_AA, SHIFT)
        for x, y in negative:
            half = radius / zoom
            first, last = (fixed(place(x + each, y + each, zoom)) for each in (-half, half))
            cv2.rectangle(picture, first, last, beside, -1, cv2.LINE_AA, SHIFT)
    return picture

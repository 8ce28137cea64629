"""Panels of previews: pictures of one sample side by side, each under its title."""

from collections.abc import Sequence

import cv2
import numpy as np

from ssl_motion.data.sample import BoolArray, Float32Array, UInt8Array

CAPTION = 18
"""Height of a title's strip in pixels."""

GAP = 4
"""White pixels between two pictures."""

_LEAST_HEIGHT = 192  # smaller images are enlarged, so that titles can be read
_LEAST_RADIUS = 5.0  # pixels of motion at full colour at least, so that noise on a still scene stays pale


def enlargement(image: UInt8Array) -> int:
    """By how much a panel enlarges an image [H, W, ...]: a whole number."""
    height: int = image.shape[0]
    return max(1, -(-_LEAST_HEIGHT // height))


def full_colour(flow_2HW: Float32Array, valid_HW: BoolArray) -> float:
    """Speed in pixels that is drawn at full colour: that of the fastest known pixel, or 5 where none is faster."""
    known = np.linalg.norm(flow_2HW, axis=0)[valid_HW]
    return max(_LEAST_RADIUS, float(known.max(initial=0.0)))


def panel(image: UInt8Array, columns: Sequence[tuple[str, UInt8Array]]) -> UInt8Array:
    """Put pictures side by side at the enlarged size of an image. Pixels are drawn as they are: nothing is smoothed.

    Args:
        image: uint8 [H, W, 3]; only its size counts.
        columns: title and picture of each: uint8 [h, w, 3] RGB, or [h, w] for grey; of any size.

    Returns:
        uint8 [CAPTION + height, width, 3] RGB.
    """
    zoom = enlargement(image)
    size = image.shape[1] * zoom, image.shape[0] * zoom
    gap = np.full((CAPTION + size[1], GAP, 3), 255, np.uint8)
    parts = []
    for title, picture in columns:
        colour = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
        large = cv2.resize(colour, size, interpolation=cv2.INTER_NEAREST).astype(np.uint8, copy=False)
        strip = np.full((CAPTION, size[0], 3), 255, np.uint8)
        cv2.putText(strip, title, (3, CAPTION - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (20, 20, 20), 1, cv2.LINE_AA)
        parts += [np.concatenate([strip, large]), gap]
    return np.concatenate(parts[:-1], axis=1)

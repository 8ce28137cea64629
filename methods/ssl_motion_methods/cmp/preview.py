"""The picture that shows what a CMP network was told, what it made of it, and what was true."""

import cv2
import numpy as np

from ssl_motion.data.sample import BoolArray, Float32Array, UInt8Array
from ssl_motion.flow.colour import flow_to_colour

_MIN_RADIUS = 5.0  # pixels of motion at full colour at least, so that noise on a still scene stays pale
_CAPTION = 18
_GAP = 4
_HEAD = 7.0  # length of an arrow's head
_LEAST_HEIGHT = 192  # smaller images are enlarged, so that arrows and captions can be read


def draw_panel(
    image: UInt8Array,
    guidance_2HW: Float32Array,
    mask_HW: BoolArray,
    predicted_2HW: Float32Array,
    true_2HW: Float32Array,
    valid_HW: BoolArray,
) -> UInt8Array:
    """Draw one sample: image with guidance arrows, predicted flow, true flow.

    Both flows share one colour scale, which the longest true vector fills (or 5 pixels, where nothing is faster).
    Guidance of zero motion is a dot without an arrow.

    Args:
        image: uint8 [H, W, 3] RGB.
        guidance_2HW: guidance vectors in pixels, where `mask_HW` is true.
        mask_HW: guided pixels.
        predicted_2HW: in pixels.
        true_2HW: in pixels.
        valid_HW: where the true flow is known.

    Returns:
        uint8 [h, w, 3] RGB.
    """
    known = np.linalg.norm(true_2HW, axis=0)[valid_HW]
    radius = max(_MIN_RADIUS, float(known.max()) if known.size else 0.0)
    zoom = max(1, -(-_LEAST_HEIGHT // image.shape[0]))
    count = int(mask_HW.sum())
    titles = (f"guidance: {count} point{'' if count == 1 else 's'}", "predicted flow", f"true flow, <= {radius:.1f} px")
    pictures = (
        _arrows(_enlarged(image, zoom), guidance_2HW, mask_HW, zoom),
        _enlarged(flow_to_colour(np.moveaxis(predicted_2HW, 0, -1), radius), zoom),
        _enlarged(flow_to_colour(np.moveaxis(true_2HW, 0, -1), radius, valid_HW), zoom),
    )
    gap = np.full((pictures[0].shape[0] + _CAPTION, _GAP, 3), 255, np.uint8)
    columns = [_captioned(picture, title) for picture, title in zip(pictures, titles, strict=True)]
    return np.concatenate([columns[0], gap, columns[1], gap, columns[2]], axis=1)


def _enlarged(picture: UInt8Array, zoom: int) -> UInt8Array:
    return np.ascontiguousarray(picture.repeat(zoom, axis=0).repeat(zoom, axis=1))


def _captioned(picture: UInt8Array, title: str) -> UInt8Array:
    strip = np.full((_CAPTION, picture.shape[1], 3), 255, np.uint8)
    cv2.putText(strip, title, (3, _CAPTION - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (20, 20, 20), 1, cv2.LINE_AA)
    return np.concatenate([strip, picture], axis=0)


def _arrows(picture: UInt8Array, guidance_2HW: Float32Array, mask_HW: BoolArray, zoom: int) -> UInt8Array:
    """Draw guidance at its true length, white on black so that it shows on any ground."""
    for y, x in np.argwhere(mask_HW):
        u, v = (float(part) for part in guidance_2HW[:, y, x])
        start = np.array([x + 0.5, y + 0.5]) * zoom
        end = start + np.array([u, v]) * zoom
        tail, tip = tuple(start.astype(int).tolist()), tuple(end.round().astype(int).tolist())
        length = float(np.hypot(*(end - start)))
        for colour, extra in (((0, 0, 0), 2), ((255, 255, 255), 0)):
            if length < 1:
                cv2.circle(picture, tail, 2 + extra // 2, colour, -1, cv2.LINE_AA)
            else:
                # The head has one size whatever the length, so that short arrows have a direction too.
                cv2.arrowedLine(picture, tail, tip, colour, 1 + extra, cv2.LINE_AA, tipLength=min(0.7, _HEAD / length))
    return picture

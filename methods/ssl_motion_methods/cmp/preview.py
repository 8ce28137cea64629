"""The picture that shows what a CMP network was told, what it made of it, and what was true."""

import cv2
import numpy as np

from ssl_motion.data.sample import BoolArray, Float32Array, UInt8Array
from ssl_motion.flow.colour import flow_to_colour
from ssl_motion.panels import enlargement, full_colour, panel

_HEAD = 7.0  # length of an arrow's head


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
    radius = full_colour(true_2HW, valid_HW)
    count = int(mask_HW.sum())
    return panel(
        image,
        [
            (
                f"guidance: {count} point{'' if count == 1 else 's'}" if count else "image, no guidance",
                _arrows(image, guidance_2HW, mask_HW),
            ),
            ("predicted flow", flow_to_colour(np.moveaxis(predicted_2HW, 0, -1), radius)),
            (f"true flow, <= {radius:.1f} px", flow_to_colour(np.moveaxis(true_2HW, 0, -1), radius, valid_HW)),
        ],
    )


def _arrows(image: UInt8Array, guidance_2HW: Float32Array, mask_HW: BoolArray) -> UInt8Array:
    """Enlarge the image and draw guidance at its true length, white on black so that it shows on any ground."""
    zoom = enlargement(image)
    picture = np.ascontiguousarray(image.repeat(zoom, axis=0).repeat(zoom, axis=1))
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

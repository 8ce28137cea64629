"""The picture that shows what the network made of an image, and what was true."""

import cv2
import numpy as np

from ssl_motion.data.sample import BoolArray, Float32Array, UInt8Array
from ssl_motion.flow.colour import flow_to_colour

_LEAST_RADIUS = 5.0  # pixels of motion at full colour at least, so that noise on a still scene stays pale
_LEAST_HEIGHT = 192  # smaller images are enlarged, so that captions can be read
_CAPTION = 18
_GAP = 4


def draw_panel(
    image: UInt8Array,
    predicted_2HW: Float32Array,
    speed_HW: Float32Array,
    true_2HW: Float32Array,
    valid_HW: BoolArray,
) -> UInt8Array:
    """Draw one sample: image, predicted flow, predicted speed, true flow.

    An image often shows that something moves and not where to. Expected flow then averages opposite directions and is
    near zero; the expected speed (white is still, black is fast) is not. All share one scale, which the longest true
    vector fills (or 5 pixels, where nothing is faster).

    Args:
        image: uint8 [H, W, 3] RGB.
        predicted_2HW: expected flow in pixels.
        speed_HW: expected speed in pixels.
        true_2HW: in pixels.
        valid_HW: where the true flow is known; black elsewhere.

    Returns:
        uint8 [h, w, 3] RGB.
    """
    known = np.linalg.norm(true_2HW, axis=0)[valid_HW]
    radius = max(_LEAST_RADIUS, float(known.max(initial=0.0)))
    predicted = flow_to_colour(np.moveaxis(predicted_2HW, 0, -1), radius)
    true = flow_to_colour(np.moveaxis(true_2HW, 0, -1), radius, valid_HW)
    grey = 255 * (1 - np.clip(speed_HW / radius, 0, 1))
    speed = grey.astype(np.uint8)[..., None].repeat(3, axis=-1)
    zoom = max(1, -(-_LEAST_HEIGHT // image.shape[0]))
    columns = []
    pictures = {"image": image, "expected flow": predicted, "expected speed": speed}
    for title, picture in {**pictures, f"true flow, <= {radius:.1f} px": true}.items():
        strip = np.full((_CAPTION, picture.shape[1] * zoom, 3), 255, np.uint8)
        cv2.putText(strip, title, (3, _CAPTION - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (20, 20, 20), 1, cv2.LINE_AA)
        column = np.concatenate([strip, picture.repeat(zoom, axis=0).repeat(zoom, axis=1)])
        columns.append(np.pad(column, ((0, 0), (0, _GAP), (0, 0)), constant_values=255))
    panel: UInt8Array = np.concatenate(columns, axis=1)[:, :-_GAP]
    return panel

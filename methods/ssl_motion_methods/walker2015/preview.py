"""The picture that shows what the network made of an image, and what was true."""

import numpy as np

from ssl_motion.data.sample import BoolArray, Float32Array, UInt8Array
from ssl_motion.flow.colour import flow_to_colour
from ssl_motion.panels import full_colour, panel


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
    radius = full_colour(true_2HW, valid_HW)
    predicted = flow_to_colour(np.moveaxis(predicted_2HW, 0, -1), radius)
    true = flow_to_colour(np.moveaxis(true_2HW, 0, -1), radius, valid_HW)
    grey = 255 * (1 - np.clip(speed_HW / radius, 0, 1))
    return panel(
        image,
        [
            ("image", image),
            ("expected flow", predicted),
            ("expected speed", grey.astype(np.uint8)),
            (f"true flow, <= {radius:.1f} px", true),
        ],
    )

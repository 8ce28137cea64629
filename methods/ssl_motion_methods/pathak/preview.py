"""The picture that shows an image, the mask that was predicted for it, and the pseudo-mask it was trained on."""

import numpy as np

from ssl_motion.data.sample import UNKNOWN_LABEL, Float32Array, UInt8Array
from ssl_motion.panels import panel

_UNKNOWN_GREY = 128


def draw_panel(image: UInt8Array, probability_hw: Float32Array, mask_hw: UInt8Array) -> UInt8Array:
    """Draw one sample: image, predicted mask, pseudo-mask.

    Args:
        image: uint8 [H, W, 3] RGB.
        probability_hw: of being object, 0 to 1, at the mask's size; drawn from black to white.
        mask_hw: uint8, the same size: 1 object (white), 0 background (black), 255 ignored (grey).

    Returns:
        uint8 [h, w, 3] RGB.
    """
    predicted = (probability_hw * 255).round().astype(np.uint8)
    true = np.where(mask_hw == UNKNOWN_LABEL, _UNKNOWN_GREY, np.where(mask_hw == 1, 255, 0)).astype(np.uint8)
    return panel(image, [("image", image), ("predicted mask", predicted), ("pseudo-mask, grey: ignored", true)])

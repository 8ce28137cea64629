"""The picture that shows an image, the mask that was predicted for it, and the pseudo-mask it was trained on."""

import cv2
import numpy as np

from ssl_motion.data.sample import UNKNOWN_LABEL, Float32Array, UInt8Array

_CAPTION = 18
_GAP = 4
_LEAST_HEIGHT = 192  # smaller images are enlarged, so that captions can be read
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
    zoom = max(1, -(-_LEAST_HEIGHT // image.shape[0]))
    height, width = image.shape[0] * zoom, image.shape[1] * zoom
    predicted = (probability_hw * 255).round().astype(np.uint8)
    true = np.where(mask_hw == UNKNOWN_LABEL, _UNKNOWN_GREY, np.where(mask_hw == 1, 255, 0)).astype(np.uint8)
    columns = []
    for picture, title in ((image, "image"), (predicted, "predicted mask"), (true, "pseudo-mask, grey: ignored")):
        # Cells are drawn as they are: smoothing would make greys that mean something else.
        large = cv2.resize(picture, (width, height), interpolation=cv2.INTER_NEAREST)
        strip = np.full((_CAPTION, width, 3), 255, np.uint8)
        cv2.putText(strip, title, (3, _CAPTION - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (20, 20, 20), 1, cv2.LINE_AA)
        colour = large if large.ndim == 3 else np.repeat(large[..., None], 3, axis=2)
        columns += [np.concatenate([strip, colour]), np.full((_CAPTION + height, _GAP, 3), 255, np.uint8)]
    return np.concatenate(columns[:-1], axis=1)

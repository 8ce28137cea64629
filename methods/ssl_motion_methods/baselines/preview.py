"""The picture that shows what a segmentation network made of an image."""

import cv2
import numpy as np

from ssl_motion.data.sample import UNKNOWN_LABEL, UInt8Array
from ssl_motion.puppets.labels import voc_colours

_CAPTION = 18
_GAP = 4
_LEAST_HEIGHT = 192  # smaller images are enlarged, so that captions can be read
_WHITE = 255


def draw_panel(image: UInt8Array, predicted_HW: UInt8Array, true_HW: UInt8Array) -> UInt8Array:
    """Draw one sample: image, predicted classes, true classes, in PASCAL VOC's colours.

    Args:
        image: uint8 [H, W, 3] RGB.
        predicted_HW: class of every pixel.
        true_HW: the same, `UNKNOWN_LABEL` (white) where unknown.

    Returns:
        uint8 [h, w, 3] RGB.
    """
    colours = voc_colours(256)
    colours[UNKNOWN_LABEL] = _WHITE
    zoom = max(1, -(-_LEAST_HEIGHT // image.shape[0]))
    columns = []
    for title, picture in (
        ("image", image),
        ("predicted classes", colours[predicted_HW]),
        ("true classes", colours[true_HW]),
    ):
        strip = np.full((_CAPTION, picture.shape[1] * zoom, 3), _WHITE, np.uint8)
        cv2.putText(strip, title, (3, _CAPTION - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (20, 20, 20), 1, cv2.LINE_AA)
        column = np.concatenate([strip, picture.repeat(zoom, axis=0).repeat(zoom, axis=1)])
        columns.append(np.pad(column, ((0, 0), (0, _GAP), (0, 0)), constant_values=_WHITE))
    panel: UInt8Array = np.concatenate(columns, axis=1)[:, :-_GAP]
    return panel

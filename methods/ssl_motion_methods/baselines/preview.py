"""The picture that shows what a segmentation network made of an image."""

from ssl_motion.data.sample import UNKNOWN_LABEL, UInt8Array
from ssl_motion.panels import panel
from ssl_motion.puppets.labels import voc_colours

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
    return panel(
        image,
        [("image", image), ("predicted classes", colours[predicted_HW]), ("true classes", colours[true_HW])],
    )

"""Spot checks of label images before a run: do their pixels hold numbers of classes that exist?"""

import io

import numpy as np

UNKNOWN = 255
_SPOTS = 100


def is_spot(index: int, total: int) -> bool:
    """Whether the image at a place of a list is among the (about a hundred, evenly spread) that are looked into.

    Decoding every label of a large data set takes too long before each run; labels that were written by a wrong
    conversion are wrong throughout, and a single wrong one is named when it is used.
    """
    return index % max(1, total // _SPOTS) == 0


def value_problem(content: bytes, classes: int) -> str | None:
    """Say which pixel value names no class; None where all do.

    Args:
        content: of a grey or palette PNG.
        classes: number of classes, 255 for unknown pixels aside.
    """
    from PIL import Image

    from ssl_motion.data.unreadable import UNREADABLE

    try:
        with Image.open(io.BytesIO(content)) as picture:
            values = np.unique(np.asarray(picture))
    except UNREADABLE:
        return "not readable"
    wrong = values[(values >= classes) & (values != UNKNOWN)]
    return f"value {int(wrong[0])}, but there are {classes} classes and 255 for unknown" if wrong.size else None

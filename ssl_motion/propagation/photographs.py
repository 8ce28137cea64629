"""Reading the pictures that people bring."""

import os
import struct
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from ssl_motion.data.sample import UInt8Array
from ssl_motion.errors import UsageError

# What Pillow raises on damaged pictures: a broken PNG is a SyntaxError, a number that is none anything at all.
DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    SyntaxError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    struct.error,
)


def read_photograph(path: Path, formats: tuple[str, ...] | None = None) -> UInt8Array:
    """Read a picture upright, as viewers show it: turned as its EXIF says, so that coordinates read off a viewer hold.

    Anything beyond RGB goes: transparency is dropped, of an animation the first picture counts.

    Args:
        path: PNG, JPEG or another format of Pillow.
        formats: Pillow's names of those that may be tried [all]: a file can be a picture of several at once.

    Returns:
        uint8 [H, W, 3] RGB.

    Raises:
        UsageError: The file is missing, empty, cut off, no image, has 16 bits a channel, or is larger than Pillow
            takes for sane (179 megapixels).
    """
    try:
        with path.open("rb") as file, Image.open(file, formats=formats) as picture:
            if picture.mode.startswith(("I", "F")):
                raise UsageError(f"{path}: image of type {picture.mode}; expected 8 bits a channel")
            return np.array(ImageOps.exif_transpose(picture).convert("RGB"), np.uint8)
    except FileNotFoundError:
        raise UsageError(f"no such image: {path}") from None
    except Image.DecompressionBombError as error:
        raise UsageError(f"{path}: image is too large: {error}") from error
    except DAMAGE as error:
        empty = os.path.isfile(path) and os.path.getsize(path) == 0
        raise UsageError(f"{path}: {'empty file' if empty else f'cannot be read as an image: {error}'}") from error

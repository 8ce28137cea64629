"""Reading the pictures that people bring."""

import os
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

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

MOST_PIXELS = 25_000_000
"""Largest picture that a model is applied to: all that is computed at its own size takes memory with its pixels."""

_EMPTY = "empty file"
_DEEP_FORMATS = ("PNG", "PPM")  # whose grey of 16 bits Pillow opens as integers of 32; those of a TIFF have 32


def read_photograph(path: Path, formats: tuple[str, ...] | None = None, most_pixels: int | None = None) -> UInt8Array:
    """Read a picture upright, as viewers show it: turned as its EXIF says, so that coordinates read off a viewer hold.

    Anything beyond RGB goes: of 16 bits a channel the lower eight, grey or colour; transparency is dropped; of an
    animation the first picture counts.

    Args:
        path: PNG, JPEG or another format of Pillow.
        formats: Pillow's names of those that may be tried [all]: a file can be a picture of several at once.
        most_pixels: largest picture that is taken [what Pillow takes for sane: 179 megapixels].

    Returns:
        uint8 [H, W, 3] RGB.

    Raises:
        UsageError: The file is missing, empty, cut off, no image, has 32 bits a channel, or is too large.
    """
    try:
        judged = _without_bomb_warning() if most_pixels is not None else nullcontext()
        with judged, path.open("rb") as file, Image.open(file, formats=formats) as picture:
            if most_pixels is not None and picture.width * picture.height > most_pixels:
                raise UsageError(
                    f"{path}: image is too large: {picture.width} x {picture.height} pixels; "
                    f"{_expected_size(most_pixels)}"
                )
            if picture.mode == "F" or (picture.mode == "I" and picture.format not in _DEEP_FORMATS):
                raise UsageError(
                    f"{path}: image with 32 bits a channel; expected 8 or 16. Save it anew with 8 bits a channel"
                )
            return _rgb(ImageOps.exif_transpose(picture))
    except FileNotFoundError:
        raise UsageError(f"no such image: {path}") from None
    except IsADirectoryError:
        raise UsageError(f"{path} is a folder; expected an image, such as a PNG or JPEG") from None
    except UnidentifiedImageError:
        raise UsageError(
            f"{path}: {_EMPTY if _is_empty(path) else 'cannot be read as an image: damaged, or none'}; expected a PNG, "
            "a JPEG, or another format of photographs"
        ) from None
    except Image.DecompressionBombError:
        most = most_pixels if most_pixels is not None else 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise UsageError(f"{path}: image is too large; {_expected_size(most)}") from None
    except DAMAGE as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise UsageError(f"{path}: {_EMPTY if _is_empty(path) else f'cannot be read as an image: {reason}'}") from error


def _rgb(picture: Image.Image) -> UInt8Array:
    """Convert to 8 bits a channel; of 16 the upper eight count, as Pillow does with colour ones by itself."""
    if picture.mode.startswith("I"):
        picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    return np.array(picture.convert("RGB"), np.uint8)


@contextmanager
def _without_bomb_warning() -> Iterator[None]:
    """Keep Pillow's warning of large pictures back, where their size is judged anyway; not for several threads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def _expected_size(most_pixels: int) -> str:
    return (
        f"expected at most {most_pixels / 1e6:.0f} megapixels. Reduce it first: networks see images at a few hundred "
        "pixels anyway"
    )


def _is_empty(path: Path) -> bool:
    return os.path.isfile(path) and os.path.getsize(path) == 0

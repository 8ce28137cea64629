"""Pictures as the studio takes and shows them: hostile ones are refused before a pixel is decoded."""

import re
import threading
from pathlib import Path

import cv2
from PIL import Image
from PIL.ExifTags import Base

from ssl_motion.data.sample import UInt8Array
from ssl_motion.errors import UsageError
from ssl_motion.propagation.photographs import DAMAGE, MOST_PIXELS, read_photograph

FORMATS = ("BMP", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""What is taken, by content and whatever a file is called. Documents that can hold programs (SVG, PDF, EPS) are not."""

SUFFIXES = {"BMP": ".bmp", "JPEG": ".jpg", "PNG": ".png", "PPM": ".ppm", "TIFF": ".tif", "WEBP": ".webp"}
"""File suffix of each format, for pictures that come without a sensible name."""

MOST_BYTES = 64 * 2**20
"""Largest file that is taken."""

MOST_SIDE = 20_000
"""Longest side that is taken, in pixels."""

LEAST_SIDE = 16
"""Shortest side that is taken: below it there is nothing to see for a network."""

MOST_SLENDER = 16
"""Longest side that is taken, in shorter ones: networks see the shorter side at a set size, the other in proportion."""

MOST_PASSES = 100
"""Most passes over its pixels that a JPEG is decoded in; progressive ones have about ten. (libtiff's limit, too.)"""

THUMBNAIL_SIDE = 160
DISPLAY_SIDE = 2048
"""Longer sides, in pixels, of thumbnails and of pictures on the canvas."""

_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # what is no pixels in a JPEG
_END, _SCAN, _BARE = 0xD9, 0xDA, (0xD8, 0x01)  # end of the picture; a pass; markers that no length follows

_UNPACKING = threading.BoundedSemaphore(2)  # one of 25 megapixels takes 300 MB meanwhile

_LOSSLESS_PIXELS = 1_000_000  # larger pictures go to the browser as JPEG: PNG would take seconds


def check_picture(path: Path) -> str:
    """Check a file by its size and headers alone; no pixel is decoded.

    Args:
        path: the file.

    Returns:
        Its format, one of `FORMATS`.

    Raises:
        UsageError: It is too large, in bytes or pixels, too small, or of none of the formats; the message says what
            is taken.
    """
    name = path.name
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise UsageError(f"{name}: {size / 2**20:.0f} MiB; expected at most {MOST_BYTES // 2**20} MiB")
    try:
        with Image.open(path, formats=FORMATS) as picture:
            (width, height), kind = picture.size, picture.format
            inner = _tile(picture)
    except Image.DecompressionBombError:
        raise UsageError(f"{name}: {_too_large()}") from None
    except DAMAGE:
        raise UsageError(
            f"{name}: {'empty file' if not size else 'not a picture, or damaged'}; expected one of {', '.join(FORMATS)}"
        ) from None
    if max(width * height, inner) > MOST_PIXELS or max(width, height) > MOST_SIDE:
        raise UsageError(f"{name}: {width} x {height} pixels; {_too_large()}")
    if min(width, height) < LEAST_SIDE:
        raise UsageError(f"{name}: {width} x {height} pixels; expected at least {LEAST_SIDE} on each side")
    if max(width, height) > MOST_SLENDER * min(width, height):
        raise UsageError(f"{name}: {width} x {height} pixels; expected one side at most {MOST_SLENDER} times the other")
    assert kind is not None, "Pillow names the format of what it opened"
    if kind == "MPO":  # several JPEGs in one file, of which the first counts
        kind = "JPEG"
    if kind == "JPEG" and _passes(path.read_bytes()) > MOST_PASSES:
        raise UsageError(f"{name}: a JPEG in more than {MOST_PASSES} passes; save it anew in another program")
    return kind


def _passes(content: bytes) -> int:
    """Count the passes over a JPEG's pixels up to its end; beyond `MOST_PASSES` no more are counted."""
    passes = place = 0
    while passes <= MOST_PASSES and (found := _MARKER.search(content, place)) and found[0][1] != _END:
        place = found.end()
        if found[0][1] not in _BARE:
            passes += found[0][1] == _SCAN
            place += int.from_bytes(content[place : place + 2], "big")
    return passes


def _tile(picture: Image.Image) -> int:
    """Pixels of a TIFF's tiles, which are decoded whole however small the picture is that is cut from them; else 0."""
    tags = getattr(picture, "tag_v2", {})
    return int(tags.get(Base.TileWidth, 0)) * int(tags.get(Base.TileLength, 0))


def _too_large() -> str:
    return f"expected at most {MOST_PIXELS / 1e6:.0f} megapixels and {MOST_SIDE} pixels on a side"


def read_picture(path: Path) -> UInt8Array:
    """Check a picture, then read it upright.

    Returns:
        uint8 [H, W, 3] RGB.

    Raises:
        UsageError: See `check_picture`; or the file is cut off, or has 32 bits a channel.
    """
    check_picture(path)
    try:
        with _UNPACKING:
            return read_photograph(path, FORMATS)
    except UsageError as error:  # the browser needs to know no folders
        raise UsageError(str(error).replace(str(path), path.name)) from error


def reduced(image: UInt8Array, longer_side: int) -> UInt8Array:
    """Reduce a picture to a longer side in pixels; a smaller one stays as it is."""
    height, width = image.shape[:2]
    scale = longer_side / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    smaller: UInt8Array = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return smaller


def encode_png(picture: UInt8Array) -> bytes:
    """Encode RGB [H, W, 3] or RGBA [H, W, 4] as PNG, quickly rather than small."""
    order = cv2.COLOR_RGB2BGR if picture.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
    done, data = cv2.imencode(".png", cv2.cvtColor(picture, order), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    assert done, "OpenCV encodes PNG"
    return data.tobytes()


def encode_for_display(image: UInt8Array) -> tuple[bytes, str]:
    """Encode a picture for the canvas: exact where that is quick.

    Nothing of the file itself reaches the browser, only pixels that were decoded here.

    Returns:
        The bytes and their media type.
    """
    shown = reduced(image, DISPLAY_SIDE)
    if shown.shape[0] * shown.shape[1] <= _LOSSLESS_PIXELS:
        return encode_png(shown), "image/png"
    return _jpeg(shown, 92), "image/jpeg"


def encode_thumbnail(path: Path) -> bytes:
    """Make a small JPEG of a picture; of a JPEG without decoding it at full size.

    Raises:
        UsageError: See `read_picture`.
    """
    if check_picture(path) == "JPEG":
        # libjpeg decodes at 1/2, 1/4 or 1/8; OpenCV asks it to, and turns the picture as its EXIF says.
        with _UNPACKING:
            small = cv2.imread(str(path), cv2.IMREAD_REDUCED_COLOR_4)
        if small is not None and min(small.shape[:2]) >= THUMBNAIL_SIDE:
            return _jpeg(reduced(cv2.cvtColor(small, cv2.COLOR_BGR2RGB), THUMBNAIL_SIDE), 85)
    return _jpeg(reduced(read_picture(path), THUMBNAIL_SIDE), 85)


def _jpeg(image: UInt8Array, quality: int) -> bytes:
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done, "OpenCV encodes JPEG"
    return data.tobytes()

"""From an image file to the pixels that a frozen trunk sees."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ssl_motion.data.sample import UInt8Array
from ssl_motion.data.unreadable import UNREADABLE
from ssl_motion.errors import DataError


@dataclass(frozen=True)
class View:
    """How an image is scaled and cut. Resizing is Pillow's bilinear filter, which averages where it shrinks.

    Attributes:
        short_side: the shorter side is brought to so many pixels, the other in proportion; None keeps the size.
        crop: side of a square cut out (the middle, or a place drawn at random); None keeps the whole image. Borders
            that an image lacks are filled with its edge pixels.
        mirror: whether the image is mirrored (of a random crop: by chance, one half).
    """

    short_side: int | None = None
    crop: int | None = None
    mirror: bool = False

    def facts(self) -> dict[str, Any]:
        """State it for a protocol or a cache."""
        return asdict(self)

    def read(self, path: Path, rng: np.random.Generator | None = None) -> UInt8Array:
        """Read an image as uint8 RGB [H, W, 3].

        Args:
            path: of a file that Pillow reads.
            rng: draws the place of the crop and the mirroring; None for the middle, and `mirror` as it says.

        Raises:
            DataError: The file cannot be read as an image.
        """
        return self.apply(read_image(path), rng)

    def apply(self, image: UInt8Array, rng: np.random.Generator | None = None) -> UInt8Array:
        """Do to an image in memory what `read` does to a file."""
        height, width = self.scaled(image.shape[0], image.shape[1])
        if (height, width) != image.shape[:2]:
            image = np.array(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
        if self.crop is not None:
            lacking = (max(0, self.crop - height), max(0, self.crop - width))
            image = np.pad(image, [(each // 2, each - each // 2) for each in lacking] + [(0, 0)], mode="edge")
            room = (image.shape[0] - self.crop, image.shape[1] - self.crop)
            top, left = (each // 2 if rng is None else int(rng.integers(each + 1)) for each in room)
            image = image[top : top + self.crop, left : left + self.crop]
        if self.mirror and (rng is None or rng.random() < 0.5):
            image = image[:, ::-1]
        return np.ascontiguousarray(image)

    def scaled(self, height: int, width: int) -> tuple[int, int]:
        """Size (height, width) of an image after scaling, before cutting."""
        if self.short_side is None:
            return height, width
        factor = self.short_side / min(height, width)
        return max(1, round(height * factor)), max(1, round(width * factor))


def read_image(path: Path) -> UInt8Array:
    """Read an image file as uint8 RGB [H, W, 3].

    Raises:
        DataError: The file cannot be read as an image.
    """
    with opened_image(path) as picture:
        return np.array(picture.convert("RGB"))


@contextmanager
def opened_image(path: Path) -> Iterator[Image.Image]:
    """Open an image file, to be read inside the block.

    Raises:
        DataError: The file cannot be read as an image.
    """
    try:
        with Image.open(path) as picture:
            yield picture
    except UNREADABLE as error:
        raise DataError(f"{path}: cannot be read as an image: {error}. Take the original file.") from error

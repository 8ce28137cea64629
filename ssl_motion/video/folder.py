"""Folders whose images are the frames of a clip, read as if they were a video (DAVIS and the like)."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from PIL import Image
from typing_extensions import Self

from ssl_motion.data.sample import UInt8Array
from ssl_motion.data.unreadable import UNREADABLE
from ssl_motion.video.clip import ClipError, printable
from ssl_motion.video.decode import Frame
from ssl_motion.video.discover import list_images
from ssl_motion.video.rules import thumbnail_size


@dataclass(frozen=True)
class _ImageFrame:
    """A frame of a folder, already decoded."""

    pixels: UInt8Array
    pts: int
    segment: int
    seconds: float | None = None

    @property
    def size(self) -> tuple[int, int]:
        return self.pixels.shape[0], self.pixels.shape[1]

    def rgb(self) -> UInt8Array:
        return self.pixels

    def thumbnail(self) -> UInt8Array:
        height, width = thumbnail_size(*self.size)
        return np.asarray(cv2.resize(self.pixels, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


class FrameFolder:
    """A folder whose images, in natural order of their names, are the frames of a clip. A context manager.

    Attributes:
        damage: one line per image that could not be read (the first few).
    """

    def __init__(self, path: Path, frame_rate: float | None = None) -> None:
        self.damage: list[str] = []
        self._frame_rate = frame_rate
        try:
            self._images = list_images(path)
        except OSError as error:
            raise ClipError(f"cannot be read: {error.strerror or error}") from error
        if len(self._images) < 2:
            raise ClipError(f"a folder of frames needs two images or more; this one has {len(self._images)}")

    @property
    def claimed_frames(self) -> int:
        """Number of image files."""
        return len(self._images)

    def frames(self, from_pts: int | None = None) -> Iterator[Frame]:
        """Read images, from number `from_pts` on; unreadable ones are left out and start a new segment."""
        segment = 0
        for index in range(from_pts or 0, len(self._images)):
            try:
                pixels = read_image(self._images[index])
            except ClipError as error:
                if len(self.damage) < 3:
                    self.damage.append(f"{printable(self._images[index].name)}: {error}; left out")
                segment += 1
                continue
            seconds = index / self._frame_rate if self._frame_rate else None
            yield _ImageFrame(pixels, index, segment, seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held open."""


def read_image(path: Path) -> UInt8Array:
    """Read a photograph as uint8 RGB [H, W, 3], as stored (no turning by EXIF: flow files follow the stored grid).

    Raises:
        ClipError: The file is missing, empty, cut off, no image, or has 16 bits a channel.
    """
    try:
        with path.open("rb") as file, Image.open(file) as image:
            if image.mode.startswith(("I", "F")):
                raise ClipError(f"image of type {image.mode}; expected 8 bits a channel")
            return np.array(image.convert("RGB"), dtype=np.uint8)
    except FileNotFoundError:
        raise ClipError("no such image") from None
    except Image.DecompressionBombError as error:
        raise ClipError(f"image is too large: {error}") from error
    except UNREADABLE as error:
        empty = os.path.exists(path) and os.path.getsize(path) == 0
        raise ClipError("empty image file" if empty else f"image cannot be read: {error}") from error

"""Clips whose pictures carry their own numbers, for tests of decoding (read with `runpy`)."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from ssl_motion.video import Clip, ClipScan, CutRule

BITS = 8


# The numbered pictures differ as much as shots do.
NO_CUTS = CutRule(structure=2, colour=1)


def numbered_frame(number: int, height: int = 64, width: int = 96) -> np.ndarray:
    """A picture that carries its own number as eight black or white blocks."""
    picture = np.full((height, width, 3), 128, np.uint8)
    for bit in range(BITS):
        left = bit * width // BITS
        picture[: height // 2, left : left + width // BITS] = 255 * (number >> bit & 1)
    return picture


def read_number(picture: np.ndarray) -> int:
    height, width = picture.shape[:2]
    block = width // BITS
    return sum(
        int(picture[: height // 2 - 2, bit * block + 2 : bit * block + block - 2].mean() > 128) << bit
        for bit in range(BITS)
    )


def write_video(
    path: Path | str,
    pictures: Sequence[np.ndarray],
    *,
    codec: str = "mpeg4",
    pts: Sequence[int] | None = None,
    rate: int = 25,
    gop: int = 12,
    container: str | None = None,
) -> None:
    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 2_000_000
        stream.gop_size = gop
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if pts is not None:
                frame.pts, frame.time_base = pts[number], Fraction(1, rate)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())


def numbered_video(path: Path, count: int, **options: object) -> Clip:
    write_video(path, [numbered_frame(number) for number in range(count)], **options)  # type: ignore[arg-type]
    return Clip(path.name, path, "video")


def same(picture: np.ndarray) -> np.ndarray:
    return picture


def scan_of(count: int, **changes: object) -> ClipScan:
    """A scan with nothing special: 25 frames per second, one shot, one segment."""
    columns: dict[str, object] = {
        "pts": np.arange(count),
        "seconds": np.arange(count) / 25,
        "segment": np.zeros(count, np.int32),
        "structure": np.zeros(count, np.float32),
        "colour": np.zeros(count, np.float32),
        "check": np.zeros(count, np.uint32),
        "height": 64,
        "width": 96,
    }
    return ClipScan(**{**columns, **changes})  # type: ignore[arg-type]

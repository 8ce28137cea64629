"""What a clip is, and how one is refused."""

import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from ssl_motion.errors import DataError

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".m2ts", ".mts", ".wmv", ".flv", ".f4v"}
    | {".3gp", ".ogv", ".gif", ".y4m", ".mxf", ".vob"}
)
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm", ".webp", ".tif", ".tiff"})


class ClipError(DataError):
    """A clip cannot be used; the message is the reason, without the clip's name."""


@dataclass(frozen=True)
class Clip:
    """A video file or a folder of frames.

    Attributes:
        name: unique within a data set, clean UTF-8, with "/" between folders; decides the clip's split.
        path: the file or folder.
        kind: "video" or "frames".
    """

    name: str
    path: Path
    kind: Literal["video", "frames"]


@dataclass(frozen=True)
class Rejection:
    """Something that was not used, and why: a line of `rejected.jsonl`.

    Attributes:
        clip: name of the clip, or of the pair's clip.
        path: the file or folder concerned, as text.
        reason: why, in words.
        scope: "clip" (nothing of it is used), "part" (the rest of the clip is used) or "pair".
    """

    clip: str
    path: str
    reason: str
    scope: Literal["clip", "part", "pair"] = "clip"

    def as_json(self) -> dict[str, Any]:
        """Return the line's content."""
        return asdict(self)


def printable(path: Path | str) -> str:
    r"""Write a path as clean UTF-8; bytes that are none become `\xNN`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key that puts "frame2" before "frame10".

    Digits are compared as numbers, everything else as text; equal numbers of different width ("01", "1") by their text.
    """
    parts = re.split(r"([0-9]+)", text)
    return tuple((1, int(part), part) if odd % 2 else (0, 0, part) for odd, part in enumerate(parts))

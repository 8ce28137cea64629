"""One pass over a clip: which frames it really has, when they are shown, and where it is cut."""

import hashlib
import zlib
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ssl_motion.errors import DataError
from ssl_motion.fileio import write_atomically
from ssl_motion.video.clip import Clip, ClipError
from ssl_motion.video.decode import VideoFile
from ssl_motion.video.folder import FrameFolder
from ssl_motion.video.rules import JumpMeter

SCAN_VERSION = 1
# Sound containers overstate by a frame or two; missing more than a tenth is worth a line.
_FEW = 0.9
_NO_PTS = np.iinfo(np.int64).min


@dataclass(frozen=True)
class ClipScan:
    """What one full decoding of a clip of N frames found. 36 bytes a frame; no pixels.

    Attributes:
        pts: int64 [N], time stamps in the stream's unit (a folder: image numbers); the smallest int64 where there
            is none.
        seconds: float64 [N], time stamps in seconds; NaN where there is none.
        segment: int32 [N], grows by one at every interruption by damage and at every change of the frame's size.
        structure: float32 [N], structure jump from the frame before (`rules`).
        colour: float32 [N], colour jump from the frame before.
        check: uint32 [N], CRC-32 of the thumbnails: recognises a frame after seeking.
        height: of the first frame, in pixels.
        width: of the first frame.
        damage: what was broken, "" for nothing.
    """

    pts: npt.NDArray[np.int64]
    seconds: npt.NDArray[np.float64]
    segment: npt.NDArray[np.int32]
    structure: npt.NDArray[np.float32]
    colour: npt.NDArray[np.float32]
    check: npt.NDArray[np.uint32]
    height: int
    width: int
    damage: str = ""

    def __len__(self) -> int:
        return len(self.pts)

    @property
    def seekable(self) -> bool:
        """Whether every frame can be told by its time stamp."""
        return bool(len(self)) and self.pts[0] != _NO_PTS and bool((np.diff(self.pts) > 0).all())

    @property
    def digest(self) -> str:
        """Hash of what is seen and when: the same for the same content, whatever the file is called."""
        content = hashlib.sha256(f"{SCAN_VERSION} {self.height} {self.width}".encode())
        for values in (self.check, self.segment, np.nan_to_num(self.seconds, nan=-1.0).astype("<f8")):
            content.update(np.ascontiguousarray(values).tobytes())
        return content.hexdigest()[:16]

    def save(self, path: Path) -> None:
        """Write the scan as .npz, atomically."""
        arrays: dict[str, Any] = {name: getattr(self, name) for name in _ARRAYS}
        arrays["size"] = np.array([self.height, self.width])
        arrays["damage"] = np.array(self.damage)
        write_atomically(path, lambda file: np.savez(file, allow_pickle=False, **arrays))

    @staticmethod
    def load(path: Path) -> "ClipScan":
        """Read a scan.

        Raises:
            DataError: The file is missing or broken.
        """
        try:
            with np.load(path, allow_pickle=False) as content:
                height, width = (int(value) for value in content["size"])
                arrays = {name: content[name] for name in _ARRAYS}
                return ClipScan(**arrays, height=height, width=width, damage=str(content["damage"]))
        except Exception as error:  # np.load raises whatever a broken zip leads to
            raise DataError(f"{path}: no readable scan ({error}). Delete it and start again.") from error


_ARRAYS = ("pts", "seconds", "segment", "structure", "colour", "check")


def open_clip(clip: Clip, frame_rate: float | None = None) -> VideoFile | FrameFolder:
    """Open a clip for decoding.

    Args:
        clip: which.
        frame_rate: frames per second of folders, which have no time stamps.

    Raises:
        ClipError: It cannot be opened, with the reason.
    """
    return VideoFile(clip.path) if clip.kind == "video" else FrameFolder(clip.path, frame_rate)


def scan_clip(clip: Clip, frame_rate: float | None = None, on_frame: Callable[[], None] = lambda: None) -> ClipScan:
    """Decode a whole clip once and note where its frames and cuts are. Memory: 36 bytes a frame.

    Args:
        clip: which.
        frame_rate: frames per second of folders of frames.
        on_frame: called after each frame, to show progress.

    Raises:
        ClipError: It cannot be opened, or holds fewer than two frames that decode.
    """
    columns: dict[str, array[Any]] = {name: array(code) for name, code in zip(_ARRAYS, "qdiffI", strict=True)}
    meter = JumpMeter()
    size, last_size, resized = (0, 0), None, 0
    with open_clip(clip, frame_rate) as source:
        for frame in source.frames():
            thumbnail = frame.thumbnail()
            structure, colour = meter(thumbnail)
            if last_size is None:
                size = frame.size
            elif frame.size != last_size:
                resized += 1
            last_size = frame.size
            columns["pts"].append(_NO_PTS if frame.pts is None else frame.pts)
            columns["seconds"].append(np.nan if frame.seconds is None else frame.seconds)
            columns["segment"].append(frame.segment + resized)
            columns["structure"].append(structure)
            columns["colour"].append(colour)
            columns["check"].append(zlib.crc32(thumbnail.tobytes()))
            on_frame()
        damage = list(source.damage)
        claimed = source.claimed_frames
    count = len(columns["pts"])
    if 2 <= count < _FEW * claimed - 2 and not damage:
        # Demuxers take the end of a cut-off file for its end, so that nothing else tells.
        damage = [f"{count} frames decoded where the container claims about {claimed}: cut off, or the claim is wrong"]
    if count < 2:
        why = f" ({'; '.join(damage)})" if damage else ""
        raise ClipError(f"{count} frame{'s' if count != 1 else ''} decoded{why}; a pair needs two")
    arrays: dict[str, Any] = {name: np.frombuffer(column, dtype=column.typecode) for name, column in columns.items()}
    return ClipScan(**arrays, height=size[0], width=size[1], damage="; ".join(damage))

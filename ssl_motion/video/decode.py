"""Decoding video files, one frame at a time.

Damage never stops a clip by itself: what decodes is used. After a broken packet
decoding goes on at the next key frame, in a new *segment*; a pair of frames never
reaches over from one segment to another.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from typing_extensions import Self

from ssl_motion.data.sample import UInt8Array
from ssl_motion.video.clip import ClipError
from ssl_motion.video.rules import thumbnail_size

_READ_BUFFER = 1 << 20


class Frame(Protocol):
    """A decoded frame; pixels are converted only when asked for.

    Attributes:
        pts: time stamp in the stream's own unit, the index in a folder, or None where the stream has none.
        seconds: time stamp in seconds, or None.
        segment: number of interruptions by damage before this frame.
        size: (height, width) of `rgb()`.
    """

    @property
    def pts(self) -> int | None: ...  # noqa: D102 - described above
    @property
    def seconds(self) -> float | None: ...  # noqa: D102
    @property
    def segment(self) -> int: ...  # noqa: D102
    @property
    def size(self) -> tuple[int, int]: ...  # noqa: D102

    def rgb(self) -> UInt8Array:
        """Return the pixels: uint8 [H, W, 3], upright."""

    def thumbnail(self) -> UInt8Array:
        """Return the frame with 64 pixels on its long side: uint8 RGB [h, w, 3]."""


@dataclass(frozen=True)
class _DecodedFrame:
    """A frame of a video file."""

    frame: VideoFrame
    segment: int

    @property
    def pts(self) -> int | None:
        return self.frame.pts

    @property
    def seconds(self) -> float | None:
        return self.frame.time

    @property
    def size(self) -> tuple[int, int]:
        height, width = self.frame.height, self.frame.width
        return (width, height) if self._quarter_turns % 2 else (height, width)

    @property
    def _quarter_turns(self) -> int:
        # A phone held upright records lying pictures and a turn, counter-clockwise in degrees
        # (early versions of PyAV do not tell).
        return round(getattr(self.frame, "rotation", 0) / 90)

    def rgb(self) -> UInt8Array:
        pixels = np.rot90(self.frame.to_ndarray(format="rgb24"), self._quarter_turns)
        return np.ascontiguousarray(pixels, dtype=np.uint8)

    def thumbnail(self) -> UInt8Array:
        height, width = thumbnail_size(self.frame.height, self.frame.width)
        small = self.frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA")
        return np.ascontiguousarray(small.to_ndarray(), dtype=np.uint8)


class VideoFile:
    """A video file, open for decoding. A context manager.

    The file is read through Python and with no other protocol, so that any path works
    and a playlist cannot make the decoder open other files or addresses.

    Attributes:
        damage: one line per kind of fault met so far.
    """

    def __init__(self, path: Path) -> None:
        self.damage: list[str] = []
        self._file: BinaryIO | None = None
        try:
            if path.stat().st_size == 0:
                raise ClipError("empty file (0 bytes)")
            self._file = path.open("rb", buffering=_READ_BUFFER)
            self._container = av.open(
                self._file, mode="r", buffer_size=_READ_BUFFER, options={"protocol_whitelist": "none"}
            )
        except (OSError, ValueError, av.FFmpegError) as error:
            self._close_file()
            raise ClipError(_cannot_open(error)) from error
        pictures = [stream for stream in self._container.streams.video if not _is_cover(stream)]
        if not pictures:
            kinds = sorted({stream.type for stream in self._container.streams})
            self.close()
            sound_only = "audio only: " if "audio" in kinds else ""
            raise ClipError(f"{sound_only}no video stream (streams: {', '.join(kinds) or 'none'})")
        self._stream = pictures[0]
        # One thread per worker process: workers share the cores, and the output never depends on timing.
        self._stream.codec_context.thread_count = 1
        self._stream.thread_type = "NONE"
        # Without this, decoders paint over what they cannot read, and say nothing.
        self._stream.codec_context.options = {"err_detect": "explode"}

    @property
    def claimed_frames(self) -> int:
        """Number of frames that the container claims (0: it claims none). Often wrong; for estimates only."""
        if self._stream.frames:
            return int(self._stream.frames)
        rate: Fraction | None = self._stream.average_rate
        return int((self._container.duration or 0) / 1e6 * rate) if rate else 0

    def frames(self, from_pts: int | None = None) -> Iterator[Frame]:
        """Decode frames in the order they are shown.

        Args:
            from_pts: start at the last key frame at or before this time stamp, instead of where decoding stands.

        Raises:
            ClipError: The file cannot be seeked in, or its decoder is missing.
        """
        if from_pts is not None:
            try:
                self._container.seek(from_pts, stream=self._stream, backward=True, any_frame=False)
            except av.FFmpegError as error:
                raise ClipError(f"cannot seek: {_words(error)}") from error
        segment, count, wait_for_key = 0, 0, False
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError as error:
                self._note(f"reading stopped after {count} frames: {_words(error)}")
                return
            if packet is None:
                return
            if wait_for_key and packet.size and not packet.is_keyframe:
                continue
            try:
                decoded = packet.decode()
            except av.error.EOFError:
                return
            except av.FFmpegError as error:
                self._note(f"broken data after {count} frames ({_words(error)}); went on at the next key frame")
                self._stream.codec_context.flush_buffers()
                segment, wait_for_key = segment + 1, True
                continue
            wait_for_key = False
            for frame in decoded:
                count += 1
                if frame.is_corrupt:
                    self._note(f"frame {count - 1} is damaged; left out")
                    segment += 1
                    continue
                yield _DecodedFrame(frame, segment)

    def _note(self, text: str) -> None:
        # The first few faults say enough; a shredded file has thousands.
        if len(self.damage) < 3:
            self.damage.append(text)

    def close(self) -> None:
        """Close the file."""
        self._container.close()
        self._close_file()

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _is_cover(stream: VideoStream) -> bool:
    """Whether a video stream is a music file's cover picture."""
    disposition = getattr(stream, "disposition", None)
    return disposition is not None and "attached_pic" in str(disposition)


def _words(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error) or type(error).__name__


def _cannot_open(error: Exception) -> str:
    if isinstance(error, av.error.InvalidDataError):
        return "not a video, or cut off before its table of contents (a truncated .mp4 has none): " + _words(error)
    return f"cannot be read: {_words(error)}"

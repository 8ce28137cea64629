"""Getting the pixels of chosen frame pairs, with as little decoding and memory as they need."""

import zlib
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from ssl_motion.data.sample import UInt8Array
from ssl_motion.video.clip import Clip, ClipError
from ssl_motion.video.decode import Frame, VideoFile
from ssl_motion.video.folder import FrameFolder
from ssl_motion.video.scan import ClipScan, open_clip

# Nearer than this, decoding on is cheaper than seeking back to a key frame.
_SEEK_BEYOND = 250
_CHANGED = "the clip is not what it was when it was scanned; start again with a new output folder"


def read_pairs(
    clip: Clip,
    scan: ClipScan,
    pairs: npt.NDArray[np.int64],
    convert: Callable[[UInt8Array], UInt8Array],
) -> Iterator[tuple[int, int, UInt8Array, UInt8Array]]:
    """Yield (first index, second index, first frame, second frame) for each pair.

    Holds only frames that a later pair needs: for stride >= gap two, else about gap / stride.

    Args:
        clip: the clip that was scanned.
        scan: its scan.
        pairs: int64 [N, 2] of `select_pairs`, or a run of rows of it.
        convert: applied once to each needed frame (uint8 RGB [H, W, 3]), such as a resize.

    Raises:
        ClipError: The clip can no longer be read as it was scanned.
    """
    last_use = {int(index): position for position, pair in enumerate(pairs) for index in pair}
    wanted = sorted(last_use)
    frames = _frames_at(clip, scan, wanted)
    held: dict[int, UInt8Array] = {}
    for position, (first, second) in enumerate(pairs.tolist()):
        while second not in held:
            try:
                index, frame = next(frames)
            except StopIteration:
                raise ClipError(_CHANGED) from None
            held[index] = convert(frame.rgb())
        yield first, second, held[first], held[second]
        for index in [index for index in held if last_use[index] <= position]:
            del held[index]


def _frames_at(clip: Clip, scan: ClipScan, wanted: list[int]) -> Iterator[tuple[int, Frame]]:
    """Yield the wanted frames (growing indices); seeks over long distances, and checks that it landed exactly."""
    may_seek = scan.seekable
    beyond = _SEEK_BEYOND if clip.kind == "video" else 0
    position = 0
    source = open_clip(clip)
    try:
        frames = source.frames()
        for target in wanted:
            if may_seek and target - position > beyond:
                landed = _seek(source, scan, target)
                if landed is not None:
                    frames, frame = landed
                    position = target + 1
                    yield target, frame
                    continue
                # This stream cannot be entered in the middle exactly: read it from its start, as the scan did.
                may_seek = False
                source.__exit__(None, None, None)
                source = open_clip(clip)
                frames, position = source.frames(), 0
            frame = _advance(frames, target - position)
            position = target + 1
            if scan.seekable and frame.pts != scan.pts[target]:
                raise ClipError(_CHANGED)
            yield target, frame
    finally:
        source.__exit__(None, None, None)


def _advance(frames: Iterator[Frame], skip: int) -> Frame:
    for _ in range(skip):
        next(frames, None)
    frame = next(frames, None)
    if frame is None:
        raise ClipError(_CHANGED)
    return frame


def _seek(source: VideoFile | FrameFolder, scan: ClipScan, target: int) -> tuple[Iterator[Frame], Frame] | None:
    """Jump to frame `target`; None when what is found there is not exactly what decoding from the start gave."""
    wanted = int(scan.pts[target])
    try:
        frames = source.frames(wanted)
        for frame in frames:
            if frame.pts is None or frame.pts > wanted:
                return None
            if frame.pts == wanted:
                same = zlib.crc32(frame.thumbnail().tobytes()) == scan.check[target]
                return (frames, frame) if same else None
    except ClipError:
        return None
    return None

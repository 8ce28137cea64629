"""Writing clips: MP4, GIF, or a folder of PNGs."""

import re
from collections.abc import Iterable
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from PIL import Image

from ssl_motion.data.sample import UInt8Array
from ssl_motion.errors import RunError, UsageError
from ssl_motion.fileio import read_json_object, write_atomically, write_json
from ssl_motion.folders import replaced_folder
from ssl_motion.propagation.outputs import write_png

_QUALITY = "16"  # constant rate factor of x264: 0 is lossless, 18 looks so to most people
_FRAME_NAME = "frame_{:05d}.png"
_LIKE_OURS = re.compile(r"frame_\d{5}\.png")

CLIP_CARD = "clip.json"
"""File beside the frames of a folder that says which of them are a clip of this program."""

_WRITER = "ssl-bench animate"


def check_clip_path(path: Path) -> None:
    """Check that a clip can be written under this name; nothing is written.

    Raises:
        UsageError: The suffix is none that can be written, or a folder is in the way, or a file where one is to go; or
            a folder holds frames, or a file `CLIP_CARD`, that are no clip of this program.
    """
    suffix = path.suffix.lower()
    if suffix not in ("", ".mp4", ".gif") and not path.is_dir():
        raise UsageError(f"{path}: expected a name that ends in .mp4 or .gif, or a folder for frames as PNG")
    if suffix in (".mp4", ".gif") and path.is_dir():
        raise UsageError(f"{path} is a folder")
    if not suffix and path.is_file():
        raise UsageError(f"{path} is a file; expected a folder for frames, or a name that ends in .mp4 or .gif")
    if path.is_dir():
        ours = _former(path)
        foreign = sorted(each.name for each in path.iterdir() if _may_collide(each.name) and each.name not in ours)
        if foreign:
            raise UsageError(
                f"{path} holds {foreign[0]}{f' and {len(foreign) - 1} more' if len(foreign) > 1 else ''}, of which no "
                f"{CLIP_CARD} says that a former clip left it: name another folder"
            )


def clip_files(path: Path, frames: int) -> list[str]:
    """List what `save_clip` writes or removes: names in the folder, or "" for a file.

    Args:
        path: of the clip.
        frames: number of them.
    """
    if path.suffix.lower() in (".mp4", ".gif"):
        return [""]
    return sorted({CLIP_CARD, *map(_FRAME_NAME.format, range(frames)), *_former(path)})


def clip_rate(path: Path, fps: float) -> float:
    """Frames per second that a clip really has: GIF counts the time of a frame in 1/100 s, and has 1/50 s at least.

    Args:
        path: as given to `save_clip`.
        fps: likewise.
    """
    return 1000 / _durations(fps) if path.suffix.lower() == ".gif" else fps


def _may_collide(name: str) -> bool:
    return name == CLIP_CARD or _LIKE_OURS.fullmatch(name) is not None


def _former(folder: Path) -> set[str]:
    """Names of the files in a folder that a former clip left; none where no card of ours says so."""
    try:
        card = read_json_object(folder / CLIP_CARD)
        if card.get("writer") != _WRITER:
            return set()
        return {CLIP_CARD, *map(_FRAME_NAME.format, range(min(int(card["frames"]), 10**5)))}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def save_clip(frames: Iterable[UInt8Array], path: Path, fps: float) -> None:
    """Write a clip, frame by frame as they come.

    Args:
        frames: uint8 [H, W, 3] RGB, all of one size; one or more.
        path: NAME.mp4 (H.264, which browsers play; it stores colour at half the resolution and wants even sides, so an
            odd one gets its last row or column twice), NAME.gif (256 colours, chosen on the first frame; times in
            1/100 s; repeats for ever), or a folder (frame_00000.png and on, exact, and `CLIP_CARD`; the frames of a
            clip before, which its card names, are replaced, other files stay).
        fps: frames per second.

    Raises:
        UsageError: See `check_clip_path`.
        RunError: The file cannot be written; what was there stays.
    """
    check_clip_path(path)
    suffix = path.suffix.lower()
    if suffix == ".mp4":
        write_atomically(path, lambda file: _write_mp4(file, frames, fps))
    elif suffix == ".gif":
        write_atomically(path, lambda file: _write_gif(file, frames, fps))
    else:
        former = _former(path)
        with replaced_folder(path, lambda name: name in former) as folder:
            for number, frame in enumerate(frames):
                write_png(folder / _FRAME_NAME.format(number), frame)
            write_json(folder / CLIP_CARD, {"writer": _WRITER, "frames": number + 1, "fps": fps})
            check_clip_path(path)  # rendering takes time, in which somebody may have put frames there


def _write_mp4(file: BinaryIO, frames: Iterable[UInt8Array], fps: float) -> None:
    with av.open(file, "w", format="mp4") as container:
        stream = None
        for frame in frames:
            even = np.pad(frame, ((0, frame.shape[0] % 2), (0, frame.shape[1] % 2), (0, 0)), "edge")
            if stream is None:
                try:
                    stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000))
                except av.codec.codec.UnknownCodecError:
                    raise RunError(
                        "this installation of PyAV has no H.264 encoder (its wheels have); write a .gif or a folder"
                    ) from None
                stream.height, stream.width = even.shape[:2]
                stream.pix_fmt = "yuv420p"
                # One thread, so that the same frames give the same bytes.
                stream.options = {"crf": _QUALITY, "threads": "1"}
            container.mux(stream.encode(av.VideoFrame.from_ndarray(even, "rgb24")))
        assert stream is not None, "a clip has frames"
        container.mux(stream.encode())


def _write_gif(file: BinaryIO, frames: Iterable[UInt8Array], fps: float) -> None:
    pictures = map(Image.fromarray, frames)
    first = next(pictures)
    # One palette for all, and no dithering: else what stands still would flicker. Pillow's default (median cut) loses
    # strong colours of small things.
    palette = first.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=1)
    indexed = (picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in chain((first,), pictures))
    next(indexed).save(file, "GIF", save_all=True, append_images=indexed, duration=_durations(fps), loop=0)


def _durations(fps: float) -> int:
    """Milliseconds of a frame; GIF counts in hundredths of a second, and browsers slow down what is under two."""
    return max(20, round(100 / fps) * 10)

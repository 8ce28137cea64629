"""Clips in the making: one at a time, with progress, and they can be stopped."""

import logging
import shutil
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any, Literal

from ssl_motion.animation.clips import save_clip
from ssl_motion.animation.render import Warp, render
from ssl_motion.animation.script import MotionScript
from ssl_motion.animation.splat import Fill
from ssl_motion.data.sample import UInt8Array
from ssl_motion.errors import SSLMotionError, UsageError
from ssl_motion.propagation.predictor import Seen
from ssl_motion.spec import Strict
from ssl_motion.studio.desk import Desk
from ssl_motion.studio.library import NotThere, Picture
from ssl_motion.studio.pictures import reduced

PREVIEW_SIDE = 512
"""Longer side of previews, in pixels: they are to be there soon."""

_KEPT = 8  # finished clips; the browser fetches one as soon as it is there


class ClipOrder(Strict):
    """What clip is wanted.

    Attributes:
        script: guidance over time, in the picture's pixels.
        format: "mp4", "gif", or "png" for a ZIP of frames.
        warp: see `ssl_motion.animation.render.warp_frame`.
        fill: likewise.
        preview: reduce the picture first, so that its longer side is at most `PREVIEW_SIDE`.
    """

    script: MotionScript
    format: Literal["mp4", "gif", "png"] = "mp4"
    warp: Warp = "forward"
    fill: Fill = "inpaint"
    preview: bool = False


@dataclass
class Job:
    """A clip in the making.

    Attributes:
        name: by which it is asked for.
        total: number of frames.
        done: frames that are made.
        state: "waiting", "running", "done", "failed" or "stopped".
        message: why it failed.
        file: the clip, when done.
    """

    name: str
    total: int
    done: int = 0
    state: Literal["waiting", "running", "done", "failed", "stopped"] = "waiting"
    message: str = ""
    file: Path | None = None
    stop: threading.Event = field(default_factory=threading.Event)

    def facts(self) -> dict[str, Any]:
        """What the browser is told."""
        return {"job": self.name, "state": self.state, "done": self.done, "total": self.total, "message": self.message}


class _Stopped(Exception):
    """Somebody does not want the clip any more."""


class Clips:
    """Makes clips in a thread of its own; the last few stay until `close`.

    Args:
        desk: where pictures are looked at.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()  # over what is known and what has a file
        self._folder = Path(tempfile.mkdtemp(prefix="ssl-motion-clips-"))
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="clips")

    def start(self, picture: Picture, order: ClipOrder) -> Job:
        """Begin a clip.

        Raises:
            UsageError: A point of the script lies outside the picture.
        """
        order.script.checked(self._desk.size(picture))
        job = Job(token_hex(8), order.script.frames)
        with self._lock:
            self._jobs[job.name] = job
            for name in list(self._jobs)[:-_KEPT]:
                self._forget(name)
        self._worker.submit(self._make, job, picture, order)
        return job

    def find(self, name: str) -> Job:
        """Find a job.

        Raises:
            NotThere: There is none of that name, or it is long gone.
        """
        try:
            return self._jobs[name]
        except KeyError:
            raise NotThere("no such clip: it is gone; make it again") from None

    def stop(self, name: str) -> Job:
        """Stop a job; its next frame is not made."""
        job = self.find(name)
        job.stop.set()
        return job

    def close(self) -> None:
        """Stop everything and remove the clips."""
        for job in list(self._jobs.values()):
            job.stop.set()
        self._worker.shutdown(wait=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _forget(self, name: str) -> None:
        job = self._jobs.pop(name)
        job.stop.set()
        if job.file is not None:
            job.file.unlink(missing_ok=True)

    def _make(self, job: Job, picture: Picture, order: ClipOrder) -> None:
        try:
            if job.stop.is_set():
                raise _Stopped
            job.state = "running"
            image, script, seen = self._material(picture, order)
            frames = _counted(render(seen, image, script, order.warp, order.fill), job)
            target = self._folder / (job.name if order.format == "png" else f"{job.name}.{order.format}")
            save_clip(frames, target, script.fps)
            file = _zipped(target) if order.format == "png" else target
            with self._lock:
                if job.name not in self._jobs:  # forgotten while its last frame was written
                    file.unlink()
                    raise _Stopped
                job.file, job.state = file, "done"
        except _Stopped:
            job.state = "stopped"
        except SSLMotionError as error:
            job.message, job.state = str(error), "failed"
        except Exception as error:
            job.message, job.state = f"{type(error).__name__}: {error}", "failed"
            logging.getLogger(__name__).exception("a clip could not be made")

    def _material(self, picture: Picture, order: ClipOrder) -> tuple[UInt8Array, MotionScript, Seen]:
        if not order.preview:
            image, seen = self._desk.with_seen(picture, lambda pixels, seen: (pixels, seen))
            return image, order.script, seen
        pixels = self._desk.pixels(picture)
        image = reduced(pixels, PREVIEW_SIDE)
        if image is pixels:
            return self._material(picture, order.model_copy(update={"preview": False}))
        return image, _scaled(order.script, pixels, image), self._desk.predictor.look(image)


def _scaled(script: MotionScript, pixels: UInt8Array, image: UInt8Array) -> MotionScript:
    """Turn a script for a picture into one for the picture reduced; centres of corners' pixels stay inside."""
    down, across = (image.shape[axis] / pixels.shape[axis] for axis in (0, 1))

    def place(x: float, y: float) -> tuple[float, float]:
        return (x + 0.5) * across - 0.5, (y + 0.5) * down - 0.5

    keys = [
        {
            "frame": key.frame,
            "arrows": [(*place(x, y), dx * across, dy * down) for x, y, dx, dy in key.arrows],
            "stills": [place(x, y) for x, y in key.stills],
        }
        for key in script.keys
    ]
    return MotionScript.model_validate({"keys": keys, "fps": script.fps})


def _counted(frames: Iterator[UInt8Array], job: Job) -> Iterator[UInt8Array]:
    for frame in frames:
        if job.stop.is_set():
            raise _Stopped
        yield frame
        job.done += 1


def _zipped(folder: Path) -> Path:
    target = folder.with_suffix(".zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.glob("*.png")):
            archive.write(path, path.name)
    shutil.rmtree(folder)
    return target


def check_frames(order: ClipOrder) -> None:
    """Refuse clips of a single frame, which are no clips.

    Raises:
        UsageError: The script has one key frame, at frame 0.
    """
    if order.script.frames < 2:
        raise UsageError("the clip has one frame: add a key frame later on the time line")

"""The first pass: every clip is decoded once, and what it holds is kept on disk."""

import os
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ssl_motion.errors import DataError
from ssl_motion.identity import digest
from ssl_motion.prepare.folder import OutputFolder
from ssl_motion.prepare.pool import Tick, run_parallel
from ssl_motion.prepare.resize import target_size
from ssl_motion.prepare.spec import PrepareSpec
from ssl_motion.progress import Progress
from ssl_motion.video.clip import Clip, ClipError
from ssl_motion.video.discover import list_images
from ssl_motion.video.pairs import select_pairs
from ssl_motion.video.scan import SCAN_VERSION, ClipScan, open_clip, scan_clip

# Below this, no estimator has room to work.
MIN_SIDE = 16
_COUNT_FRAMES_OF = 200


@dataclass(frozen=True)
class ClipSummary:
    """What the first pass found in a clip; `reason` is set where it cannot be used."""

    clip: Clip
    frames: int = 0
    pairs: int = 0
    across_cuts: int = 0
    across_damage: int = 0
    off_time: int = 0
    content: str = ""
    damage: str = ""
    reason: str = ""


def scan_all(clips: list[Clip], spec: PrepareSpec, out: OutputFolder, processes: int) -> list[ClipSummary]:
    """Scan clips in parallel; what an earlier run scanned is taken over.

    Args:
        clips: with unique names.
        spec: settings.
        out: the data set's folder; scans are kept below it.
        processes: worker processes.

    Returns:
        One summary per clip, in order; a clip that cannot be used has a `reason`.
    """
    # A few long clips need finer steps than clips; of very many, opening each beforehand would take too long.
    by_frames = len(clips) <= _COUNT_FRAMES_OF
    items = [(clip, _claimed_frames(clip) if by_frames else 1) for clip in clips]
    total = sum(steps for _, steps in items)
    with Progress("reading clips", total, "frames" if by_frames else "clips") as progress:
        work = partial(_scan_one, spec=spec, out=out)
        found = {
            summary.clip.name: summary for summary in run_parallel(work, items, min(processes, len(items)), progress)
        }
    return [found[clip.name] for clip in clips]


def _claimed_frames(clip: Clip) -> int:
    """Number of frames for the progress bar alone, which containers may be trusted with."""
    try:
        with open_clip(clip) as source:
            return max(1, source.claimed_frames)
    except ClipError:
        return 1


class _Steps:
    """Ticks once per frame, but as often as was claimed in all."""

    def __init__(self, tick: Tick, claimed: int) -> None:
        self._tick, self._left = tick, claimed

    def __call__(self) -> None:
        if self._left:
            self._left -= 1
            self._tick()

    def finish(self) -> None:
        while self._left:
            self()


def _scan_one(item: tuple[Clip, int], tick: Tick, *, spec: PrepareSpec, out: OutputFolder) -> ClipSummary:
    clip, claimed = item
    steps = _Steps(tick, claimed)
    try:
        scan = _scan(clip, spec, out, steps)
        pairs = select_pairs(scan, spec.pairs)
    except ClipError as error:
        return ClipSummary(clip, reason=str(error))
    finally:
        steps.finish()
    short = min(target_size(scan.height, scan.width, spec.short_side))
    if short < MIN_SIDE:
        return ClipSummary(
            clip, len(scan), reason=f"frames of {scan.width} x {scan.height} are too small (at least {MIN_SIDE})"
        )
    reason = "" if len(pairs.pairs) else _why_no_pairs(scan, spec, pairs.across_cuts, pairs.off_time)
    counts = (len(scan), len(pairs.pairs), pairs.across_cuts, pairs.across_damage, pairs.off_time)
    return ClipSummary(clip, *counts, content=scan.digest, damage=scan.damage, reason=reason)


def _scan(clip: Clip, spec: PrepareSpec, out: OutputFolder, on_frame: Tick) -> ClipScan:
    path = scan_path(clip, spec, out)
    if path.exists():
        # One that cannot be read is made again.
        with suppress(DataError):
            return ClipScan.load(path)
    scan = scan_clip(clip, spec.pairs.frame_rate, on_frame)
    scan.save(path)
    return scan


def _why_no_pairs(scan: ClipScan, spec: PrepareSpec, across_cuts: int, off_time: int) -> str:
    rule = spec.pairs
    if rule.gap_seconds is None and len(scan) <= rule.gap:
        return f"{len(scan)} frames decoded; a gap of {rule.gap} needs more"
    if off_time:
        step = float(np.median(np.diff(scan.seconds)))
        return f"no two frames are about {rule.gap_seconds} s apart (frames come every {step:.3g} s)"
    if across_cuts:
        return "every pair reaches over a cut"
    return f"no pair in {len(scan)} frames" + (f" ({scan.damage})" if scan.damage else "")


def scan_path(clip: Clip, spec: PrepareSpec, out: OutputFolder) -> Path:
    """File of a clip's scan; another file content or folder content gives another name."""
    try:
        files = [clip.path] if clip.kind == "video" else list_images(clip.path)
        state = [(os.fsencode(file.name).hex(), (stat := file.stat()).st_size, stat.st_mtime_ns) for file in files]
    except OSError as error:
        raise ClipError(f"cannot be read: {error.strerror or error}") from error
    return out.scans / f"{digest([SCAN_VERSION, clip.name, clip.kind, spec.pairs.frame_rate, state])}.npz"

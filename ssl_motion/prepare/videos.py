"""Videos -> pairs -> shards.

Two passes. The first decodes every clip once (`ssl_motion.video.scan_clip`), so that the pairs, and with them the
shards, are known exactly and do not rest on what containers claim. The second makes the shards, each by itself:
consecutive pairs of consecutive clips, decoded again (from the nearest key frame), resized, and measured by the flow
estimator.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ssl_motion.data.sample import FlowSample
from ssl_motion.data.shards import Split, shard_name
from ssl_motion.errors import DataError, UsageError
from ssl_motion.flow.protocol import FlowEstimator
from ssl_motion.identity import digest
from ssl_motion.plugins import FLOW_ESTIMATORS, load
from ssl_motion.prepare.folder import OutputFolder
from ssl_motion.prepare.pipeline import Plan, PrepareResult, run_plan
from ssl_motion.prepare.resize import shrink
from ssl_motion.prepare.scanning import ClipSummary, scan_all, scan_path
from ssl_motion.prepare.spec import PrepareSpec, ShardSpec
from ssl_motion.prepare.split import split_clips
from ssl_motion.video.clip import Clip, ClipError, Rejection, printable
from ssl_motion.video.discover import Discovery, find_clips
from ssl_motion.video.pairs import select_pairs
from ssl_motion.video.reader import read_pairs
from ssl_motion.video.scan import ClipScan, open_clip


@dataclass(frozen=True)
class VideoUnit:
    """Plan of one shard: runs of pairs (clip, first pair, end)."""

    shard: str
    runs: tuple[tuple[Clip, int, int], ...]

    @property
    def planned(self) -> int:
        """Number of pairs that are tried."""
        return sum(stop - start for _, start, stop in self.runs)

    def describe(self) -> Any:
        """Return the plan as JSON data."""
        return [self.shard, [[clip.name, start, stop] for clip, start, stop in self.runs]]

    def candidates(self, spec: ShardSpec, out: OutputFolder) -> Iterator[FlowSample | Rejection]:
        """Decode, resize and measure every pair."""
        assert isinstance(spec, PrepareSpec)
        estimator = make_estimator(spec)
        for clip, start, stop in self.runs:
            try:
                yield from _samples(clip, start, stop, spec, out, estimator)
            except (ClipError, UsageError, cv2.error) as error:
                yield Rejection(clip.name, printable(clip.path), f"pairs {start} to {stop - 1}: {error}", "part")


def prepare(
    inputs: Sequence[str | Path], spec: PrepareSpec, out: Path, *, processes: int = 1, name: str | None = None
) -> PrepareResult:
    """Turn videos into a data set of image-flow pairs.

    Repeating the call continues what was interrupted and leaves what is finished as it is; the shards' bytes
    do not depend on interruptions or on the number of processes.

    Args:
        inputs: video files, folders, globs, folders of frames (`ssl_motion.video.find_clips`).
        spec: settings.
        out: folder of the data set.
        processes: worker processes. With more than one, call this from a script whose main part is guarded by
            `if __name__ == "__main__"`.
        name: name of the data set in records and reports; the folder's name unless given.

    Raises:
        UsageError: An input is missing, the estimator is unknown, or `out` holds something else.
        RunError: No pair could be kept, the disk is full, or `out` is in use or cannot be written.
    """
    estimator = make_estimator(spec)
    folder = OutputFolder(out)
    settings = settings_of(spec, estimator)
    folder.check(settings)
    found = find_clips(inputs, exclude=out)
    _check_time_stamps(found, spec)
    with folder.locked(settings):
        summaries = scan_all(found.clips, spec, folder, processes)
        plan = _plan(found, summaries, spec, settings)
        return run_plan(
            plan,
            spec,
            folder,
            processes=processes,
            name=name or out.resolve().name,
            flow=(spec.flow, estimator.version, estimator.supervision),
        )


def describe(inputs: Sequence[str | Path], spec: PrepareSpec, out: Path) -> dict[str, Any]:
    """Say what `prepare` would do, without decoding or writing anything.

    The containers' own, often wrong, numbers of frames are all there is to estimate from.

    Raises:
        UsageError: As `prepare`.
    """
    estimator = make_estimator(spec)
    folder = OutputFolder(out)
    settings = settings_of(spec, estimator)
    folder.check(settings)
    found = find_clips(inputs, exclude=out)
    _check_time_stamps(found, spec)
    clips = []
    for clip in found.clips:
        try:
            with open_clip(clip) as source:
                clips.append({"clip": clip.name, "kind": clip.kind, "claimed_frames": source.claimed_frames})
        except ClipError as error:
            clips.append({"clip": clip.name, "kind": clip.kind, "problem": str(error)})
    return {
        "out": str(out),
        "settings": settings,
        "identity": digest([settings, [clip.name for clip in found.clips]]),
        "clips": clips,
        "rejected": [rejection.as_json() for rejection in found.rejected],
        "cached": (out / "index.json").is_file(),
        "started": folder.settings() is not None,
    }


def make_estimator(spec: PrepareSpec) -> FlowEstimator:
    """Build the flow estimator.

    Raises:
        UsageError: There is none of that name, or it does not take these options.
    """
    kind = load(FLOW_ESTIMATORS, spec.flow)
    try:
        estimator: FlowEstimator = kind(**spec.flow_options)
    except TypeError as error:
        raise UsageError(f"flow estimator {spec.flow!r} does not take these options: {error}") from error
    return estimator


def settings_of(spec: PrepareSpec, estimator: FlowEstimator) -> dict[str, Any]:
    """Return all settings that determine the shards, as JSON data."""
    return {"kind": "videos", **spec.model_dump(mode="json"), "flow_version": estimator.version}


def _check_time_stamps(found: Discovery, spec: PrepareSpec) -> None:
    if spec.pairs.gap_seconds is None or spec.pairs.frame_rate is not None:
        return
    for clip in found.clips:
        if clip.kind == "frames":
            raise UsageError(
                f"a gap in seconds needs time stamps, and the folder of frames {clip.name} has none: "
                "say its frame rate (--frame-rate), or give the gap in frames (--gap)"
            )


def _plan(found: Discovery, summaries: list[ClipSummary], spec: PrepareSpec, settings: dict[str, Any]) -> Plan:
    usable = [summary for summary in summaries if summary.pairs]
    held_out = split_clips([summary.clip.name for summary in usable], spec.val_fraction)
    split_of = {summary.clip.name: "val" if val else "train" for summary, val in zip(usable, held_out, strict=True)}
    units = [
        *_units([summary for summary in usable if split_of[summary.clip.name] == "train"], "train", spec),
        *_units([summary for summary in usable if split_of[summary.clip.name] == "val"], "val", spec),
    ]
    rejected = list(found.rejected)
    clips = []
    for summary in summaries:
        clip = summary.clip
        if summary.reason:
            rejected.append(Rejection(clip.name, printable(clip.path), summary.reason))
        elif summary.damage:
            rejected.append(Rejection(clip.name, printable(clip.path), f"used in part: {summary.damage}", "part"))
        clips.append(
            {
                "clip": clip.name,
                "path": printable(clip.path),
                "split": split_of.get(clip.name),
                "frames": summary.frames,
                "pairs_tried": summary.pairs,
                "across_cuts": summary.across_cuts,
                "across_damage": summary.across_damage,
                "off_time": summary.off_time,
            }
        )
    identity = digest([settings, [[summary.clip.name, summary.content, summary.pairs] for summary in summaries]])
    return Plan(identity, units, rejected, clips, settings)


def _units(summaries: list[ClipSummary], split: Split, spec: PrepareSpec) -> Iterator[VideoUnit]:
    """Cut the row of all pairs of a split into shards of about the same size, so that all processes have work."""
    total = sum(summary.pairs for summary in summaries)
    size = -(-total // max(1, -(-total // spec.pairs_per_shard)))
    number, room = 0, size
    runs: list[tuple[Clip, int, int]] = []
    for summary in summaries:
        start = 0
        while start < summary.pairs:
            stop = min(summary.pairs, start + room)
            runs.append((summary.clip, start, stop))
            room -= stop - start
            start = stop
            if not room:
                yield VideoUnit(shard_name(split, number), tuple(runs))
                number, room, runs = number + 1, size, []
    if runs:
        yield VideoUnit(shard_name(split, number), tuple(runs))


def _samples(
    clip: Clip, start: int, stop: int, spec: PrepareSpec, out: OutputFolder, estimator: FlowEstimator
) -> Iterator[FlowSample | Rejection]:
    try:
        scan = ClipScan.load(scan_path(clip, spec, out))
    except DataError as error:
        raise ClipError(f"the clip changed while it was being used, or its scan is gone ({error})") from error
    pairs = select_pairs(scan, spec.pairs).pairs[start:stop]
    for first, second, image, later in read_pairs(clip, scan, pairs, partial(shrink, short_side=spec.short_side)):
        valid = np.ones(image.shape[:2], dtype=np.bool_)
        # Repeated frames are common (converted frame rates); they need no estimator to be still.
        same = np.array_equal(image, later)
        flow = np.zeros((*image.shape[:2], 2), np.float32) if same else estimator.estimate(image, later)
        if not np.isfinite(flow).all():
            reason = f"frames {first} and {second}: the estimated flow holds NaN or infinity"
            yield Rejection(clip.name, printable(clip.path), reason, "pair")
            continue
        yield FlowSample(image, flow, valid, clip.name, first, second - first)

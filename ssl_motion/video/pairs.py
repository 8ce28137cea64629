"""Which frames of a scanned clip form pairs."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from ssl_motion.spec import Strict
from ssl_motion.video.clip import ClipError
from ssl_motion.video.rules import CutRule
from ssl_motion.video.scan import ClipScan

MAX_GAP = 1000
# A pair may miss the wanted distance in time by so much of it (variable frame rate, lost frames).
TIME_TOLERANCE = 0.5

# With a gap in frames, no pair reaches over a step in time that is longer than so many ordinary ones.
_HOLE = 3.0

IntArray = npt.NDArray[np.int64]


class PairRule(Strict):
    """How frames are paired.

    Attributes:
        gap: distance of the two frames of a pair, in decoded frames (unused when `gap_seconds` is set). A pair is left
            out where frames are missing between the two (a step in time of more than three ordinary ones).
        gap_seconds: distance in seconds: the second frame is the one nearest in time, and the pair is left out where
            that misses by more than half the distance. Needs time stamps, or `frame_rate` for folders.
        stride: distance in frames between the first frames of successive pairs; None: as far as the pair reaches, so
            that each frame ends one pair and begins the next.
        max_pairs: at most so many pairs of a clip, spread evenly over it; None for all.
        frame_rate: frames per second of folders of frames.
        cut: what counts as a cut; no pair reaches over one.
    """

    gap: Annotated[int, Field(ge=1, le=MAX_GAP)] = 3
    gap_seconds: Annotated[float, Field(gt=0, le=60)] | None = None
    stride: Annotated[int, Field(ge=1)] | None = None
    max_pairs: Annotated[int, Field(ge=1)] | None = None
    frame_rate: Annotated[float, Field(gt=0, le=1000)] | None = None
    cut: CutRule = CutRule()


@dataclass(frozen=True)
class PairPlan:
    """The pairs of a clip.

    Attributes:
        pairs: int64 [N, 2], indices of decoded frames (first, second), both growing.
        across_cuts: number of pairs left out because they reach over a cut.
        across_damage: number of pairs left out because they reach over damage, a hole in time or a change of size.
        off_time: number of pairs left out because no frame lies near enough in time.
    """

    pairs: IntArray
    across_cuts: int = 0
    across_damage: int = 0
    off_time: int = 0


def select_pairs(scan: ClipScan, rule: PairRule) -> PairPlan:
    """Choose the pairs of a clip; a pure function of the scan and the rule.

    Raises:
        ClipError: `gap_seconds` is set and the clip has no time stamps.
    """
    count = len(scan)
    segment = scan.segment.astype(np.int64)
    if rule.gap_seconds is None:
        first = np.arange(0, max(count - rule.gap, 0), rule.stride or rule.gap, dtype=np.int64)
        second = first + rule.gap
        off_time = 0
        segment = segment + np.cumsum(_holes(scan.seconds))
    else:
        first, second, off_time = _pairs_in_time(scan.seconds, rule.gap_seconds, rule.stride)
    same_segment = segment[first] == segment[second]
    jumps = (scan.structure > rule.cut.structure) | (scan.colour > rule.cut.colour)
    shot = np.cumsum(jumps)
    same_shot = shot[first] == shot[second]
    kept = np.stack([first, second], axis=1)[same_segment & same_shot]
    if rule.max_pairs is not None and len(kept) > rule.max_pairs:
        kept = kept[np.arange(rule.max_pairs) * len(kept) // rule.max_pairs]
    return PairPlan(kept, int((same_segment & ~same_shot).sum()), int((~same_segment).sum()), off_time)


def _holes(seconds: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Mark frames, float64 [N] in seconds, before which frames are missing (lost without a decoder noticing)."""
    steps = np.diff(seconds, prepend=seconds[:1])
    if not np.isfinite(steps).all():
        return np.zeros(len(seconds), dtype=np.bool_)
    holes: npt.NDArray[np.bool_] = (steps > _HOLE * np.median(steps[1:])) | (steps < 0)
    return holes


def _pairs_in_time(seconds: npt.NDArray[np.float64], gap: float, stride: int | None) -> tuple[IntArray, IntArray, int]:
    """Pair every (stride-th) frame with the one nearest to `gap` seconds later."""
    if not np.isfinite(seconds).all() or not (np.diff(seconds) > 0).all():
        raise ClipError("no usable time stamps for a gap in seconds; give the gap in frames, or a folder's frame rate")
    wanted = seconds + gap
    after = np.clip(np.searchsorted(seconds, wanted), 1, len(seconds) - 1)
    nearest = np.where(wanted - seconds[after - 1] <= seconds[after] - wanted, after - 1, after)
    nearest = np.maximum(nearest, np.minimum(np.arange(len(seconds)) + 1, len(seconds) - 1)).astype(np.int64)
    error = np.abs(seconds[nearest] - wanted)
    # A frame near the end has no partner; that is no fault of the clip.
    has_room = wanted <= seconds[-1] + TIME_TOLERANCE * gap
    usable = (
        (error <= TIME_TOLERANCE * gap)
        & (nearest > np.arange(len(seconds)))
        & (nearest <= np.arange(len(seconds)) + MAX_GAP)
    )
    chosen: list[int] = []
    missed = 0
    position = 0
    while position < len(seconds):
        if usable[position]:
            chosen.append(position)
            step = stride or int(nearest[position]) - position
        else:
            missed += bool(has_room[position])
            step = stride or 1
        position += step
    first = np.array(chosen, dtype=np.int64)
    return first, nearest[first], missed

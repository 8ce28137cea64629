"""Seeds of one entry as the statistics see them: a value each, and how it moves when the test images are drawn anew."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ssl_motion.record import ResultRecord
from ssl_motion_reports.statistics.images import images_of

Float64Array = npt.NDArray[np.float64]


class ImageStatistics(Protocol):
    """What is known of a result image by image."""

    @property
    def key(self) -> str:
        """Equal for results on the same images in the same order."""

    @property
    def images(self) -> int:
        """How many images there are."""

    def draws(self, draws: int, seed: int) -> Float64Array:
        """Compute the primary metric on images drawn with repetition, [draws]; equal keys draw the same images."""


@dataclass(frozen=True)
class Replicate:
    """One run of an entry.

    Attributes:
        seed: of the run; None for a published row.
        value: its primary metric.
        images: its statistics image by image; None where they are not at hand.
        start: the pretrained trunk behind it; None for a random start. Runs from one trunk say nothing of the spread
            over pretrainings.
    """

    seed: int | None
    value: float
    images: ImageStatistics | None = None
    start: str | None = None


def replicates_of(
    records: Sequence[ResultRecord], sources: Mapping[str, Path] | None = None, cache: Path | None = None
) -> list[Replicate]:
    """Turn the records of one entry into replicates; published numbers give none.

    Args:
        records: replicates of each other (`Entry.records`).
        sources: identity -> record file; per-image statistics lie beside it. None for none at hand.
        cache: folder that keeps what was computed of them; None keeps nothing.
    """
    at_hand = sources or {}
    found = []
    for record in records:
        if record.origin.kind == "reproduced":
            source = at_hand.get(record.identity)
            images = images_of(record, source, cache) if source is not None else None
            found.append(Replicate(record.seed, record.primary.value, images, start_of(record)))
    return found


def start_of(record: ResultRecord) -> str | None:
    """The pretrained trunk behind a record: its run, else its file of weights; None for a random start."""
    if record.pretraining is None:
        return None
    return record.pretraining.run or str(record.spec.get("init"))


def independent(replicates: Sequence[Replicate]) -> bool:
    """Whether every replicate has a trunk of its own (random starts have)."""
    starts = [each.start for each in replicates if each.start is not None]
    return len(set(starts)) == len(starts)

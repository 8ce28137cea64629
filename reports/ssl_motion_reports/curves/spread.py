"""Interval of a mean over seeds, by Student's t."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """An interval of a mean."""

    estimate: float
    low: float
    high: float
    level: float
    sources: tuple[str, ...]
    seeds: int
    images: int


def seeds_interval(values: Sequence[float], level: float = 0.95) -> Interval | None:
    """Student's t interval; None for fewer than two values."""
    if len(values) < 2:
        return None
    from scipy.stats import t

    count = len(values)
    mean = math.fsum(values) / count
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1))
    half = float(t.ppf(0.5 + level / 2, count - 1)) * spread / math.sqrt(count)
    return Interval(mean, mean - half, mean + half, level, ("seeds",), count, 0)

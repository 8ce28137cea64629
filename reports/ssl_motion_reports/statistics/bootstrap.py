"""Intervals for a mean over seeds, and for the difference of two: over seeds, over images, over both together.

Seeds and images are different sources of spread. Of S seeds on the same N images, the mean has the variance

    V = A + C,   A = s^2 / S,   C = the covariance between two seeds' figures when the images are drawn anew.

A holds all that differs from seed to seed, the interaction of seeds with images included, and is estimated by the
sample variance s^2 with S - 1 degrees of freedom. C is what all seeds share, because they are judged on the same
images; it is the mean covariance of different seeds' figures over bootstrap draws of the images, the same draws for
all. (The bootstrap variance of the mean over seeds would count the interaction a second time.) For a difference A is
the sum of both sides' and C that of the differences, so that what makes an image hard for both sides cancels.

A percentile bootstrap that resamples three seeds undercovers badly (it never sees beyond the smallest and the largest
value), so seeds are not resampled: the interval is symmetric, mean +- q sqrt(V). A few degrees of freedom beside many
have no exact q; Welch and Satterthwaite's is a little too small here, Cochran's a little too large, and q is the middle
of both. How well that covers was simulated: docs/statistics.md.

Sources: F. E. Satterthwaite, Biometrics Bulletin 2 (1946); B. L. Welch, Biometrika 34 (1947); W. G. Cochran and G. M.
Cox, Experimental Designs (1950), 4.14; B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ssl_motion_reports.statistics.images import DRAWS
from ssl_motion_reports.statistics.replicates import Replicate, independent

LEVEL = 0.95
Float64Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A confidence interval, in the unit of the metric.

    Attributes:
        estimate: the mean or difference itself.
        low, high: its ends.
        level: probability with which such intervals cover the truth.
        sources: what may vary in it: "seeds", "images", or both. Without "seeds" it holds for these networks alone,
            without "images" for these test images alone.
        seeds: number of runs on the side that has fewer.
        images: number of test images; 0 where they are no source.
    """

    estimate: float
    low: float
    high: float
    level: float
    sources: tuple[str, ...]
    seeds: int
    images: int


def mean_interval(
    replicates: Sequence[Replicate], level: float = LEVEL, draws: int = DRAWS, seed: int = 0
) -> Interval | None:
    """Interval for the mean over seeds.

    Args:
        replicates: the seeds; they give their spread where there are two or more, each with a pretraining of its own.
        level: of confidence.
        draws: of the images.
        seed: of the draws.

    Returns:
        None where neither seeds nor images say anything.
    """
    return _interval([(1.0, replicates)], level, draws, seed)


def paired_difference(
    ours: Sequence[Replicate],
    theirs: Sequence[Replicate],
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
) -> Interval | None:
    """Interval for the difference of two means over seeds, ours - theirs.

    Images are paired: every draw of them is judged by both sides. Seeds are not: equal numbers share no randomness that
    could be counted on, and the interval is only the wider where they do.

    Args:
        ours, theirs: the seeds of both sides, of one protocol.
        level, draws, seed: as for `mean_interval`.

    Returns:
        None where nothing can be said: no side's images are at hand (or they are not the same images), and a side has
        one seed.
    """
    return _interval([(1.0, ours), (-1.0, theirs)], level, draws, seed)


def _interval(
    sides: Sequence[tuple[float, Sequence[Replicate]]], level: float, draws: int, seed: int
) -> Interval | None:
    """Interval for a sum of means with signs."""
    if not all(side and all(math.isfinite(each.value) for each in side) for _, side in sides):
        return None
    means = [math.fsum(each.value for each in side) / len(side) for _, side in sides]
    estimate = math.fsum(sign * mean for (sign, _), mean in zip(sides, means, strict=True))
    by_seeds = all(len(side) > 1 and independent(side) for _, side in sides)
    spreads = [_seed_variance([each.value for each in side]) for _, side in sides] if by_seeds else []
    images, shared = _image_variance(sides, by_seeds, draws, seed)
    if not by_seeds and not images:
        return None
    half = half_width(spreads, shared, images - 1, level)
    sources = (("seeds",) if by_seeds else ()) + (("images",) if images else ())
    seeds = min(len(side) for _, side in sides)
    return Interval(estimate, estimate - half, estimate + half, level, sources, seeds, images)


def _seed_variance(values: Sequence[float]) -> tuple[float, int]:
    """Variance of the mean of some seeds' values, and its degrees of freedom."""
    mean = math.fsum(values) / len(values)
    freedom = len(values) - 1
    return math.fsum((value - mean) ** 2 for value in values) / freedom / len(values), freedom


def _image_variance(
    sides: Sequence[tuple[float, Sequence[Replicate]]], by_seeds: bool, draws: int, seed: int
) -> tuple[int, float]:
    """Number of images, and the variance that they bring; 0 where they are not at hand for every replicate."""
    moved = moved_together([side for _, side in sides], draws, seed)
    if moved is None:
        return 0, 0.0
    signs = [sign for sign, _ in sides]
    if by_seeds:
        shared = shared_covariance(moved)
        variance = float(np.array(signs) @ shared @ np.array(signs))
    else:
        means = np.stack([part.mean(axis=1) for part in moved], axis=1)
        variance = float(np.var(means @ np.array(signs), ddof=1))
    first = sides[0][1][0].images
    return (0 if first is None else first.images), max(variance, 0.0)


def moved_together(
    sides: Sequence[Sequence[Replicate]], draws: int = DRAWS, seed: int = 0
) -> list[Float64Array] | None:
    """Figures of the same draws of images: of each side [draws, seeds].

    Returns:
        None where a replicate's images are not at hand, or they are not the same for all. Draws that leave something
        without anything to judge are left out.
    """
    known = [each.images for side in sides for each in side]
    first = known[0]
    if first is None or any(each is None or each.key != first.key for each in known):
        return None
    moved = np.stack([each.draws(draws, seed) for each in known if each is not None], axis=1)
    moved = moved[np.isfinite(moved).all(axis=1)]
    if len(moved) < draws / 2:
        return None
    return np.split(moved, np.cumsum([len(side) for side in sides])[:-1], axis=1)


def shared_covariance(moved: Sequence[Float64Array]) -> Float64Array:
    """Covariance over draws of the images of that part of several means which does not depend on the seeds.

    Args:
        moved: of each mean the seeds' figures on each draw, [draws, seeds].

    Returns:
        [sides, sides]: mean covariance between the seeds of two sides; inside a side between different seeds, of which
        it must have two.
    """
    centred = [part - part.mean(axis=0) for part in moved]
    freedom = len(centred[0]) - 1
    means = np.stack([part.mean(axis=1) for part in centred], axis=1)
    covariance: Float64Array = means.T @ means / freedom
    for place, part in enumerate(centred):
        seeds = part.shape[1]
        own = float((part**2).sum()) / freedom / seeds
        covariance[place, place] = (seeds * covariance[place, place] - own) / (seeds - 1)
    return covariance


def half_width(spreads: Sequence[tuple[float, int]], shared: float, images_freedom: int, level: float) -> float:
    """Half of an interval's width.

    Args:
        spreads: variances by seeds with their degrees of freedom.
        shared: variance by images.
        images_freedom: its degrees of freedom; below 1 where images are no source.
        level: of confidence.
    """
    seeds = math.fsum(variance for variance, _ in spreads)
    total = seeds + shared
    if total <= 0:
        return 0.0
    tail = (1 + level) / 2
    few = _freedom(spreads) if seeds > 0 else 1.0
    many = float(max(images_freedom, 1))
    parts = [part for part in ((seeds, few), (shared, many)) if part[0] > 0]
    welch = _student(_freedom(parts), tail)
    cochran = sum(variance * _student(freedom, tail) for variance, freedom in parts) / total
    return (welch + cochran) / 2 * math.sqrt(total)


def _freedom(parts: Sequence[tuple[float, float]]) -> float:
    """Degrees of freedom of a sum of variances (Satterthwaite)."""
    total = math.fsum(variance for variance, _ in parts)
    # As shares of their sum, since the squares of tiny variances vanish.
    return 1 / math.fsum((variance / total) ** 2 / freedom for variance, freedom in parts)


@lru_cache(1024)
def _student(freedom: float, tail: float) -> float:
    """Quantile of Student's distribution; thousands of entries ask for the same few."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, tail))

"""Spearman's rank correlation with an interval by bootstrap, for points in clusters and, where asked for, in strata.

Points of one cluster (the seeds of one setting) are no independent evidence, so clusters are drawn with repetition and
their points stay together (A. C. Davison and D. V. Hinkley, Bootstrap Methods and their Application, 1997, 3.8). Inside
strata, points are ranked among those of their own stratum alone, which takes out whatever differs between strata; the
centred ranks, divided by the number of ranks, are then correlated together, and clusters are drawn stratum by stratum.
The interval is the percentile interval; how often it holds was simulated: docs/statistics.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ssl_motion.seeding import generator
from ssl_motion_reports.statistics.bootstrap import LEVEL
from ssl_motion_reports.statistics.images import DRAWS

FEWEST = 7
"""Clusters below which no interval is given: those of fewer hold the truth too rarely."""
Cluster = Sequence[tuple[float, float]]
"""Points (x, y) that belong together."""
Float64Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Correlation:
    """A rank correlation.

    Attributes:
        estimate: from -1 to 1.
        low, high: ends of its interval; None where there are too few clusters.
        level: probability with which such intervals cover the truth.
        points: how many there are.
        clusters: how many of these are independent of each other.
        strata: how many; 1 where all points are ranked among each other.
    """

    estimate: float
    low: float | None
    high: float | None
    level: float
    points: int
    clusters: int
    strata: int

    @property
    def is_resolved(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def rank_correlation(
    strata: Sequence[Sequence[Cluster]], level: float = LEVEL, draws: int = DRAWS, seed: int = 0
) -> Correlation | None:
    """Correlate the ranks of x and y.

    Args:
        strata: clusters of points; a single stratum gives Spearman's correlation itself. Clusters that hold no
            point count for nothing.
        level: of confidence.
        draws: of the clusters.
        seed: of the draws.

    Returns:
        None where x or y do not vary inside any stratum.
    """
    # In an order of their own, so that the draws do not depend on that of the files.
    known = sorted(sorted(sorted(cluster) for cluster in stratum if cluster) for stratum in strata)
    known = [stratum for stratum in known if stratum]
    rng = generator(seed, "rank correlation", len(known))
    sums, drawn = np.zeros((1, 3)), np.zeros((draws, 3))
    for stratum in known:
        sums += _products(stratum, np.ones((1, len(stratum))))
        drawn += _products(stratum, rng.multinomial(len(stratum), [1 / len(stratum)] * len(stratum), size=draws))
    if not (sums[:, :2] > 0).all():
        return None
    clusters = sum(map(len, known))
    low = high = None
    if clusters >= FEWEST:
        usable = drawn[(drawn[:, :2] > 0).all(axis=1)]  # the rest drew one cluster alone, again and again
        ends = np.percentile(_ratio(usable), [50 * (1 - level), 50 * (1 + level)])
        low, high = float(ends[0]), float(ends[1])
    points = sum(len(cluster) for stratum in known for cluster in stratum)
    return Correlation(float(_ratio(sums)[0]), low, high, level, points, clusters, len(known))


def _ratio(sums: Float64Array) -> Float64Array:
    ratio: Float64Array = sums[:, 2] / np.sqrt(sums[:, 0] * sums[:, 1])
    return ratio


def _products(stratum: Sequence[Cluster], times: npt.ArrayLike) -> Float64Array:
    """Sums of squares of x and of y, and of products, of the centred ranks.

    Args:
        stratum: its clusters.
        times: [draws, clusters], how often each was drawn.

    Returns:
        [draws, 3]; below rounding errors exactly zero.
    """
    points = np.array([point for cluster in stratum for point in cluster])
    weights = np.repeat(np.asarray(times, dtype=np.float64), [len(cluster) for cluster in stratum], axis=1)
    total = weights.sum(axis=1, keepdims=True)
    centred = []
    for values in points.T:
        # The mean rank among points that stand there several times: those below, and half of those that are equal.
        below = np.greater.outer(values, values) + np.equal.outer(values, values) / 2
        ranks = weights @ below.T / total
        centred.append(ranks - (weights * ranks).sum(axis=1, keepdims=True) / total)
    x, y = centred
    sums: Float64Array = np.stack([(weights * a * b).sum(axis=1) for a, b in ((x, x), (y, y), (x, y))], axis=1)
    sums[np.abs(sums) < 1e-12] = 0.0
    return sums

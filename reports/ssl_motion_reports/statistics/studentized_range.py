"""Quantiles of the studentised range: the largest difference of some means over an estimate of their spread.

`scipy.stats.studentized_range` has them too, which the tests compare with; but loading scipy.stats takes most of a
second in every report, and a quantile a tenth, of which thousands of records want many.
"""

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from numpy.polynomial.legendre import leggauss

_NODES = 16
_TAIL = 32.0
"""Densities are looked at where they are above exp(-32) of their highest."""


@lru_cache(1024)
def studentized_range_quantile(level: float, means: int, freedom: int) -> float:
    """Find what the range of some equal means, over their estimated spread, stays below with a probability.

    The probability is Lund and Lund's double integral (Applied Statistics 32, 1983, AS 190), by the rule of
    Gauss and Legendre; it is inverted by bisection to nine digits.

    Args:
        level: the probability, between 0 and 0.9999; it is met to a millionth.
        means: how many means there are, from two to 5,000; beyond, the probability is met less closely.
        freedom: degrees of freedom of the estimate, one or more.
    """
    spreads, shares = _spreads(freedom)
    low, high = 0.0, 4.0
    while _below(high, means, spreads, shares) < level:
        low, high = high, 2 * high
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if _below(middle, means, spreads, shares) < level else (low, middle)
    return (low + high) / 2


Float64Array = npt.NDArray[np.float64]


def _spreads(freedom: int) -> tuple[Float64Array, Float64Array]:
    """Estimates of a spread of 1, and their probabilities: the root of a chi-squared variable over its freedom."""
    share = _TAIL / freedom
    # In logarithms, since with few degrees of freedom estimates of any smallness count; the upper end is Laurent and
    # Massart's bound (Annals of Statistics 28, 2000, lemma 1).
    low, high = -share - math.sqrt(share), math.log1p(2 * math.sqrt(share) + 2 * share) / 2
    logarithms, weights = _between(low, high, parts=max(6, math.ceil(2 * (high - low))))
    exponents = freedom * (logarithms - np.expm1(2 * logarithms) / 2)
    shares = weights * np.exp(exponents)
    return np.exp(logarithms), shares / shares.sum()


def _below(limit: float, means: int, spreads: Float64Array, shares: Float64Array) -> float:
    """Probability that the studentised range is below a limit."""
    from scipy.special import ndtr

    largest, weights = _between(-math.sqrt(2 * _TAIL), math.sqrt(2 * _TAIL))
    weights = weights * np.exp(-(largest**2) / 2) / math.sqrt(2 * math.pi)
    # All other means lie between the largest one and what is a range below it.
    others = ndtr(largest) - ndtr(largest - limit * spreads[:, None])
    return float(shares @ (means * others ** (means - 1) @ weights))


def _between(low: float, high: float, parts: int = 6) -> tuple[Float64Array, Float64Array]:
    """Nodes and weights of an integral, which is taken in some parts of equal length."""
    nodes, weights = leggauss(_NODES)
    ends = np.linspace(low, high, parts + 1)
    halves = np.diff(ends)[:, None] / 2
    return (ends[:-1, None] + halves * (nodes + 1)).ravel(), (halves * weights).ravel()

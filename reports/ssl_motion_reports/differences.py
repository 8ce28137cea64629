"""Which differences between entries are resolved: all pairs at once, over seeds, and over test images where known.

All entries of a group are compared with each other at once, so that of twenty groups of equal entries one shows any
difference at all (family-wise 95 %). The spread over seeds is pooled over the entries: three seeds of each say little
alone. Seeds count as independent of each other, and their spread as the same everywhere; entries with one seed, or
whose seeds share a pretraining, get no statement.

By seeds alone this is Tukey's honestly significant difference, with Kramer's change for unequal numbers of seeds; what
it says holds for other seeds on the same test images. Where the images' part of every difference is known too
(`ssl_motion_reports.statistics.bootstrap.shared_covariance`), the variance of a difference is the sum of both, and the
quantile of the largest studentised difference is simulated: what it says holds for other seeds and other images. Beyond
`SIMULATED` entries Tukey and Kramer's quantile serves there too, which is on the safe side.

"Not told apart" is no proof of being equal; differences below `Differences.smallest` are out of reach. Training data
and labels are the same in all of them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import numpy.typing as npt

from ssl_motion.seeding import generator
from ssl_motion_reports.statistics.studentized_range import studentized_range_quantile

FAMILY_LEVEL = 0.95
SIMULATIONS = 4000
"""How often the largest difference is drawn where no table has its quantile: a share of 5 % is then known to 0.35 %."""
SIMULATED = 100
"""Most entries that it is drawn for."""
_AT_ONCE = 100
Float64Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Differences:
    """What is resolved among the entries of a group.

    Attributes:
        letters: entry key -> its letters; two entries share one exactly where they are not told apart.
        resolved: pairs of keys that are told apart, both ways round.
        spread: standard deviation over seeds, pooled over the entries.
        freedom: degrees of freedom of that spread.
        smallest: smallest difference of two means, over the numbers of seeds that there are, that is resolved.
        enough: any difference above it is resolved, between entries of the usual number of seeds.
        seeds: that usual number.
        images: number of test images that were varied too; 0 where it is over seeds alone.
        needed: of every pair, in the order of `numpy.triu_indices` over the keys of `letters`, the difference above
            which it is resolved.
    """

    letters: Mapping[str, tuple[str, ...]]
    resolved: frozenset[tuple[str, str]]
    spread: float
    freedom: int
    smallest: float
    enough: float
    seeds: int
    images: int
    needed: Float64Array = field(compare=False, repr=False)

    def margin(self, one: str, other: str) -> float:
        """Half the width of the interval for the difference of two entries; it holds for all pairs at once."""
        keys = list(self.letters)
        first, second = sorted((keys.index(one), keys.index(other)))
        return float(self.needed[first * len(keys) - first * (first + 1) // 2 + second - first - 1])


def differences(
    values: Mapping[str, Sequence[float]],
    level: float = FAMILY_LEVEL,
    shared: Float64Array | None = None,
    images: int = 0,
) -> Differences | None:
    """Compare all entries with each other.

    Args:
        values: entry key -> the seeds' values, best entry first (letters are given in that order); entries with fewer
            than two values are left out.
        level: probability that among equal entries no difference is found.
        shared: [E, E], covariance by images of the entries that are not left out, in their order; None for seeds alone.
        images: number of test images behind it.

    Returns:
        None where fewer than two entries have two values.
    """
    known = comparable(values)
    if len(known) < 2:
        return None
    keys, sizes = list(known), np.array([len(each) for each in known.values()])
    means = np.array([math.fsum(each) / len(each) for each in known.values()])
    freedom = int((sizes - 1).sum())
    squares = math.fsum((value - mean) ** 2 for mean, each in zip(means, known.values(), strict=True) for value in each)
    spread = math.sqrt(squares / freedom)
    first, second = np.triu_indices(len(keys), 1)
    by_seeds = 1 / sizes[first] + 1 / sizes[second]
    if shared is None:
        factor = studentized_range_quantile(level, len(keys), freedom) / math.sqrt(2)
        needed = factor * spread * np.sqrt(by_seeds)
    else:
        root = _root(shared)
        by_images = ((root[first] - root[second]) ** 2).sum(axis=1)
        factor = (
            _simulated_quantile(level, sizes, freedom, spread, root)
            if len(keys) <= SIMULATED
            else studentized_range_quantile(level, len(keys), freedom) / math.sqrt(2)
        )
        needed = factor * np.sqrt(spread**2 * by_seeds + by_images)
    apart = np.flatnonzero(np.abs(means[first] - means[second]) > needed)
    pairs = [(keys[first[place]], keys[second[place]]) for place in apart]
    both_ways = frozenset(pairs) | {(other, one) for one, other in pairs}
    usual = int(np.bincount(sizes).argmax())
    alike = (sizes[first] == usual) & (sizes[second] == usual)
    enough = needed[alike] if alike.any() else needed
    letters = letter_display(keys, both_ways)
    varied = 0 if shared is None else images
    smallest, all_above = float(needed.min()), float(enough.max())
    return Differences(letters, both_ways, spread, freedom, smallest, all_above, usual, varied, needed)


def comparable(values: Mapping[str, Sequence[float]]) -> dict[str, Sequence[float]]:
    """Those entries that have two values or more, all of them numbers."""
    return {key: each for key, each in values.items() if len(each) > 1 and all(map(math.isfinite, each))}


def _root(shared: Float64Array) -> Float64Array:
    """A matrix R with R R' = the covariance; what an estimate has below nothing becomes nothing."""
    values, vectors = np.linalg.eigh(shared)
    root: Float64Array = vectors * np.sqrt(np.clip(values, 0, None))
    return root


def _simulated_quantile(
    level: float, sizes: npt.NDArray[np.integer], freedom: int, spread: float, root: Float64Array
) -> float:
    """Quantile of the largest studentised difference among equal entries, whose seeds' spread is estimated."""
    rng = generator(0, "largest difference", len(sizes), freedom)
    first, second = np.triu_indices(len(sizes), 1)
    by_seeds = 1 / sizes[first] + 1 / sizes[second]
    by_images = ((root[first] - root[second]) ** 2).sum(axis=1)
    largest = []
    for _ in range(SIMULATIONS // _AT_ONCE):
        means = spread / np.sqrt(sizes) * rng.standard_normal((_AT_ONCE, len(sizes)))
        means += rng.standard_normal((_AT_ONCE, root.shape[1])) @ root.T
        estimated = spread**2 * rng.chisquare(freedom, (_AT_ONCE, 1)) / freedom
        variance = estimated * by_seeds
        variance += by_images
        # In place, and picked by `take`: half of the time, which thousands of tables are worth.
        squared = means.take(first, axis=1)
        squared -= means.take(second, axis=1)
        squared *= squared
        # Without any variance the means are equal, and their difference is nothing but rounding.
        np.divide(squared, variance, out=squared, where=variance > 0)
        largest.append(squared.max(axis=1))
    return float(np.sqrt(np.quantile(np.concatenate(largest), level)))


def letter_display(keys: Sequence[str], resolved: frozenset[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Give letters so that two keys share one exactly where they are not resolved (insert and absorb; Piepho, 2004).

    Args:
        keys: in the order in which letters are given.
        resolved: pairs that must share none, both ways round.
    """
    columns = [frozenset(keys)]
    for one, other in combinations(keys, 2):
        if (one, other) not in resolved:
            continue
        parts = [column - {each} for column in columns if {one, other} <= column for each in (one, other)]
        columns = [column for column in columns if not {one, other} <= column]
        for part in parts:
            if not any(part <= column for column in columns):
                columns = [column for column in columns if not column < part] + [part]
    places = {key: place for place, key in enumerate(keys)}
    columns.sort(key=lambda column: sorted(places[key] for key in column))
    return {key: tuple(_letter(number) for number, column in enumerate(columns) if key in column) for key in places}


def _letter(number: int) -> str:
    """Name the columns a, b, ..., z, a2, b2, ..."""
    turn, place = divmod(number, 26)
    return chr(ord("a") + place) + (str(turn + 1) if turn else "")

"""Which differences between entries are resolved: Tukey's honestly significant difference over seeds.

All entries of a group are compared with each other at once, so that of twenty groups of equal entries one shows any
difference at all (family-wise 95 %). The spread is pooled over the entries: three seeds of each say little alone.
Entries of unequal numbers of seeds are compared as Tukey and Kramer do. Seeds count as independent of each other, and
the spread as the same everywhere; entries with one seed, or whose seeds share a pretraining, get no statement.

What is said holds for other seeds, and for no more: data, labels and test images are the same in all of them. "Not told
apart" is no proof of being equal; differences below `Differences.smallest` are out of reach.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

FAMILY_LEVEL = 0.95


@dataclass(frozen=True)
class Differences:
    """What is resolved among the entries of a group.

    Attributes:
        letters: entry key -> its letters; two entries share one exactly where they are not told apart.
        resolved: pairs of keys that are told apart, both ways round.
        spread: standard deviation over seeds, pooled over the entries.
        freedom: degrees of freedom of that spread.
        smallest: smallest difference of two means, over the numbers of seeds that there are, that is resolved.
        seeds: of how many seeds such a pair is, in words.
    """

    letters: Mapping[str, tuple[str, ...]]
    resolved: frozenset[tuple[str, str]]
    spread: float
    freedom: int
    smallest: float
    seeds: str


def differences(values: Mapping[str, Sequence[float]], level: float = FAMILY_LEVEL) -> Differences | None:
    """Compare all entries with each other.

    Args:
        values: entry key -> the seeds' values, best entry first (letters are given in that order); entries with fewer
            than two values are left out.
        level: probability that among equal entries no difference is found.

    Returns:
        None where fewer than two entries have two values.
    """
    known = {key: each for key, each in values.items() if len(each) > 1 and all(map(math.isfinite, each))}
    if len(known) < 2:
        return None
    means = {key: math.fsum(each) / len(each) for key, each in known.items()}
    freedom = sum(len(each) - 1 for each in known.values())
    squares = math.fsum((value - means[key]) ** 2 for key, each in known.items() for value in each)
    spread = math.sqrt(squares / freedom)
    factor = _quantile(level, len(known), freedom) * spread / math.sqrt(2)
    needed = {
        (one, other): factor * math.sqrt(1 / len(known[one]) + 1 / len(known[other]))
        for one, other in combinations(known, 2)
    }
    resolved = {pair for pair, least in needed.items() if abs(means[pair[0]] - means[pair[1]]) > least}
    both_ways = frozenset(resolved | {(other, one) for one, other in resolved})
    smallest = min(needed, key=needed.__getitem__)
    counts = sorted({len(known[key]) for key in smallest})
    seeds = " and ".join(map(str, counts)) + " seeds"
    return Differences(letter_display(list(known), both_ways), both_ways, spread, freedom, needed[smallest], seeds)


@lru_cache
def _quantile(level: float, entries: int, freedom: int) -> float:
    """Quantile of the studentised range; a tenth of a second each."""
    from scipy.stats import studentized_range

    return float(studentized_range.ppf(level, entries, freedom))


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

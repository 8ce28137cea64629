"""Intervals for ranks: the places that an entry can hold, given which differences are resolved.

Of p entries, one that b others are resolved to be better than, and w others to be worse than, has a rank from b + 1 to
p - w. Where all differences hold at once with 95 % (as those of `ssl_motion_reports.differences`), so do
all these intervals: M. Mogstad, J. P. Romano, A. M. Shaikh and D. Wilhelm, Inference for Ranks with Applications to
Mobility across Neighbourhoods and Academic Achievement across Countries, Review of Economic Studies 91 (2024), 3.2.
An entry that nothing is known of can hold any place.
"""

from collections.abc import Mapping, Set


def rank_intervals(
    badness: Mapping[str, float], resolved: Set[tuple[str, str]], compared: Set[str]
) -> dict[str, tuple[int, int]]:
    """Find the best and the worst rank of each entry.

    Args:
        badness: entry -> its mean, smaller better; all entries that are ranked.
        resolved: pairs that are told apart, both ways round.
        compared: entries that were compared at all.

    Returns:
        Entry -> (best, worst rank), for those that were compared.
    """
    better, worse = dict.fromkeys(compared, 0), dict.fromkeys(compared, 0)
    for one, other in resolved:
        if badness[one] < badness[other]:
            better[other] += 1
            worse[one] += 1
    return {key: (better[key] + 1, len(badness) - worse[key]) for key in badness if key in compared}

"""The question of the project, answered from the records in two sentences: who leads, by how much, how surely, where.

Compared are ways of learning from motion, and these alone: entries with at least two seeds of their own that learned
from the same data and saw as many images, each method in its base settings (`ssl_motion_reports.base_settings`): the
best of many variants of one method, chosen on test images, is no match for the only one of another. Random starts,
ImageNet's labels and the supervised upper line are what they are compared with, and controls (data with something
taken away) are none of them. Two methods count as told apart where the board says so
(`ssl_motion_reports.differences`), and intervals of differences are those of that comparison: they hold for all pairs
of a table at once, so that it does not matter that the best two were picked.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ssl_motion.record import WHOLE_MODEL
from ssl_motion_reports.base_settings import base_entries, is_base, protocols_by_settings
from ssl_motion_reports.differences import FAMILY_LEVEL, Differences
from ssl_motion_reports.formatting import number
from ssl_motion_reports.shapes import Board, Entry, Group
from ssl_motion_reports.site.addresses import base_method
from ssl_motion_reports.site.render import primary
from ssl_motion_reports.statistics.bootstrap import Interval
from ssl_motion_reports.statistics.resolution import difference_words

_BASELINES = ("random", "imagenet", "supervised")
_PLACES = {
    "full": "with full protocols",
    "reduced": "with scaled-down protocols, not with full ones",
    "builtin": "in the built-in world, not on photographs",
}


@dataclass(frozen=True)
class Evidence:
    """What one protocol says.

    Attributes:
        group: the protocol's table.
        best: base entry of the method with the highest mean.
        second: that of the next method.
        rivals: number of methods compared, the best included.
        apart: whether the best is told apart from the base entry of every other method.
        lead: how much better the best is than the second.
        versus_random: "better", "worse", "not told apart", or empty where no random start was measured.
        gain: how much better the best is than a random start; None without one.
    """

    group: Group
    best: Entry
    second: Entry
    rivals: int
    apart: bool
    lead: Interval
    versus_random: str
    gain: Interval | None

    @property
    def clearness(self) -> float:
        """The lead in units of what is needed to resolve it: above 1 where it is resolved."""
        half = (self.lead.high - self.lead.low) / 2
        if half:
            return self.lead.estimate / half
        return math.inf if self.lead.estimate else 0.0


def is_motion(entry: Entry) -> bool:
    """Whether an entry is of a way of learning from motion: pretrained here, no baseline, no control, no ensemble."""
    plain = entry.method == base_method(entry.method) and " + " not in entry.method
    return entry.origin == "reproduced" and plain and entry.method not in _BASELINES and entry.pretrainings > 0


def evidence(group: Group, protocols: Mapping[str, int]) -> Evidence | None:
    """Compare the motion methods of a protocol; None where there are not two to compare.

    Where methods learned from several data sets or amounts, those on which most methods can be compared count.

    Args:
        group: the protocol's table.
        protocols: as `protocols_by_settings` counts them.
    """
    known = group.differences
    if known is None or not group.ranked or group.backbone == WHOLE_MODEL:
        return None  # the question is about features
    matched: dict[tuple[str, int | None], list[Entry]] = {}
    for entry in group.entries:
        if is_motion(entry) and entry.key in known.letters:
            matched.setdefault((entry.data, entry.images_seen), []).append(entry)
    compared = [base_entries(each, protocols) for each in matched.values()]
    lines = max(compared, key=lambda each: (len(each), sum(map(is_base, each))), default=[])
    if len(lines) < 2:
        return None
    best, *others = lines  # entries stand best first
    base = next((entry for entry in group.entries if entry.method == "random" and entry.key in known.letters), None)
    return Evidence(
        group=group,
        best=best,
        second=others[0],
        rivals=len(lines),
        apart=all((best.key, other.key) in known.resolved for other in others),
        lead=_better_by(best, others[0], group, known),
        versus_random=best.versus_random,
        gain=None if base is None else _better_by(best, base, group, known),
    )


def _better_by(one: Entry, other: Entry, group: Group, known: Differences) -> Interval:
    """By how much one entry is better than another."""
    sign = 1 if primary(group).higher_is_better else -1
    by = sign * (one.values[group.primary].mean - other.values[group.primary].mean)
    margin = known.margin(one.key, other.key)
    sources = ("seeds", "images") if known.images else ("seeds",)
    seeds = min(len(one.records), len(other.records))
    return Interval(by, by - margin, by + margin, FAMILY_LEVEL, sources, seeds, known.images)


def all_evidence(board: Board) -> list[Evidence]:
    """What each protocol of the nearest scale to the full one says, in the order of the board."""
    protocols = protocols_by_settings(board.groups)
    found = [each for group in board.groups if (each := evidence(group, protocols)) is not None]
    for scale in _PLACES:
        if here := [each for each in found if each.group.scale == scale]:
            return here
    return []


def answer(found: Sequence[Evidence]) -> tuple[str, str]:
    """Answer the question in two sentences.

    Args:
        found: of protocols of one scale.
    """
    if not found:
        return (
            "The records here do not answer this yet.",
            "It takes two ways of learning from motion under one protocol, from the same data and with as many images "
            "seen, with at least two seeds each.",
        )
    return _who_leads(found), _how_far(found)


def _who_leads(found: Sequence[Evidence]) -> str:
    wins, apart = _counts(found), _counts([each for each in found if each.apart])
    rivals = sorted({each.rivals for each in found})
    ways = f"{rivals[0] if len(rivals) == 1 else f'{rivals[0]} to {rivals[-1]}'} ways of learning from motion"
    if sum(count for _, count in apart) == len(found):
        if len(wins) == 1:
            where = f"under {'the one protocol' if len(found) == 1 else f'each of {len(found)} protocols'}"
            least = min(found, key=lambda each: each.clearness)
            how = "its lead is" if len(found) == 1 else "where it is least clear its lead is"
            return (
                f"Of {ways}, {wins[0][0]} gives the best features: it is told apart from all the others {where}; "
                f"{how} {_lead(least)}."
            )
        named = _join([f"{method} under {count}" for method, count in wins])
        return (
            f"It depends on the protocol: of {ways}, {named} of {len(found)} protocols is told apart from all others; "
            f"{_clearest(found)}."
        )
    most = wins[0][1]
    leaders = [method for method, count in wins if count == most]
    has = "has" if len(leaders) == 1 else "each have"
    lead = f"of {ways}, {_join(leaders)} {has} the highest mean under {_of(most, len(found))}"
    rest = "no leader is told apart from all the others"
    if apart:
        rest = (
            f"the only leaders told apart from all the others are {_join([f'{name} under {n}' for name, n in apart])}"
        )
        if sum(count for _, count in apart) == 1:
            rest = f"the only leader told apart from all the others is {apart[0][0]}, under one"
    return f"No single way is resolved as the best: {lead}, but {rest}; {_clearest(found)}."


def _clearest(found: Sequence[Evidence]) -> str:
    best = max(found, key=lambda each: each.clearness)
    return (
        f"the clearest lead, of {best.best.label}, is {_lead(best)}" if len(found) > 1 else f"its lead is {_lead(best)}"
    )


def _lead(each: Evidence) -> str:
    """The lead in words: how large, how sure, over whom, where, from how many seeds."""
    size = difference_words(each.lead.estimate, primary(each.group))
    ours, theirs = len(each.best.records), len(each.second.records)
    seeds = f"{ours} seeds each" if ours == theirs else f"{ours} and {theirs} seeds"
    return f"{size} over {each.second.label} under {each.group.title} ({_sure(each.lead)}, {seeds})"


def _sure(known: Interval) -> str:
    over = " and test images" if "images" in known.sources else ""
    return f"{known.level:.0%} interval {number(known.low)} to {number(known.high)}, all pairs at once over seeds{over}"


def _how_far(found: Sequence[Evidence]) -> str:
    where = f"all of it was measured {_PLACES[found[0].group.scale]}"
    tested = [each for each in found if each.versus_random]
    if not tested:
        return f"Nothing is said against a random start, of which there are not two seeds; {where}."
    gains = [each.gain for each in tested if each.gain is not None and each.versus_random == "better"]
    metrics = {(primary(each.group).name, primary(each.group).unit): primary(each.group) for each in tested}
    by = ""
    if gains and len(metrics) == 1:
        (metric,) = metrics.values()
        least, most = (choose(gains, key=lambda gain: gain.estimate) for choose in (min, max))
        by = f", by {difference_words(most.estimate, metric)}"
        if len(gains) == 1:
            by += f" ({_sure(most)})"
        elif number(least.estimate) != number(most.estimate):
            by = f", by {number(least.estimate)} to {difference_words(most.estimate, metric)}"
    return f"The leader is better than a random start under {_of(len(gains), len(tested))}{by}; {where}."


def _of(part: int, whole: int) -> str:
    return "the one protocol" if part == whole == 1 else f"{part} of {whole} protocol{'s' if whole > 1 else ''}"


def _counts(found: Sequence[Evidence]) -> list[tuple[str, int]]:
    names = [each.best.method for each in found]
    return sorted({name: names.count(name) for name in names}.items(), key=lambda each: (-each[1], each[0]))


def _join(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"

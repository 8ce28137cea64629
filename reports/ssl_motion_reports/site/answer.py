"""The question of the project, answered from the records in two sentences: what is resolved, and where it was measured.

Compared are ways of learning from motion, and these alone: entries with at least two seeds of their own that learned
from the same data and saw as many images. Random starts, ImageNet's labels and the supervised upper line are
what they are compared with, and controls (data with something taken away) are none of them. Two methods count as told
apart where the board says so (`ssl_motion_reports.differences`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ssl_motion.record import WHOLE_MODEL
from ssl_motion_reports.shapes import Board, Entry, Group
from ssl_motion_reports.site.addresses import base_method
from ssl_motion_reports.site.render import primary
from ssl_motion_reports.texts import heading

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
        best: entry of the method with the highest mean.
        second: best entry of any other method.
        rivals: number of methods compared, the best included.
        apart: whether the best is told apart from every entry of every other method.
        versus_random: "better", "worse", "not told apart", or empty where no random start was measured.
        gain: mean of the best less that of the random start in the ranking metric; None without one.
    """

    group: Group
    best: Entry
    second: Entry
    rivals: int
    apart: bool
    versus_random: str
    gain: float | None


def is_motion(entry: Entry) -> bool:
    """Whether an entry is of a way of learning from motion: pretrained here, no baseline, no control, no ensemble."""
    plain = entry.method == base_method(entry.method) and " + " not in entry.method
    return entry.origin == "reproduced" and plain and entry.method not in _BASELINES and entry.pretrainings > 0


def evidence(group: Group) -> Evidence | None:
    """Compare the motion methods of a protocol; None where there are not two to compare.

    Where methods learned from several data sets or amounts, those on which most methods can be compared count.
    """
    known = group.differences
    if known is None or not group.ranked or group.backbone == WHOLE_MODEL:
        return None  # the question is about features
    matched: dict[tuple[str, int | None], list[Entry]] = {}
    for entry in group.entries:
        if is_motion(entry) and entry.key in known.letters:
            matched.setdefault((entry.data, entry.images_seen), []).append(entry)
    lines = max(matched.values(), key=lambda each: len({entry.method for entry in each}), default=[])
    others = [entry for entry in lines if entry.method != lines[0].method]
    if not others:
        return None
    best = lines[0]  # entries stand best first
    base = next((entry for entry in group.entries if entry.method == "random" and entry.key in known.letters), None)
    return Evidence(
        group=group,
        best=best,
        second=others[0],
        rivals=len({entry.method for entry in lines}),
        apart=all((best.key, other.key) in known.resolved for other in others),
        versus_random=best.versus_random,
        gain=None if base is None else best.values[group.primary].mean - base.values[group.primary].mean,
    )


def all_evidence(board: Board) -> list[Evidence]:
    """What each protocol of the nearest scale to the full one says, in the order of the board."""
    found = [each for group in board.groups if (each := evidence(group)) is not None]
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
            return f"Of {ways}, {wins[0][0]} gives the best features: it is told apart from all the others {where}."
        named = _join([f"{method} under {count}" for method, count in wins])
        return (
            f"It depends on the protocol: of {ways}, {named} of {len(found)} protocols is told apart from all others."
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
    return f"No single way is resolved as the best: {lead}, but {rest}."


def _how_far(found: Sequence[Evidence]) -> str:
    where = f"all of it was measured {_PLACES[found[0].group.scale]}"
    tested = [each for each in found if each.versus_random]
    if not tested:
        return f"Nothing is said against a random start, of which there are not two seeds; {where}."
    gains = [each.gain for each in tested if each.gain is not None and each.versus_random == "better"]
    units = {heading(primary(each.group)) for each in tested}
    by = ""
    if gains and len(units) == 1:
        low, high = f"{min(gains):.1f}", f"{max(gains):.1f}"
        by = f", by {low if low == high else f'{low} to {high}'} in {units.pop()}"
    return f"The leader is better than a random start under {_of(len(gains), len(tested))}{by}; {where}."


def _of(part: int, whole: int) -> str:
    return "the one protocol" if part == whole == 1 else f"{part} of {whole} protocol{'s' if whole > 1 else ''}"


def _counts(found: Sequence[Evidence]) -> list[tuple[str, int]]:
    names = [each.best.method for each in found]
    return sorted({name: names.count(name) for name in names}.items(), key=lambda each: (-each[1], each[0]))


def _join(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"

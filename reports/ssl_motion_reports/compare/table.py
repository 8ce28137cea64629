"""What the leaderboard says of two of its rows.

A comparison of two has an interval for them alone. The leaderboard compares all its rows with each other at once, and
so needs larger differences: the right measure for a pair that was picked because it looked different.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ssl_motion.record import ResultRecord
from ssl_motion_reports.board import build_board
from ssl_motion_reports.compare.sides import Side
from ssl_motion_reports.formatting import number
from ssl_motion_reports.shapes import Entry, Group
from ssl_motion_reports.texts import how_compared, letters


def in_the_table(
    one: Side, other: Side, records: Sequence[ResultRecord], sources: Mapping[str, Path], cache: Path | None = None
) -> str:
    """Say whether the table of a protocol tells two sides apart; empty where it compares them not.

    Args:
        one, other: the sides.
        records: of their protocol; others are left out.
        sources, cache: as in `ssl_motion_reports.board.build_board`.
    """
    fingerprint = one.records[0].protocol_fingerprint
    groups = build_board(
        [each for each in records if each.protocol_fingerprint == fingerprint and each.origin.kind == "reproduced"],
        sources,
        cache,
    ).groups
    if not groups or groups[0].differences is None:
        return ""
    group, known = groups[0], groups[0].differences
    first, second = _entry(one, group), _entry(other, group)
    if first is None or second is None or not {first.key, second.key} <= known.letters.keys():
        return ""
    by = first.values[group.primary].mean - second.values[group.primary].mean
    margin = known.margin(first.key, second.key)
    apart = "are" if (first.key, second.key) in known.resolved else "are not"
    return (
        f"In the table of all {len(known.letters)} rows, which allows for all its pairs at once, the two {apart} told "
        f"apart: {number(by - margin)} to {number(by + margin)} ({how_compared(known)}; letters {letters(first)} and "
        f"{letters(second)})."
    )


def _entry(side: Side, group: Group) -> Entry | None:
    """The row of the table that is made of a side's runs."""
    runs = {record.identity for record in side.records}
    return next((each for each in group.entries if {record.identity for record in each.records} == runs), None)

"""Which two things are compared: runs, or methods under one protocol."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ssl_motion.errors import UsageError
from ssl_motion.plugins import did_you_mean
from ssl_motion.record import ResultRecord, read_record
from ssl_motion_reports.board import build_board
from ssl_motion_reports.shapes import Entry, Group


@dataclass(frozen=True)
class Side:
    """One of the two.

    Attributes:
        label: for people; differs from the other side's.
        records: one run's record, or those of a method's seeds.
        protocol: in words.
    """

    label: str
    records: tuple[ResultRecord, ...]
    protocol: str


def find_sides(
    one: str,
    other: str,
    records: Sequence[ResultRecord],
    sources: Mapping[str, Path],
    *,
    task: str | None = None,
    protocol: str | None = None,
) -> tuple[Side, Side, dict[str, Path]]:
    """Find what is compared.

    Args:
        one, other: both a run (its folder, its record file, or an identity or the first four or more digits of one), or
            both a method (its name, or its label in the leaderboard).
        records: that are at hand.
        sources: identity -> record file.
        task: of the methods; needed where they share several.
        protocol: its fingerprint, the beginning of one, or its name; likewise.

    Returns:
        Both sides, and `sources` with the record files that were named.

    Raises:
        UsageError: Something is not found or not unique, one is a run and the other a method, or their protocols
            differ; then the facts are named in which they do.
        DataError: A record file is damaged.
    """
    own = [record for record in records if record.origin.kind == "reproduced"]
    found: list[ResultRecord] = []
    files = dict(sources)
    for query in (one, other):
        run = _run(query, own, files)
        found += [run] if run is not None else []
    if len(found) == 1:
        raise UsageError(f"{one!r} and {other!r}: one is a run and one is none; give two runs or two methods")
    if found:
        first, second = found
        if first.identity == second.identity:
            raise UsageError(f"{one!r} and {other!r} are the same run ({first.identity})")
        refuse_other_protocol(first, second)
        names = [f"{record.method} seed {record.seed}" for record in found]
        if names[0] == names[1]:
            names = [f"{name} #{record.identity[:4]}" for name, record in zip(names, found, strict=True)]
        group = build_board([first]).groups[0]
        return Side(names[0], (first,), group.title), Side(names[1], (second,), group.title), files
    group, entries = _methods((one, other), own, task, protocol)
    return (
        Side(entries[0].label, entries[0].records, group.title),
        Side(entries[1].label, entries[1].records, group.title),
        files,
    )


def _run(query: str, records: Sequence[ResultRecord], files: dict[str, Path]) -> ResultRecord | None:
    """Find a run; None where nothing of that kind is named so."""
    path = Path(query)
    if path.is_dir():
        path = path / "record.json"
        if not path.is_file():
            raise UsageError(f"{query} holds no record.json: it is no finished transfer run")
    if path.is_file():
        record = read_record(path)
        if record.origin.kind == "reported":
            raise UsageError(f"{query} is a published number: it has neither seeds nor images to compare")
        files[record.identity] = path
        return record
    hits = [
        record
        for record in records
        if (len(query) >= 4 and record.identity.startswith(query))
        or (record.identity in files and files[record.identity].parent.name == query)
    ]
    if len(hits) > 1:
        raise UsageError(f"{query!r} is the beginning of {len(hits)} identities; give more digits")
    return hits[0] if hits else None


def _methods(
    names: tuple[str, str], records: Sequence[ResultRecord], task: str | None, protocol: str | None
) -> tuple[Group, list[Entry]]:
    """Find the one protocol under which both methods were run, and their entries there."""
    if names[0] == names[1]:
        raise UsageError(f"both sides are {names[0]!r}: give two methods")
    groups = build_board(records).groups
    known = sorted({name for group in groups for entry in group.entries for name in (entry.method, entry.label)})
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known)
            raise UsageError(
                f"{name!r} is neither a run nor a method with results.{hint} Methods: "
                f"{', '.join(sorted({record.method for record in records})) or 'none'}. Give a run's folder, record "
                "file or identity, or a method's name."
            )
    both = [group for group in groups if all(_entries(group, name) for name in names)]
    if task is not None:
        tasks = sorted({group.task for group in both})
        if task not in tasks:
            hint = did_you_mean(task, tasks)
            raise UsageError(f"{names[0]!r} and {names[1]!r} share no task {task!r}.{hint} {_listed(both)}")
        both = [group for group in both if group.task == task]
    if protocol is not None:
        chosen = [group for group in both if group.fingerprint.startswith(protocol) or group.name == protocol]
        if not chosen:
            hint = did_you_mean(protocol, [group.name for group in both])
            raise UsageError(f"{names[0]!r} and {names[1]!r} share no protocol {protocol!r}.{hint} {_listed(both)}")
        both = chosen
    if len(both) != 1:
        where = f"share {len(both)} protocols; choose with --protocol" if both else "share no protocol"
        raise UsageError(f"{names[0]!r} and {names[1]!r} {where}. {_listed(both or groups)}")
    (group,) = both
    entries = []
    for name in names:
        hits = _entries(group, name)
        if len(hits) > 1:
            labels = ", ".join(repr(entry.label) for entry in hits)
            raise UsageError(f"{name!r} stands for {len(hits)} entries of this protocol; give one of: {labels}")
        entries.append(hits[0])
    return group, entries


def _entries(group: Group, name: str) -> list[Entry]:
    """Reproduced entries of a name: that label, else all of that method."""
    own = [entry for entry in group.entries if entry.origin == "reproduced"]
    return [entry for entry in own if entry.label == name] or [entry for entry in own if entry.method == name]


def _listed(groups: Sequence[Group]) -> str:
    lines = [f"  {group.fingerprint}  {group.task}: {group.title}" for group in groups if group.reproduced]
    return "Protocols with results:\n" + "\n".join(lines) if lines else "There are no results."


def refuse_other_protocol(one: ResultRecord, other: ResultRecord) -> None:
    """Refuse two results of different protocols.

    Raises:
        UsageError: They differ; the facts are named, with both values.
    """
    if one.protocol_fingerprint == other.protocol_fingerprint:
        return
    lines = [
        f"  {name}: {_short(values[0])} | {_short(values[1])}"
        for name in ("task", "backbone", "scale")
        if (values := (getattr(one, name), getattr(other, name)))[0] != values[1]
    ]
    facts = [_flat(one.protocol), _flat(other.protocol)]
    lines += [
        f"  {name}: {_short(facts[0].get(name))} | {_short(facts[1].get(name))}"
        for name in dict.fromkeys([*facts[0], *facts[1]])
        if facts[0].get(name) != facts[1].get(name)
    ]
    raise UsageError(
        f"{one.identity} ({one.method}) and {other.identity} ({other.method}) were not measured by one protocol, so "
        "their difference says nothing of the methods. They differ in:\n" + "\n".join(lines)
    )


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(value, Mapping) and value:
        return {name: each for key, child in value.items() for name, each in _flat(child, f"{prefix}{key}.").items()}
    return {prefix.rstrip("."): value}


def _short(value: Any) -> str:
    text = "(not there)" if value is None else str(value)
    return text if len(text) <= 90 else text[:89] + "\N{HORIZONTAL ELLIPSIS}"

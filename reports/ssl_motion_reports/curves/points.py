"""From records to the points of a curve."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ssl_motion.curves import CurveSpec, belongs, place
from ssl_motion.errors import UsageError
from ssl_motion.identity import digest
from ssl_motion.plugins import did_you_mean
from ssl_motion.record import ResultRecord
from ssl_motion_reports.curves.places import categories_of, facts_along_x, has_x, metric_of, value_text
from ssl_motion_reports.curves.scatter import correlations_of
from ssl_motion_reports.curves.shapes import Curve, Line, Panel, Point
from ssl_motion_reports.curves.titles import panel_details
from ssl_motion_reports.formatting import number
from ssl_motion_reports.grouping import entries
from ssl_motion_reports.labels import differing, entry_labels, settings
from ssl_motion_reports.published import task_title
from ssl_motion_reports.published.curves import published_curve
from ssl_motion_reports.spread import interval_of

Entries = list[list[ResultRecord]]
"""Replicates of each point."""


@dataclass(frozen=True)
class _Reading:
    """How records are read.

    Attributes:
        spec: of the curve.
        categories: texts of the x axis; none for a scale of numbers.
        along_x: of each task, facts of the protocol that go with x.
        sources: identity -> record file.
        cache: folder that keeps what was computed of per-image files.
    """

    spec: CurveSpec
    categories: tuple[str, ...]
    along_x: Mapping[str, frozenset[str]]
    sources: Mapping[str, Path]
    cache: Path | None


def build_curve(
    name: str,
    spec: CurveSpec,
    records: Sequence[ResultRecord],
    listed: Sequence[Any] = (),
    sources: Mapping[str, Path] | None = None,
    cache: Path | None = None,
) -> Curve:
    """Find a curve's points in records.

    Results of one line that share a place on the x axis and differ in more than their seeds are never averaged: the
    line is split by the settings in which they differ. Parts with a single place are variants that belong to other
    curves: they are left out, but for the base settings where no part runs along x.

    Args:
        name: of the curve.
        spec: what belongs to it.
        records: reproduced ones; others are left out.
        listed: values of x in the order of the axis, for categories; those that are not among them come last.
        sources: identity -> record file; statistics image by image lie beside it.
        cache: folder that keeps what was computed of these, so that it is computed once; None keeps nothing.

    Raises:
        UsageError: No result has the metric, or no published curve the name.
    """
    published = None if spec.published is None else published_curve(spec.published)
    own = [record for record in records if record.origin.kind == "reproduced"]
    chosen = [record for record in own if record.method not in spec.references and belongs(record, spec)]
    remarks = []
    if without := [record for record in chosen if not has_x(record, spec)]:
        remarks.append(f"{len(without)} results have no value at {spec.x} that the axis can show: left out")
        chosen = [record for record in chosen if has_x(record, spec)]
    chosen = _with_metric(name, spec, chosen)
    tasks = {record.task for record in chosen}
    along_x = {task: facts_along_x([record for record in chosen if record.task == task], spec.x) for task in tasks}
    by_protocol: dict[str, list[ResultRecord]] = {}
    for record in chosen:
        by_protocol.setdefault(_protocol_key(record, along_x[record.task]), []).append(record)
    references: dict[str, list[ResultRecord]] = {}
    for record in own:
        if record.method in spec.references and record.task in tasks:
            references.setdefault(_protocol_key(record, along_x[record.task]), []).append(record)
    reading = _Reading(spec, tuple(categories_of(chosen, spec, listed)), along_x, sources or {}, cache)
    drawn = [_panel(part, references.get(key, []), reading) for key, part in by_protocol.items()]
    panels, lonely = _worth_drawing(drawn)
    if lonely:
        what = "protocols where no line has" if lonely > 1 else "protocol where no line has"
        remarks.append(f"{lonely} {what} more than one place on the x axis: left out")
    return Curve(name, spec, reading.categories, tuple(panel_details(panels)), published, tuple(remarks))


def _with_metric(name: str, spec: CurveSpec, records: list[ResultRecord]) -> list[ResultRecord]:
    """Keep the results that have the metric: a curve may be declared for one of several tasks.

    Raises:
        UsageError: None has.
    """
    having = [record for record in records if metric_of(record, spec) is not None]
    if records and not having:
        known = sorted({metric.name for record in records for metric in record.metrics})
        hint = did_you_mean(str(spec.y), known)
        raise UsageError(f"curve {name}: no result has the metric {spec.y!r} (y).{hint} There are: {', '.join(known)}")
    return having


def _protocol_key(record: ResultRecord, along_x: Iterable[str]) -> str:
    facts = {name: value for name, value in record.protocol.items() if name not in set(along_x)}
    return digest([record.task, record.backbone, record.scale, facts])


def _panel(records: list[ResultRecord], level: list[ResultRecord], reading: _Reading) -> Panel:
    spec, first = reading.spec, records[0]
    lines: dict[str, Entries] = {}
    for replicates in entries(records).values():
        values = [(path.rpartition(".")[2], value_text(place(replicates[0], path))) for path in spec.lines]
        label = ", ".join(text if name == "method" else f"{name} {text}" for name, text in values)
        lines.setdefault(label, []).append(replicates)
    drawn = []
    for label, members in lines.items():
        if spec.kind == "scatter":
            drawn.append(_line(label, [[record] for replicates in members for record in replicates], reading))
            continue
        for detail, part in _worth_a_line(_told_apart(members, spec), spec).items():
            drawn.append(_line(", ".join(filter(None, (label, detail))), part, reading))
    drawn.sort(key=lambda line: _natural(line.label))
    metric = metric_of(first, spec)
    assert metric is not None
    return Panel(
        task=first.task,
        title=task_title(first.task),
        detail="",
        fingerprints=tuple(sorted({record.protocol_fingerprint for record in records})),
        along_x=tuple(sorted(reading.along_x[first.task])),
        scale=first.scale,
        metric=metric,
        lines=(*drawn, *_references(level, reading)),
        correlations=correlations_of(list(lines.values()), spec) if spec.kind == "scatter" else (),
    )


def _references(records: list[ResultRecord], reading: _Reading) -> list[Line]:
    """Lines of references: level, or where the protocol changes along x (and they with it) like any other."""
    named = entries([record for record in records if metric_of(record, reading.spec) is not None]).values()
    if not any(reading.along_x[record.task] for record in records):
        return [
            Line(replicates[0].method, (_point(replicates, reading, is_level=True),), is_reference=True)
            for replicates in named
        ]
    by_method: dict[str, Entries] = {}
    for replicates in named:
        is_shown = not reading.categories or _x_text(replicates, reading.spec) in reading.categories
        if has_x(replicates[0], reading.spec) and is_shown:
            by_method.setdefault(replicates[0].method, []).append(replicates)
    return [_line(method, part, reading) for method, part in by_method.items()]


def _line(label: str, members: Entries, reading: _Reading) -> Line:
    points = [_point(replicates, reading) for replicates in members]
    return Line(label, tuple(sorted(points, key=lambda point: (point.x, point.values))))


def _natural(label: str) -> list[tuple[bool, float, str]]:
    """Order labels with numbers in them by these."""
    return [(not _is_number(word), float(word) if _is_number(word) else 0.0, word) for word in label.split()]


def _is_number(word: str) -> bool:
    try:
        return math.isfinite(float(word))
    except ValueError:
        return False


def _told_apart(members: Entries, spec: CurveSpec) -> dict[str, Entries]:
    """Split a line in which two entries share an x by what they differ in; entries without such a difference by key."""
    by_x: dict[str, Entries] = {}
    for replicates in members:
        by_x.setdefault(_x_text(replicates, spec), []).append(replicates)
    crowded = [part for part in by_x.values() if len(part) > 1]
    if not crowded:
        return {"": members}
    names: set[str] = set()
    for part in crowded:
        known = [settings(replicates[0]) for replicates in part]
        names |= {name for each in known for name in differing(each, known)}
    split: dict[str, Entries] = {}
    for replicates in members:
        own = settings(replicates[0])
        words = [f"{name.rpartition('.')[2]} {value_text(own.get(name))}" for name in sorted(names)]
        split.setdefault(", ".join(words), []).append(replicates)
    if len(split) == 1 or any(len({_x_text(each, spec) for each in part}) < len(part) for part in split.values()):
        return {f"#{each[0].identity[:4]}": [each] for each in members}
    return split


def _worth_a_line(parts: dict[str, Entries], spec: CurveSpec) -> dict[str, Entries]:
    """Of the parts of a line that was split, keep those that run along x; where none does, the base settings alone.

    The others are variants that belong to other curves, and match this one by chance.
    """
    if len(parts) == 1:
        return parts
    if long := {detail: part for detail, part in parts.items() if len({_x_text(each, spec) for each in part}) > 1}:
        return long
    labels = entry_labels({detail: part[0] for detail, part in parts.items()})
    base = {detail: part for detail, part in parts.items() if labels[detail] == part[0][0].method}
    if len(base) == 1:
        (only,) = base.values()
        return {"": only}
    return base or parts  # several, where methods share the line: each is drawn


def _x_text(replicates: list[ResultRecord], spec: CurveSpec) -> str:
    if spec.x_scale == "category":
        return value_text(place(replicates[0], spec.x))
    return number(_mean([float(place(record, spec.x)) for record in replicates]))


def _point(replicates: list[ResultRecord], reading: _Reading, *, is_level: bool = False) -> Point:
    spec, metrics = reading.spec, [metric_of(record, reading.spec) for record in replicates]
    text, x = "", 0.0
    if not is_level:
        text = _x_text(replicates, spec)
        numbers = [] if reading.categories else [float(place(record, spec.x)) for record in replicates]
        x = _mean(numbers) if numbers else float(reading.categories.index(text))
    values = tuple(metric.value for metric in metrics if metric is not None)
    return Point(
        x=x,
        text=text,
        values=values,
        seeds=tuple(record.seed for record in replicates if record.seed is not None),
        interval=None
        if spec.kind == "scatter" and not is_level
        else interval_of(replicates, values, reading.sources, reading.cache),
        records=tuple(replicates),
    )


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _worth_drawing(panels: list[Panel]) -> tuple[list[Panel], int]:
    """Leave out panels in which no line has two places on the x axis, which show no curve, and say how many."""
    wide = [
        panel
        for panel in panels
        if any(len({point.x for point in line.points}) > 1 for line in panel.lines if not line.is_reference)
    ]
    return wide, len(panels) - len(wide)

"""Who is compared with whom: tasks, groups of one protocol fingerprint, ranks inside a group and nowhere else.

Every writer (Markdown, CSV, LaTeX, terminal, page, picture) prints the `Board` that `build_board` returns, so that they
cannot disagree.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ssl_motion.record import MetricValue, Pretraining, Reported, Reproduced, ResultRecord
from ssl_motion_reports.beside import with_reported
from ssl_motion_reports.collector import paused_collector
from ssl_motion_reports.differences import Differences, comparable, differences
from ssl_motion_reports.formatting import abridged, amount
from ssl_motion_reports.grouping import entries
from ssl_motion_reports.labels import differing, entry_labels, preset_changes
from ssl_motion_reports.published import UNKNOWN, task_title
from ssl_motion_reports.shapes import SCALE_MARKS, Board, Entry, Group, TaskBoard, Value
from ssl_motion_reports.statistics.bootstrap import mean_interval, moved_together, shared_covariance
from ssl_motion_reports.statistics.ranks import rank_intervals
from ssl_motion_reports.statistics.replicates import Replicate, replicates_of, start_of
from ssl_motion_reports.statistics.resolution import resolution


@paused_collector()
def build_board(
    records: Sequence[ResultRecord], sources: Mapping[str, Path] | None = None, cache: Path | None = None
) -> Board:
    """Group and rank records, reproduced and published alike.

    Own results come first, among the tasks and inside them; what is published keeps the order of its file.

    Args:
        records: what to show.
        sources: identity -> record file; where the per-image files lie beside them, intervals are over images too.
        cache: folder that keeps what was computed of per-image files, so that it is computed once; None keeps nothing.
    """
    records = sorted(records, key=_record_order)
    grouped = entries(records)
    by_fingerprint: dict[str, dict[str, list[ResultRecord]]] = {}
    for key, replicates in grouped.items():
        by_fingerprint.setdefault(replicates[0].protocol_fingerprint, {})[key] = replicates
    groups = [
        _group(members, {key: replicates_of(each, sources, cache) for key, each in members.items()})
        for members in by_fingerprint.values()
    ]
    tasks: dict[str, list[Group]] = {}
    for group in with_reported(groups, [record for record in records if record.origin.kind == "reported"]):
        tasks.setdefault(group.task, []).append(group)
    boards = [
        TaskBoard(name, task_title(name), tuple(sorted(_tell_apart(each), key=_group_order)))
        for name, each in tasks.items()
    ]
    return Board(tuple(sorted(boards, key=lambda task: not any(group.reproduced for group in task.groups))))


def _record_order(record: ResultRecord) -> tuple[bool, tuple[str, ...]]:
    # Independent of the order in which folders were read; published records (all equal here) keep theirs.
    if record.origin.kind == "reported":
        return True, ()
    place = (record.task, record.protocol_name, record.backbone, record.protocol_fingerprint)
    return False, (*place, record.method, record.identity)


def _tell_apart(groups: list[Group]) -> list[Group]:
    """Add to groups of one title the facts in which they differ, and their fingerprint where these look alike."""
    detailed = []
    for group in groups:
        namesakes = [_in_short(other) for other in groups if other.title == group.title]
        facts = differing(_in_short(group), namesakes)
        # The plainest facts say most: "iterations 60" before a list of augmentations.
        hashed = facts.pop("dataset_hash", None)
        words = sorted((f"{name.replace('_', ' ')} {text}" for name, text in facts.items() if text), key=len)
        if hashed is not None and not words:
            words = [f"data #{hashed[:6]}"]  # says nothing to people: only where nothing else tells groups apart
        detailed.append(replace(group, detail=", ".join(words[:2])))
    titles = [group.title for group in detailed]
    return [
        replace(group, detail=f"{group.detail} #{group.fingerprint[:6]}".strip())
        if titles.count(group.title) > 1
        else group
        for group in detailed
    ]


def _in_short(group: Group) -> dict[str, str]:
    facts = {name: abridged(value) for name, value in group.facts.items()}
    if group.world:
        # The name of a built-in world says more than the hash of its images.
        facts.pop("dataset_hash", None)
        facts["world"] = group.world
    return facts


def _group_order(group: Group) -> tuple[bool, int]:
    return (not group.reproduced, list(SCALE_MARKS).index(group.scale))


def _group(members: dict[str, list[ResultRecord]], replicates: Mapping[str, Sequence[Replicate]]) -> Group:
    everything = [record for replicates in members.values() for record in replicates]
    lead = next((record for record in everything if record.origin.kind == "reproduced"), everything[0])
    # The lead's own metrics, in its order, then those that only others have.
    metrics = {metric.name: metric for record in (lead, *everything) for metric in record.metrics}
    primary = metrics[lead.primary.name]
    labels = entry_labels(members)
    lines = [_entry(key, labels[key], each, replicates[key]) for key, each in members.items()]
    same_setup = lead.protocol.get("setup") != UNKNOWN
    ranked = same_setup and len(lines) > 1
    ordered = _rank(lines, primary, ranked)
    told_apart = _differences({entry.key: _seeds_values(entry, primary.name) for entry in ordered}, replicates)
    return Group(
        fingerprint=lead.protocol_fingerprint,
        task=lead.task,
        name=lead.protocol_name,
        backbone=lead.backbone,
        scale=lead.scale,
        facts=dict(lead.protocol),
        metrics=tuple(metrics.values()),
        primary=primary.name,
        ranked=ranked,
        remarks=tuple(_group_remarks(lines, same_setup)),
        entries=tuple(_say_ranks(_say_differences(ordered, told_apart, primary), told_apart, primary)),
        differences=told_apart,
        resolution=resolution(told_apart, primary),
        changes=preset_changes(lead) if "(changed)" in lead.protocol_name else "",
    )


def _differences(
    values: Mapping[str, Sequence[float]], replicates: Mapping[str, Sequence[Replicate]]
) -> Differences | None:
    """Compare entries over seeds, and over test images where all that are compared were judged on the same ones."""
    sides = [replicates[key] for key in comparable(values)]
    moved = moved_together(sides) if sides else None
    if moved is None:
        return differences(values)
    known = sides[0][0].images
    return differences(values, shared=shared_covariance(moved), images=known.images if known else 0)


def _seeds_values(entry: Entry, metric: str) -> tuple[float, ...]:
    """Values that speak for a method's spread: none where seeds share a pretraining, or a number is published."""
    value = entry.values.get(metric)
    if value is None or entry.origin != "reproduced" or 0 < _trunks(entry.records) < len(entry.records):
        return ()
    return value.values


def _trunks(replicates: Sequence[ResultRecord]) -> int:
    """Number of different pretrained trunks behind some seeds: runs, and files of weights; 0 for a random start."""
    return len({start for record in replicates if (start := start_of(record)) is not None})


def _say_differences(lines: list[Entry], told_apart: Differences | None, metric: MetricValue) -> list[Entry]:
    """Write into each entry whom it is not told apart from, and how it compares with a random start."""
    if told_apart is None:
        return lines
    base = next((entry for entry in lines if entry.method == "random" and entry.key in told_apart.letters), None)

    def versus(entry: Entry) -> str:
        if base is None or entry is base or entry.key not in told_apart.letters:
            return ""
        if (entry.key, base.key) not in told_apart.resolved:
            return "not told apart"
        above = entry.values[metric.name].mean > base.values[metric.name].mean
        return "better" if above == metric.higher_is_better else "worse"

    return [
        replace(entry, letters=told_apart.letters.get(entry.key, ()), versus_random=versus(entry)) for entry in lines
    ]


def _say_ranks(lines: list[Entry], told_apart: Differences | None, metric: MetricValue) -> list[Entry]:
    """Write into each ranked entry the ranks that it can have."""
    if told_apart is None or not any(entry.rank for entry in lines):
        return lines
    sign = -1 if metric.higher_is_better else 1
    badness = {entry.key: sign * entry.values[metric.name].mean for entry in lines if entry.rank is not None}
    ranks = rank_intervals(badness, told_apart.resolved, told_apart.letters.keys() & badness.keys())
    return [replace(entry, rank_interval=ranks.get(entry.key)) for entry in lines]


def _rank(lines: list[Entry], metric: MetricValue, ranked: bool) -> list[Entry]:
    """Order entries by a metric, best first; equal means share a rank; those without the metric come last, unranked."""

    def badness(entry: Entry) -> float:
        value = entry.values.get(metric.name)
        if value is None or math.isnan(value.mean):
            return math.inf
        return -value.mean if metric.higher_is_better else value.mean

    lines = sorted(lines, key=lambda entry: (badness(entry), entry.label, entry.key))
    if not ranked:
        return lines
    scores = [badness(entry) for entry in lines]
    return [
        replace(entry, rank=None if score == math.inf else scores.index(score) + 1)
        for entry, score in zip(lines, scores, strict=True)
    ]


def _entry(key: str, label: str, replicates: list[ResultRecord], seen: Sequence[Replicate]) -> Entry:
    first = replicates[0]
    origin, before = first.origin, first.pretraining
    learned = [record.pretraining for record in replicates if record.pretraining is not None]
    measured = [record.origin.provenance for record in replicates if isinstance(record.origin, Reproduced)]
    values: dict[str, list[float]] = {}
    for metric in (metric for record in replicates for metric in record.metrics):
        values.setdefault(metric.name, []).append(metric.value)
    remarks, source = [], ""
    if isinstance(origin, Reported):
        source = ", ".join(part for part in (origin.publication, origin.table) if part)
        remarks += [f"run by {origin.reimplemented_by}"] if origin.reimplemented_by else []
        remarks += [origin.confounds] if origin.confounds else []
    else:
        remarks += ["one seed: no spread"] if len(replicates) == 1 else []
        trunks = _trunks(replicates)
        if len(replicates) > 1 and trunks == 1:
            remarks.append("one pretraining: the spread is that of fine-tuning alone")
        elif 0 < trunks < len(replicates):
            remarks.append(f"{trunks} pretrainings for {len(replicates)} seeds: they are not independent")
        if origin.provenance.dirty:
            remarks.append("measured with uncommitted changes in the code")
    return Entry(
        key=key,
        rank=None,
        label=label,
        method=first.method,
        origin=origin.kind,
        values={name: Value.of(each) for name, each in values.items()},
        seeds=tuple(record.seed for record in replicates if record.seed is not None),
        data=before.data if before else "none",
        pairs=before.pairs if before else None,
        flow_supervision=before.flow_supervision if before else "not used",
        pretrainings=len({each.run for each in learned if each.run is not None}),
        pretraining_seconds=_mean([each.wall_seconds for each in learned if each.wall_seconds is not None]),
        transfer_seconds=_mean([each.wall_seconds for each in measured]),
        **_pretraining_cost(learned),
        source=source,
        remarks=tuple(remarks),
        records=tuple(replicates),
        interval=mean_interval(seen) if seen else None,
    )


def _pretraining_cost(learned: Sequence[Pretraining]) -> dict[str, Any]:
    """What pretraining took beside time: mean speed, largest memory."""
    seen = _mean([each.images_seen for each in learned if each.images_seen is not None])
    memory = [each.peak_memory_mib for each in learned if each.peak_memory_mib is not None]
    return {
        "images_seen": None if seen is None else round(seen),
        "images_per_second": _mean([each.images_per_second for each in learned if each.images_per_second is not None]),
        "peak_memory_mib": max(memory, default=None),
        "device": ", ".join(sorted({each.device for each in learned if each.device})),
    }


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _group_remarks(lines: list[Entry], same_setup: bool) -> list[str]:
    """What confounds a comparison inside the group."""
    remarks = []
    if not same_setup:
        remarks.append("not ranked: the numbers come from many papers, whose settings differ or are unknown")
    learned = [entry for entry in lines if entry.method != "imagenet" and not entry.method.startswith("random")]
    amounts = sorted({entry.pairs for entry in learned if entry.pairs})
    if len(amounts) > 1:
        remarks.append(f"data amounts differ: {amount(amounts[0])} to {amount(amounts[-1])} pairs")
    flows = sorted({entry.flow_supervision for entry in learned} - {"not used", UNKNOWN})
    if len(flows) > 1:
        remarks.append(f"flow supervision differs: {', '.join(flows)}")
    # Those of records are on the data, which all results of a protocol share.
    return [*remarks, *dict.fromkeys(said for entry in lines for record in entry.records for said in record.remarks)]

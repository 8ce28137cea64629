"""What a leaderboard is made of: figures, entries, groups of one protocol, tasks, and the whole board."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from typing_extensions import Self

from ssl_motion.record import MetricValue, ResultRecord
from ssl_motion_reports.differences import Differences
from ssl_motion_reports.statistics.bootstrap import Interval

SCALE_MARKS = {"full": "", "reduced": "scaled down", "builtin": "built-in world"}


@dataclass(frozen=True)
class Value:
    """A figure of an entry: mean over seeds, sample standard deviation (None for one seed), and the seeds' values."""

    mean: float
    std: float | None
    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Average some seeds' values, of which there is at least one (standard deviation with ddof 1)."""
        mean = math.fsum(values) / len(values)
        squares = math.fsum((value - mean) ** 2 for value in values)
        return cls(mean, math.sqrt(squares / (len(values) - 1)) if len(values) > 1 else None, tuple(values))


@dataclass(frozen=True)
class Beside:
    """A published number that an entry repeats, under another protocol.

    Attributes:
        value: as printed, of the metric that ranks.
        difference: the entry's mean less that value.
        source: publication and table.
        differs: what is known to differ, or not known at all.
    """

    value: float
    difference: float
    source: str
    differs: tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """One line of a leaderboard: a method under a protocol, over its seeds, or one published row.

    Attributes:
        key: equal for replicates; stable between reports.
        rank: place in its group (equal means share one); None where the group is not ranked.
        label: the method, with the settings that tell it from others of the same method in the group.
        method: name of the method.
        origin: "reproduced" or "reported".
        values: metric name -> figure.
        seeds: seeds of the reproduced runs.
        data: what the features were learned from.
        pairs: number of pairs or images, None where unknown.
        flow_supervision: what the flow was learned from.
        pretrainings: number of pretraining runs that the seeds stem from.
        pretraining_seconds: mean cost, None where unknown.
        transfer_seconds: mean cost, None where unknown.
        images_seen: images that pretraining took in all, None where unknown.
        images_per_second: mean speed of pretraining, None where unknown.
        peak_memory_mib: most memory that a pretraining took, None where unknown.
        device: that pretraining ran on, empty where unknown.
        source: publication, table and row of a published number.
        remarks: what a reader should know before comparing.
        records: the records behind it.
        letters: entries of a group that share one are not told apart (`ssl_motion_reports.differences`); empty where
            nothing can be said.
        versus_random: "better", "worse" or "not told apart" from a random start; empty where nothing can be said.
        interval: of the metric that ranks; None for published rows, and where nothing can be said.
        rank_interval: best and worst rank that it can have (`ssl_motion_reports.statistics.ranks`); likewise.
        reported: published numbers that it repeats (`ssl_motion_reports.beside`).
    """

    key: str
    rank: int | None
    label: str
    method: str
    origin: str
    values: dict[str, Value]
    seeds: tuple[int, ...]
    data: str
    pairs: int | None
    flow_supervision: str
    pretrainings: int
    pretraining_seconds: float | None
    transfer_seconds: float | None
    images_seen: int | None
    images_per_second: float | None
    peak_memory_mib: float | None
    device: str
    source: str
    remarks: tuple[str, ...]
    records: tuple[ResultRecord, ...]
    letters: tuple[str, ...] = ()
    versus_random: str = ""
    interval: Interval | None = None
    rank_interval: tuple[int, int] | None = None
    reported: tuple[Beside, ...] = ()


@dataclass(frozen=True)
class Group:
    """Everything with one protocol fingerprint.

    Attributes:
        fingerprint: of the protocol.
        task: name of the task.
        name: name of the protocol.
        backbone: architecture.
        scale: "full", "reduced" or "builtin".
        facts: the protocol, field by field.
        metrics: what is measured, in the order of columns.
        primary: name of the metric that ranks.
        ranked: whether the entries may be ranked against each other.
        remarks: what a reader should know before comparing.
        entries: best first.
        detail: facts that tell it from other groups of the same name.
        differences: which of its entries are told apart in the primary metric; None where nothing can be said.
        resolution: which differences its protocol can tell apart, in a sentence; empty where nothing can be said.
        changes: what was changed in the preset that the protocol is named after; empty where nothing was.
    """

    fingerprint: str
    task: str
    name: str
    backbone: str
    scale: str
    facts: dict[str, Any]
    metrics: tuple[MetricValue, ...]
    primary: str
    ranked: bool
    remarks: tuple[str, ...]
    entries: tuple[Entry, ...]
    detail: str = ""
    differences: Differences | None = None
    resolution: str = ""
    changes: str = ""

    # Asked for in every row of every format: worked out once.
    @cached_property
    def usual_sources(self) -> tuple[str, ...]:
        """What most intervals of the group are over; empty where there are none."""
        counts = Counter(entry.interval.sources for entry in self.entries if entry.interval is not None)
        return max(counts, key=lambda sources: (counts[sources], sources), default=())

    @cached_property
    def span(self) -> tuple[float, float]:
        """Lowest and highest value of the ranking metric, ends of intervals included; zeros where there is none."""
        known = [entry.values[self.primary] for entry in self.entries if self.primary in entry.values]
        ends = [value for each in known for value in each.values]
        ends += [end for entry in self.entries if entry.interval for end in (entry.interval.low, entry.interval.high)]
        return (min(ends), max(ends)) if ends else (0.0, 0.0)

    @property
    def reproduced(self) -> bool:
        """Whether anything in it was measured here."""
        return any(entry.origin == "reproduced" for entry in self.entries)

    @property
    def mark(self) -> str:
        """How a group that is no full protocol is marked; empty for one that is."""
        return SCALE_MARKS[self.scale]

    @property
    def world(self) -> str:
        """Name of the built-in world that its images are of; empty for others."""
        specs = [record.spec for entry in self.entries for record in entry.records]
        worlds = {str((spec.get("puppets") or {}).get("world", "")) for spec in specs if self.scale == "builtin"}
        return worlds.pop() if len(worlds) == 1 else ""

    @property
    def title(self) -> str:
        """Protocol, backbone and mark in one line."""
        name = self.name.replace("(changed)", f"({self.changes})") if self.changes else self.name
        parts = [name, self.backbone, self.mark, self.detail]
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True)
class TaskBoard:
    """All groups of one task."""

    name: str
    title: str
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class Board:
    """A whole leaderboard."""

    tasks: tuple[TaskBoard, ...]

    @property
    def groups(self) -> list[Group]:
        """All groups, in order."""
        return [group for task in self.tasks for group in task.groups]

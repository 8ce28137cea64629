"""The unit of work: one shard. It is made from start to end by one process, and either is there whole or not at all."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ssl_motion.data.sample import FlowSample
from ssl_motion.data.shards import is_finished, write_shard
from ssl_motion.errors import DataError
from ssl_motion.fileio import write_json
from ssl_motion.identity import digest
from ssl_motion.prepare.folder import OutputFolder
from ssl_motion.prepare.pool import Tick
from ssl_motion.prepare.spec import ShardSpec
from ssl_motion.video.clip import Rejection
from ssl_motion.video.rules import StillRule, is_still


class Unit(Protocol):
    """The plan of one shard. Picklable, and small: it says which pairs, and holds none."""

    @property
    def shard(self) -> str:
        """File name of the shard."""

    @property
    def planned(self) -> int:
        """Number of pairs that are tried."""

    def describe(self) -> Any:
        """Return everything that the shard's content depends on besides the data set's settings, as JSON data."""

    def candidates(self, spec: ShardSpec, out: OutputFolder) -> "Iterable[FlowSample | Rejection]":
        """Yield every planned pair, or what is wrong with it; still pairs are not yet left out."""


@dataclass
class UnitReport:
    """What became of a shard's pairs.

    Attributes:
        key: hash of the unit's plan; a report with another key is out of date.
        planned: pairs that were tried.
        kept: pairs in the shard.
        still: pairs left out because nothing moves in them.
        clips: clip -> [kept, still].
        rejected: what was wrong with the others.
    """

    key: str
    planned: int
    kept: int = 0
    still: int = 0
    clips: dict[str, list[int]] = field(default_factory=dict)
    rejected: list[dict[str, Any]] = field(default_factory=list)


def report_path(out: OutputFolder, unit: Unit) -> Path:
    """File that a finished shard's report is in."""
    return out.reports / f"{Path(unit.shard).stem}.json"


def read_report(out: OutputFolder, unit: Unit, identity: str) -> UnitReport | None:
    """Return the report of a finished shard, or None where the shard is still to be made."""
    try:
        report = UnitReport(**json.loads(report_path(out, unit).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return report if report.key == _key(unit, identity) and is_finished(out.path / unit.shard) else None


def make_shard(unit: Unit, tick: Tick, *, spec: ShardSpec, out: OutputFolder, identity: str) -> UnitReport:
    """Make one shard and its report; memory holds one pair and the frames of a gap.

    Args:
        unit: the plan.
        tick: called once for each planned pair.
        spec: settings.
        out: where.
        identity: of the data set's plan.

    Raises:
        RunError: The disk is full or the folder cannot be written.
    """
    report = UnitReport(_key(unit, identity), unit.planned)
    write_shard(out.path / unit.shard, _kept(unit, tick, spec, out, report), jpeg_quality=spec.jpeg_quality)
    write_json(report_path(out, unit), asdict(report))
    return report


def _key(unit: Unit, identity: str) -> str:
    return digest([identity, unit.describe()])


def _kept(unit: Unit, tick: Tick, spec: ShardSpec, out: OutputFolder, report: UnitReport) -> Iterator[FlowSample]:
    tried = 0
    for item in unit.candidates(spec, out):
        tick()
        tried += 1
        if isinstance(item, Rejection):
            report.rejected.append(item.as_json())
            continue
        count = report.clips.setdefault(item.clip, [0, 0])
        if _without_motion(item, spec.still):
            count[1] += 1
            report.still += 1
            continue
        try:
            sample = item.checked()
        except DataError as error:
            report.rejected.append(Rejection(item.clip, item.clip, str(error), "pair").as_json())
            continue
        count[0] += 1
        report.kept += 1
        yield sample
    for _ in range(tried, unit.planned):
        tick()


def _without_motion(sample: FlowSample, rule: StillRule) -> bool:
    return rule.min_moving > 0 and is_still(sample.flow, sample.valid, rule)

"""Which records are replicates of each other, and so one line of a leaderboard.

Only replicates are averaged: runs that differ in nothing but their seeds. Published
numbers are never averaged.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from ssl_motion.identity import digest
from ssl_motion.record import Reported, Reproduced, ResultRecord

_NOT_CHOSEN = {
    "run",
    "spec",
    "figures",
    "wall_seconds",
    "images_per_second",
    "peak_memory_mib",
    "device",
    "images_seen_by_weights",
}


def unique(records: Iterable[ResultRecord]) -> list[ResultRecord]:
    """Drop repetitions: of several records with one identity (a run that was forced, or copied), the latest stays."""
    latest: dict[str, ResultRecord] = {}
    for record in records:
        known = latest.get(record.identity)
        if known is None or finished(record) > finished(known):
            latest[record.identity] = record
    return list(latest.values())


def finished(record: ResultRecord) -> str:
    """When a run ended, UTC in ISO 8601; empty for a published number."""
    return record.origin.provenance.finished if isinstance(record.origin, Reproduced) else ""


def _without(content: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in content.items() if key not in keys}


def replicate_key(record: ResultRecord) -> str:
    """Hash of all that must agree before two records are averaged: everything but seeds and the runs they name."""
    if isinstance(record.origin, Reported):
        return record.identity
    before = None
    if record.pretraining is not None:
        before = record.pretraining.model_dump(mode="json", exclude=_NOT_CHOSEN)
        spec = _without(record.pretraining.spec, "seed")
        if spec.get("early_stopping") is not None:
            del before["images_seen"]  # chance decides, and each seed has its own
        if isinstance(spec.get("data"), dict):
            spec["data"] = _without(spec["data"], "shards")  # paths; `pretraining.data` names the data
        before["spec"] = spec
        if record.pretraining.run is None:
            # Weights that were not learned here: which file it was tells two of them apart.
            before["weights"] = record.spec.get("init")
    return digest(
        {
            "protocol": record.protocol_fingerprint,
            "method": record.method,
            "pretraining": before,
            "transfer": _without(record.spec, "seed", "init"),
        }
    )


def entries(records: Sequence[ResultRecord]) -> dict[str, list[ResultRecord]]:
    """Group records into lines of a leaderboard: entry key -> replicates, ordered by seed.

    A seed that occurs twice among records which look like replicates means that they
    differ in something the records do not say (an older version of the code, say): such records are
    told apart by their pretraining run, and where that does not help each stands alone.
    """
    groups: dict[str, list[ResultRecord]] = {}
    for record in unique(records):
        groups.setdefault(replicate_key(record), []).append(record)
    result: dict[str, list[ResultRecord]] = {}
    for key, group in groups.items():
        for name, part in _split(key, group).items():
            result[name] = sorted(part, key=lambda record: (record.seed or 0, record.identity))
    return result


def _split(key: str, group: list[ResultRecord]) -> dict[str, list[ResultRecord]]:
    if _seeds_differ(group):
        return {key: group}
    by_run: dict[str, list[ResultRecord]] = {}
    for record in group:
        run = record.pretraining.run if record.pretraining else None
        by_run.setdefault(digest([key, run]), []).append(record)
    parts: dict[str, list[ResultRecord]] = {}
    for name, part in by_run.items():
        parts.update({name: part} if _seeds_differ(part) else {record.identity: [record] for record in part})
    return parts


def _seeds_differ(group: list[ResultRecord]) -> bool:
    return len({record.seed for record in group}) == len(group)

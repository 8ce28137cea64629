"""Records -> tidy tables: one line a record and metric, then mean and spread over seeds.

Only replicates are averaged: runs that differ in nothing but their seeds. Published
numbers are never averaged.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ssl_motion.identity import digest
from ssl_motion.record import Reported, Reproduced, ResultRecord

COLUMNS = [
    *("entry", "identity", "task", "protocol_name", "fingerprint", "scale", "backbone", "method", "origin", "seed"),
    *("metric", "unit", "value", "higher_is_better", "primary"),
    *("pretraining_data", "pairs", "images_seen", "flow_supervision", "pretraining_run"),
    *("pretraining_seconds", "transfer_seconds", "publication", "table", "row", "reimplemented_by"),
]
_NOT_CHOSEN = {
    *(
        "run",
        "spec",
        "figures",
        "wall_seconds",
        "images_per_second",
        "peak_memory_mib",
        "device",
        "images_seen_by_weights",
    )
}
_SUMMARY_KEYS = ["task", "protocol_name", "fingerprint", "scale", "backbone", "method", "origin", "entry", "metric"]


def unique(records: Iterable[ResultRecord]) -> list[ResultRecord]:
    """Drop repetitions: of several records with one identity (a run that was forced, or copied), the latest stays."""
    latest: dict[str, ResultRecord] = {}
    for record in records:
        known = latest.get(record.identity)
        if known is None or _finished(record) > _finished(known):
            latest[record.identity] = record
    return list(latest.values())


def _finished(record: ResultRecord) -> str:
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


def tidy(records: Sequence[ResultRecord]) -> pd.DataFrame:
    """Lay records out as a table with one line for each record and metric.

    Returns:
        The columns `COLUMNS`. "entry" is equal for replicates; seconds are wall time; "pairs" and "images_seen" are
        missing (NaN) where unknown; "publication" and what follows are filled for published numbers alone.
    """
    return lay_out(entries(records))


def lay_out(grouped: Mapping[str, Sequence[ResultRecord]]) -> pd.DataFrame:
    """Do the same for records that `entries` has grouped already."""
    lines = [
        _line(entry, record, index)
        for entry, group in grouped.items()
        for record in group
        for index in range(len(record.metrics))
    ]
    frame = pd.DataFrame(lines, columns=COLUMNS)
    numbers = ["seed", "value", "pairs", "images_seen", "pretraining_seconds", "transfer_seconds"]
    frame[numbers] = frame[numbers].apply(pd.to_numeric)
    return frame


def _line(entry: str, record: ResultRecord, index: int) -> dict[str, Any]:
    metric, before, origin = record.metrics[index], record.pretraining, record.origin
    line = {
        "entry": entry,
        **{
            name: getattr(record, name) for name in ("identity", "task", "protocol_name", "scale", "backbone", "method")
        },
        "fingerprint": record.protocol_fingerprint,
        "origin": origin.kind,
        "seed": record.seed,
        "metric": metric.name,
        **metric.model_dump(include={"unit", "value", "higher_is_better", "primary"}),
        "pretraining_data": before.data if before else "none",
        "pairs": before.pairs if before else None,
        "images_seen": before.images_seen if before else None,
        "flow_supervision": before.flow_supervision if before else "not used",
        "pretraining_run": before.run if before else None,
        "pretraining_seconds": before.wall_seconds if before else None,
    }
    if isinstance(origin, Reproduced):
        line["transfer_seconds"] = origin.provenance.wall_seconds
    else:
        line.update(origin.model_dump(include={"publication", "table", "row", "reimplemented_by"}))
    return line


def summarise(frame: pd.DataFrame) -> pd.DataFrame:
    """Average replicates.

    Args:
        frame: as `tidy` returns it.

    Returns:
        One line for each entry and metric, in the order of `frame`, with "mean", "std" (over seeds, ddof 1; NaN for one
        seed), "n" (number of seeds), "seeds", "values", "pretrainings" (how many pretraining runs the seeds
        stem from), mean seconds, and the columns that replicates share.
    """
    shared = ["unit", "higher_is_better", "primary", "pretraining_data", "pairs", "images_seen", "flow_supervision"]
    published = ["publication", "table", "row", "reimplemented_by"]
    groups = frame.groupby(_SUMMARY_KEYS, sort=False, dropna=False)
    summary = groups.agg(
        mean=("value", "mean"),
        n=("value", "size"),
        pretrainings=("pretraining_run", "nunique"),
        pretraining_seconds=("pretraining_seconds", "mean"),
        transfer_seconds=("transfer_seconds", "mean"),
        **{name: (name, "first") for name in (*shared, *published)},
    )
    summary = summary.reset_index()
    # By hand: pandas takes a millisecond for each function that it calls on a group, and there may be thousands.
    values: list[list[float]] = [[] for _ in range(len(summary))]
    seeds: list[list[int]] = [[] for _ in range(len(summary))]
    for group, value, seed in zip(groups.ngroup(), frame["value"], frame["seed"], strict=True):
        values[group].append(float(value))
        if not pd.isna(seed):
            seeds[group].append(int(seed))
    spread = [float(np.std(each, ddof=1)) if len(each) > 1 else float("nan") for each in values]
    columns: dict[str, Any] = {"std": spread, "seeds": list(map(tuple, seeds)), "values": list(map(tuple, values))}
    return summary.assign(**columns)

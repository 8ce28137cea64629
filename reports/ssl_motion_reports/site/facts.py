"""Facts of records as they are printed on pages of runs."""

from collections.abc import Iterator, Sequence
from typing import Any

from ssl_motion.record import Pretraining, Reproduced, ResultRecord
from ssl_motion_reports.formatting import amount, duration, number

Facts = list[tuple[str, str]]


def exact(value: float) -> str:
    """A record's figure with all the digits that matter."""
    return f"{value:.10g}"


def pretraining_facts(before: Pretraining) -> Facts:
    """What is known of a pretraining run."""
    known = [
        ("data", before.data),
        ("fingerprint of the data", before.data_fingerprint or ""),
        ("pairs", amount(before.pairs) if before.pairs is not None else ""),
        ("images seen", amount(before.images_seen) if before.images_seen is not None else ""),
        ("images seen by the weights", amount(before.images_seen_by_weights) if before.images_seen_by_weights else ""),
        ("flow supervision", before.flow_supervision),
        ("time", duration(before.wall_seconds)),
        ("images per second", number(before.images_per_second) if before.images_per_second is not None else ""),
        ("peak memory", f"{number(before.peak_memory_mib)} MiB" if before.peak_memory_mib is not None else ""),
        ("device", before.device or ""),
        ("recipe version", str(before.recipe_version)),
    ]
    return [(name, text) for name, text in known if text]


def provenance(record: ResultRecord) -> Facts:
    """Where a reproduced record comes from."""
    assert isinstance(record.origin, Reproduced)
    where = record.origin.provenance
    learned = record.pretraining.run if record.pretraining else None  # has a link of its own
    changes = {True: ", with uncommitted changes", False: "", None: ""}[where.dirty]
    known = [
        ("code", where.commit + changes),
        ("hardware", f"{where.hardware} ({where.device})"),
        ("Python", where.python),
        ("packages", ", ".join(f"{name} {version}" for name, version in where.packages.items())),
        ("after runs", ", ".join(parent for parent in where.parents if parent != learned)),
    ]
    return [(name, text) for name, text in known if text]


def merged(each: Sequence[tuple[str, Facts]]) -> Facts:
    """Say once what is the same for all, and name who differs where it is not.

    Args:
        each: (name, facts) of every run.
    """
    names = list(dict.fromkeys(name for _, facts in each for name, _ in facts))
    lines = []
    for name in names:
        texts = [(who, dict(facts).get(name, "not known")) for who, facts in each]
        if len({text for _, text in texts}) == 1:
            lines.append((name, texts[0][1]))
        else:
            lines.append((name, "; ".join(f"{who}: {text}" for who, text in texts)))
    return lines


def detail_tables(records: Sequence[ResultRecord]) -> Iterator[dict[str, Any]]:
    """Figures by class and the like, as tables with a column for each seed and, for several, their mean.

    Yields:
        "title"; "columns"; "rows": (name, texts, length of a bar up to 100, None where bars say nothing).
    """
    groups = dict.fromkeys(group for record in records for group in record.details)
    for title in groups:
        names = dict.fromkeys(name for record in records for name in record.details.get(title, {}))
        values = {name: [record.details.get(title, {}).get(name) for record in records] for name in names}
        means = {name: _mean([value for value in row if value is not None]) for name, row in values.items()}
        top = max(means.values(), default=0.0)
        bars = top > 0 and min(means.values()) >= 0
        columns = [seed_name(record) for record in records] + (["mean"] if len(records) > 1 else [])
        rows = []
        for name, row in values.items():
            texts = ["" if value is None else number(value) for value in row]
            texts += [number(means[name])] if len(records) > 1 else []
            rows.append((name, texts, round(means[name] / top * 100) if bars else None))
        if rows:
            yield {"title": title, "columns": columns, "rows": rows}


def seed_name(record: ResultRecord) -> str:
    """How a run is called among those that differ from it in their seeds."""
    return "run" if record.seed is None else f"seed {record.seed}"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)

"""What is wrong with many records: each by itself (`checks`), and those that say the same twice."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ssl_motion.contribution.checks import Fault, check_record, has_images, read_or_faults
from ssl_motion.identity import digest
from ssl_motion.record import ResultRecord


@dataclass(frozen=True)
class Verdict:
    """What came out of checking some files.

    Attributes:
        records: those that could be read, by file.
        faults: all that is wrong, file by file.
        images: how many records have their per-image statistics at hand.
    """

    records: Mapping[Path, ResultRecord]
    faults: tuple[Fault, ...]
    images: int


def read_all(files: Iterable[Path]) -> tuple[dict[Path, ResultRecord], list[Fault]]:
    """Read records, and say of the files that are none what is wrong with them."""
    records: dict[Path, ResultRecord] = {}
    faults: list[Fault] = []
    for file in files:
        record, unreadable = read_or_faults(file)
        faults += unreadable
        if record is not None:
            records[file] = record
    return records, faults


def check_files(files: Sequence[Path]) -> Verdict:
    """Check record files, each by itself and against each other."""
    records, faults = read_all(files)
    for file, record in records.items():
        faults += check_record(record, file)
    faults += repetitions(records)
    order = {file: place for place, file in enumerate(files)}
    images = sum(has_images(record, file) for file, record in records.items())
    return Verdict(records, tuple(sorted(faults, key=lambda fault: order[fault.file])), images)


def repetitions(records: Mapping[Path, ResultRecord]) -> list[Fault]:
    """Find identities that two files have, and other seeds that gave the same figures to the last digit."""
    faults, by_identity, by_figures = [], dict[str, Path](), dict[str, Path]()
    for file, record in records.items():
        first = by_identity.setdefault(record.identity, file)
        if first != file:
            faults.append(Fault(file, "identity", f"{record.identity} is also that of {first}"))
            continue
        if record.origin.kind != "reproduced" or _is_constant(record):
            continue
        metrics = [[metric.name, metric.value] for metric in record.metrics]
        key = digest([record.protocol_fingerprint, record.method, metrics, record.details])
        first = by_figures.setdefault(key, file)
        if first != file and records[first].seed != record.seed:
            message = f"all are to the last digit those of seed {records[first].seed} in {first}; a copy, it seems"
            faults.append(Fault(file, "metrics", message))
    return faults


def _is_constant(record: ResultRecord) -> bool:
    """Whether a network gave one answer to everything, which two seeds may well do alike: each class all or nothing."""
    return any(len(values) > 1 and set(values.values()) <= {0.0, 100.0} for values in record.details.values())

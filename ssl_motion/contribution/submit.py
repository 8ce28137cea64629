"""A finished run's record, put beside others under a name of its own, with its per-image statistics."""

from dataclasses import dataclass
from pathlib import Path
from shutil import copyfileobj

from ssl_motion.contribution.checks import check_record, record_stem
from ssl_motion.contribution.collection import read_all, repetitions
from ssl_motion.errors import RunError, UsageError
from ssl_motion.fileio import write_atomically, write_json
from ssl_motion.record import PerImage, ResultRecord, read_record
from ssl_motion.store import RunFolder

LARGEST = 5_000_000
"""Bytes of per-image statistics that go with a record; a repository is no place for more."""
IMAGES = "per_image"


@dataclass(frozen=True)
class Submission:
    """What was written.

    Attributes:
        record: file of the record.
        images: file of its per-image statistics; None where they are missing or too large.
        remarks: what the user should know.
    """

    record: Path
    images: Path | None
    remarks: tuple[str, ...]


def submit(run: RunFolder, out: Path) -> Submission:
    """Put a finished transfer run's record into a folder of records.

    The record is the run's own but for the place of its per-image statistics, which get the record's name.

    Args:
        run: a transfer run or an ensemble.
        out: folder to write into, made when missing.

    Raises:
        UsageError: The run is not finished, or its record is in the folder already.
        RunError: Checks find a fault in the record, or the folder cannot be written.
        DataError: The run's files are damaged.
    """
    file = run.path / "record.json"
    if not run.is_finished:
        raise UsageError(f"{run.path} is not finished. Start the same command again to finish it.")
    if not file.is_file():
        raise UsageError(f"{run.path} has no record: transfer runs and ensembles have one.")
    record = read_record(file)
    faults = [*_strange(run, record), *map(str, check_record(record, file))]
    if faults:
        raise RunError("\n".join([f"{run.path.name} cannot be submitted:", *(f"  {fault}" for fault in faults)]))
    target = out / f"{record_stem(record)}.json"
    _refuse_known(record, target)
    images, remarks = None, []
    if record.per_image is not None:
        source = run.path / record.per_image.file
        images, reason = _room_for(source, target)
        remarks += [f"the per-image statistics stay behind: {reason}"] if reason else []
        if images is not None:
            with source.open("rb") as content:
                write_atomically(images, lambda file: copyfileobj(content, file))
        place = PerImage(file=f"{IMAGES}/{target.stem}.npz", sha256=record.per_image.sha256)
        record = record.model_copy(update={"per_image": place})
    init = record.spec.get("init")
    if isinstance(init, str) and Path(init).parent.name == "pretrain":
        # Where this machine keeps its runs is nobody's business, and no part of the run's identity.
        init = f"runs/pretrain/{Path(init).name}"
        record = record.model_copy(update={"spec": {**record.spec, "init": init}})
    # Last, so that an interruption leaves no record without its statistics.
    write_json(target, record.model_dump(mode="json"))
    if isinstance(init, str) and Path(init).is_absolute():
        remarks.append(f"the record names a path of this machine, which readers will see: spec.init {init}")
    return Submission(target, images, tuple(remarks))


def _strange(run: RunFolder, record: ResultRecord) -> list[str]:
    """Where the record is not what the run said at its end."""
    known = {
        "protocol_fingerprint": record.protocol_fingerprint,
        "seed": record.seed,
        "metrics": {metric.name: metric.value for metric in record.metrics},
    }
    found = [] if record.identity == run.identity else [f"record.json is of another run: {record.identity}"]
    summary = run.summary
    return found + [
        f"record.json: {name}: is {value}, but done.json says {summary.get(name)}"
        for name, value in known.items()
        if summary.get(name) != value
    ]


def _refuse_known(record: ResultRecord, target: Path) -> None:
    """Refuse a record that the folder has already, or one that repeats another's figures."""
    there = sorted(target.parent.glob("*.json"), key=lambda path: path.name)
    known, _ = read_all(there)
    for file, other in known.items():
        if other.identity == record.identity:
            same = {metric.name: metric.value for metric in other.metrics} == {
                metric.name: metric.value for metric in record.metrics
            }
            figures = "with the same figures" if same else "with other figures, since it was run twice"
            raise UsageError(f"{record.identity} is in {target.parent} already, {figures}: {file.name}")
    if repeated := repetitions({**known, target: record}):
        faults = [fault for fault in repeated if fault.file == target]
        if faults:
            raise RunError("\n".join(f"{fault.key}: {fault.message}" for fault in faults))


def _room_for(source: Path, target: Path) -> tuple[Path | None, str]:
    """Where per-image statistics go beside a record, or why they do not."""
    if not source.is_file():
        return None, f"{source} is not there"
    if source.stat().st_size > LARGEST:
        return None, f"{source} is larger than {LARGEST // 10**6} MB"
    return target.parent / IMAGES / f"{target.stem}.npz", ""

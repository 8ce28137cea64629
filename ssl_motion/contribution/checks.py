"""What is wrong with one record, as far as its file and what lies beside it can tell.

Nothing is run again: an identity, a range or a sum that does not agree shows that a record was edited by hand, copied
under another name or measured by code that nobody can get; that a number is true, only measuring it again can show.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from ssl_motion.contribution.recompute import disagreements, read_known
from ssl_motion.errors import DataError
from ssl_motion.fileio import sha256_of
from ssl_motion.identity import ENSEMBLE_VERSION, ensemble_identity, transfer_identity
from ssl_motion.record import Reproduced, ResultRecord, key_of, read_record, record_content
from ssl_motion.spec import BASELINE
from ssl_motion.store import run_name, transfer_label

# Figures are kept in full precision; another order of summation may move their last digits.
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Fault:
    """Something that is wrong.

    Attributes:
        file: the record.
        key: place in it, such as "metrics.0.value".
        message: what was expected and what was found.
    """

    file: Path
    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: {self.message}"


def record_stem(record: ResultRecord) -> str:
    """Name of a record's file without suffix: that of its run's folder."""
    return run_name(transfer_label(record.spec, record.method), record.identity)


def read_or_faults(file: Path) -> tuple[ResultRecord | None, list[Fault]]:
    """Read a record; where it is none, say everything that is wrong with it."""
    try:
        return read_record(file), []
    except DataError as error:
        reason = str(error).removeprefix(f"{file}: ")
    try:
        ResultRecord.model_validate(record_content(file, file.read_bytes()))
    except ValidationError as error:
        return None, [Fault(file, key_of(each), str(each["msg"])) for each in error.errors()]
    except (DataError, OSError):
        pass
    return None, [Fault(file, "the file", reason)]


def check_record(record: ResultRecord, file: Path) -> list[Fault]:
    """Check one record by itself.

    Args:
        record: as it was read.
        file: where it lies; its per-image statistics lie beside it.
    """
    if not isinstance(record.origin, Reproduced):
        message = "a published number is no result of a run: it belongs into the table of published results"
        return [Fault(file, "origin.kind", message)]
    parts = (_name(record, file), _origin(record), _agreement(record), _metrics(record), _amounts(record))
    found = [Fault(file, key, message) for part in (*parts, _images(record, file.parent)) for key, message in part]
    if not any(fault.key == "identity" for fault in found) and (wrong := identity_fault(record)) is not None:
        found.append(Fault(file, "identity", wrong))
    return found


Found = Iterator[tuple[str, str]]


def _name(record: ResultRecord, file: Path) -> Found:
    if not re.fullmatch(r"[0-9a-f]{16}", record.identity):
        yield "identity", f"expected 16 hexadecimal digits, found {record.identity!r}"
    # In a run's folder, the folder has the name.
    name = file.parent.name if file.name == "record.json" else file.stem
    if name != record_stem(record):
        yield "file name", f"expected {record_stem(record)}, found {name}"


def identity_fault(record: ResultRecord) -> str | None:
    """Say what is wrong with an identity, a hash of spec, protocol, data and parents, all of which the record has.

    Returns:
        None where nothing is, or where the record does not hold all that went in.
    """
    expected = recomputed_identities(record)
    if not expected or record.identity in expected:
        return None
    message = f"the record's spec, protocol and parents give {expected[-1]}, not {record.identity}: "
    return message + "one of them, or the seed, is not what was run"


def recomputed_identities(record: ResultRecord) -> list[str]:
    """Work out which identity a record's content gives: one, or one for each version of ensembles.

    Returns:
        Nothing where the record does not hold all that went in: a start from a file is known by the file's hash.
    """
    spec, protocol, before = record.spec, record.protocol, record.pretraining
    if not isinstance(record.origin, Reproduced) or not isinstance(protocol.get("dataset_hash"), str):
        return []
    parents = record.origin.provenance.parents
    if "ensemble" in spec:
        versions = range(1, ENSEMBLE_VERSION + 1)
        return [ensemble_identity(record.task, protocol, parents, version) for version in versions]
    if before is None:
        start = str(spec.get("init"))
    elif before.run is not None:
        start = f"run:{before.run}"
    else:
        return []
    version = protocol.get("recipe_version", 1)
    return [transfer_identity(spec, start=start, protocol=protocol, recipe_version=version, parents=parents)]


def _origin(record: ResultRecord) -> Found:
    assert isinstance(record.origin, Reproduced)
    from_where, place = record.origin.provenance, "origin.provenance"
    if from_where.dirty:
        message = (
            "measured with uncommitted changes in the code, which nobody else can get; commit them and run it again"
        )
        yield f"{place}.dirty", message
    if not re.fullmatch(r"[0-9a-f]{40}|version \S+", from_where.commit):
        yield f"{place}.commit", f'expected a git commit (40 digits) or "version X", found {from_where.commit!r}'
    if not from_where.wall_seconds > 0:
        yield f"{place}.wall_seconds", f"expected more than 0, found {from_where.wall_seconds}"
    try:
        known_zone = datetime.fromisoformat(from_where.finished).tzinfo is not None
    except ValueError:
        known_zone = False
    if not known_zone:
        yield f"{place}.finished", f"expected a time in ISO 8601 with its zone, found {from_where.finished!r}"


def _agreement(record: ResultRecord) -> Found:
    """Whether the parts that the protocol's fingerprint is made of say the same as the spec that was run."""
    spec, protocol = record.spec, record.protocol
    if not spec:
        yield "spec", "is empty: nobody can run this again"
        return
    if spec.get("task") != record.task:
        yield "task", f"is {record.task!r}, but the spec ran {spec.get('task')!r}"
    if "seed" not in spec or spec["seed"] != record.seed:
        yield "seed", f"is {record.seed}, but the spec ran {spec.get('seed')}"
    if record.seed is None and "ensemble" not in spec:
        yield "seed", "is missing"
    if "dataset_hash" not in protocol:
        yield "protocol.dataset_hash", "is missing: results on other data would share the fingerprint"
    if protocol.get("recipe_overrides") != spec.get("recipe_overrides"):
        yield "protocol.recipe_overrides", "differ from those of the spec"
    on_puppets = spec.get("puppets") is not None
    if on_puppets != (record.scale == "builtin"):
        yield "scale", f"is {record.scale!r}, but the spec {'has' if on_puppets else 'has no'} built-in data"
    config = spec.get("task_config")
    preset = config.get("preset") if isinstance(config, dict) else None
    if preset is not None and not record.protocol_name.startswith(str(preset)):
        yield "protocol_name", f"expected that of the preset {preset!r}, found {record.protocol_name!r}"
    assert isinstance(record.origin, Reproduced)
    parents, before = record.origin.provenance.parents, record.pretraining
    if "ensemble" not in spec:
        runs = [before.run] if before is not None and before.run is not None else []
        if parents != runs:
            yield "pretraining.run", f"expected the parents of the run, {parents}, found {runs}"
        init = str(spec.get("init"))
        if init.startswith(BASELINE):
            if before is not None or init != BASELINE + record.method:
                yield "method", f"is {record.method!r}, but the spec ran {init!r}, which has learned nothing"
        elif (before is None) != record.method.startswith("random"):
            yield "method", f"is {record.method!r}, but pretraining is {'missing' if before is None else 'given'}"


def _metrics(record: ResultRecord) -> Found:
    names = [metric.name for metric in record.metrics]
    for place, metric in enumerate(record.metrics):
        if names.index(metric.name) < place:
            yield f"metrics.{place}.name", f"{metric.name!r} stands there twice"
        if metric.unit == "%" and not -_TOLERANCE <= metric.value <= 100 + _TOLERANCE:
            yield f"metrics.{place}.value", f"{metric.name}: expected 0 to 100 %, found {metric.value}"
    if sum(metric.primary for metric in record.metrics) != 1:
        yield "metrics", "expected exactly one primary metric"
    classes = record.details.get("IoU")
    for place, metric in enumerate(record.metrics):
        if metric.name == "mIoU" and classes:
            mean = sum(classes.values()) / len(classes)
            if abs(mean - metric.value) > _TOLERANCE * 100:
                yield f"metrics.{place}.value", f"mIoU is {metric.value}, the mean of details.IoU {mean}"


def _amounts(record: ResultRecord) -> Found:
    before = record.pretraining
    if before is None:
        return
    for name in ("pairs", "images_seen", "images_seen_by_weights", "wall_seconds", "images_per_second"):
        value = getattr(before, name)
        if value is not None and not value > 0:
            yield f"pretraining.{name}", f"expected more than 0, found {value}"
    kept, seen = before.images_seen_by_weights, before.images_seen
    if kept is not None and seen is not None and kept > seen:
        yield "pretraining.images_seen_by_weights", f"is {kept}, more than the {seen} images seen in all"


def _images(record: ResultRecord, folder: Path) -> Found:
    """Whether the per-image statistics are the recorded ones and give the recorded figure; none there is no fault."""
    if record.per_image is None:
        return
    place = PurePosixPath(record.per_image.file)
    if place.is_absolute() or ".." in place.parts or "\\" in record.per_image.file:
        yield "per_image.file", f"expected a file in the record's folder, found {record.per_image.file!r}"
        return
    path = folder / place
    if not path.is_file():
        return
    if (found := sha256_of(path)) != record.per_image.sha256:
        yield "per_image.sha256", f"expected {record.per_image.sha256}, found {found} ({path})"
        return
    try:
        content = read_known(path)
        wrong = {} if content is None else disagreements(content, path, record)
    except DataError as error:
        yield "per_image.file", str(error)
        return
    for number, metric in enumerate(record.metrics):
        if metric.name in wrong:
            yield f"metrics.{number}.value", wrong[metric.name]


def has_images(record: ResultRecord, file: Path) -> bool:
    """Whether a record's per-image statistics are at hand."""
    return record.per_image is not None and (file.parent / record.per_image.file).is_file()

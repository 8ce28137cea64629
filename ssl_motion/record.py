"""What a run gave: immutable, versioned JSON, one file a run.

Everything that reports print comes from these records. Two results may be
ranked against each other only when their `protocol_fingerprint`s agree.
"""

import json
import math
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ssl_motion.errors import DataError
from ssl_motion.identity import digest


class Frozen(BaseModel):
    """Base of all parts of a record."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Provenance(Frozen):
    """Where a reproduced number came from.

    Attributes:
        commit: git commit of this project, or its version where it was installed from a wheel.
        dirty: whether the working tree differed from that commit (None: unknown).
        packages: package name -> version.
        python: Python's version.
        hardware: processor and accelerators in words.
        device: device the work ran on.
        wall_seconds: time the run took, interruptions not counted.
        finished: UTC time in ISO 8601.
        parents: identities of the runs that went in.
    """

    commit: str
    dirty: bool | None
    packages: dict[str, str]
    python: str
    hardware: str
    device: str
    wall_seconds: float
    finished: str
    parents: list[str] = []


class Reproduced(Frozen):
    """Origin of a number measured with this software."""

    kind: Literal["reproduced"] = "reproduced"
    provenance: Provenance


class Reported(Frozen):
    """Origin of a published number.

    Attributes:
        publication: where it is printed.
        table: which table or section.
        row: the row's name as printed.
        source: how the value came into this project, and remarks on it.
        reimplemented_by: who ran it, when that is not the method's own authors.
        confounds: what speaks against comparing the number with its neighbours; empty where nothing is known.
    """

    kind: Literal["reported"] = "reported"
    publication: str
    table: str
    row: str
    source: str
    reimplemented_by: str | None = None
    confounds: str = ""


class Pretraining(Frozen):
    """What the backbone had seen before the task.

    Attributes:
        data: name of the data.
        pairs: number of image-flow pairs (or images), None where unknown.
        flow_supervision: what the flow estimator was trained with ("none", "synthetic labels", "exact flow", ...).
        images_seen: images that were trained on in all (pairs times epochs), None where unknown.
        images_seen_by_weights: how many of them before the weights that were kept, where early stopping kept earlier
            ones than the last; else None.
        wall_seconds: cost of pretraining, None where unknown.
        images_per_second: likewise: `images_seen` by `wall_seconds`.
        peak_memory_mib: likewise: of the first process, on the GPU where it used one, else resident memory.
        device: "cpu" or "cuda"; None where unknown.
        run: identity of the pretraining run, None where there is none.
        recipe_version: of the method that was pretrained with; 1 as well where no method of ours was.
        data_fingerprint: of the data, None where unknown; two data sets may have one name.
        figures: what was measured of that run on its validation pairs ("val/loss", "val/gap", ...) and on its inputs
            ("guidance_points", the mean number of guidance vectors an image).
        spec: resolved spec of that run; reports average over runs whose specs differ in nothing but the seed, and
            tell apart by it what the other fields do not.
    """

    data: str
    pairs: int | None = None
    flow_supervision: str = "unknown"
    images_seen: int | None = None
    images_seen_by_weights: int | None = None
    wall_seconds: float | None = None
    images_per_second: float | None = None
    peak_memory_mib: float | None = None
    device: str | None = None
    run: str | None = None
    recipe_version: int = 1
    data_fingerprint: str | None = None
    figures: dict[str, float] = {}
    spec: dict[str, Any] = {}


class MetricValue(Frozen):
    """A figure with what is needed to print and rank it."""

    name: str
    value: float
    unit: str = "%"
    higher_is_better: bool = True
    primary: bool = False


class PerImage(Frozen):
    """Per-image statistics kept beside the record (path relative to the record's folder)."""

    file: str
    sha256: str


WHOLE_MODEL = "whole model"
"""Stands for the trunk in `ResultRecord.backbone` where a task judges what a method predicts, and not its features."""


class ResultRecord(Frozen):
    """One result of one method on one task with one seed.

    Attributes:
        schema_version: of this format.
        identity: of the run (reproduced), or of the published cell (reported).
        method: name of the pretraining method (with its control: "cmp, shuffled flow"), "random", "random (SCHEME)",
            "imagenet", a task's own baseline, or a published method's name.
        backbone: architecture, or `WHOLE_MODEL`.
        pretraining: what the backbone had seen; None for a random start, and for a task's own baseline.
        task: name of the transfer task.
        protocol: facts that make results comparable; the protocol fingerprint is made of them.
        protocol_name: preset or name that people know the protocol by.
        scale: "full" for the complete protocol, "reduced" where it was scaled down, "builtin" on generated data.
        metrics: figures.
        details: further figures by group, such as IoU per class.
        seed: of the run; None for reported numbers.
        per_image: statistics for paired comparisons.
        spec: the resolved spec of the run, to run it again; empty for reported numbers.
        remarks: what a reader should know of the data, such as test images that are trained on; empty where nothing.
        origin: measured here, or published.
    """

    schema_version: Literal[1] = 1
    identity: str
    method: str
    backbone: str
    pretraining: Pretraining | None
    task: str
    protocol: dict[str, Any]
    protocol_name: str
    scale: Literal["full", "reduced", "builtin"]
    metrics: Annotated[list[MetricValue], Field(min_length=1)]
    details: dict[str, dict[str, float]] = {}
    seed: int | None
    per_image: PerImage | None = None
    spec: dict[str, Any] = {}
    remarks: list[str] = []
    origin: Annotated[Reproduced | Reported, Field(discriminator="kind")]

    @cached_property
    def protocol_fingerprint(self) -> str:
        """Hash of everything that must agree before two results are ranked against each other."""
        return digest({"task": self.task, "backbone": self.backbone, "scale": self.scale, "protocol": self.protocol})

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> "ResultRecord":
        """Copy the record, with changes; the hash is worked out anew."""
        copy = super().model_copy(update=update, deep=deep)
        copy.__dict__.pop("protocol_fingerprint", None)  # pydantic copies cached properties too
        return copy

    @property
    def primary(self) -> MetricValue:
        """The metric that the task is ranked by (the first where none is marked)."""
        return next((metric for metric in self.metrics if metric.primary), self.metrics[0])


def read_record(path: Path) -> ResultRecord:
    """Read and validate a record.

    Raises:
        DataError: The file is not a record of a known schema version.
    """
    try:
        data = path.read_bytes()
        if not any(pattern.search(data) for pattern in _NOT_FINITE):
            try:
                return ResultRecord.model_validate_json(data)  # twice as fast, which thousands of records are worth
            except ValidationError:
                pass  # read again, since Python's reader takes more (see `record_content`)
        return ResultRecord.model_validate(record_content(path, data))
    except ValidationError as error:
        first = error.errors()[0]
        raise DataError(f"{path}: not a result record of schema version 1: {key_of(first)}: {first['msg']}") from error
    except OSError as error:
        raise DataError(f"{path}: not a result record: {error}. {_cure(path)}") from error


def record_content(path: Path, data: bytes) -> Any:
    """Parse the JSON of a record.

    Args:
        path: of the file, for messages.
        data: its content.

    Raises:
        DataError: It is no JSON, or holds a number that is not finite, which `write_json` never writes.
    """
    try:
        # Python's own reader: pydantic's refuses names that are no UTF-8, which `write_json` writes as escapes.
        return json.loads(data, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not a result record: {error}. {_cure(path)}") from error


def _cure(path: Path) -> str:
    """What to do about a record that cannot be read: only one in a run's folder has a run that could be done again."""
    other = "do its run again with --force" if path.name == "record.json" else "put its original in its place"
    return f"Take it away, or {other}."


def key_of(error: Mapping[str, Any]) -> str:
    """Name the place that one of a `ValidationError`'s errors is about: "metrics.0.value"."""
    return ".".join(str(part) for part in error["loc"]) or "the file"


# What pydantic's reader takes for a number in places that may hold anything, such as the protocol. All but the first
# two may be beyond a float's range, by an exponent of three digits or by hundreds of digits before a point or a smaller
# exponent. Patterns that begin with one letter are looked for many times faster.
_NOT_FINITE = tuple(
    map(
        re.compile,
        (
            b"NaN",
            b"Infinity",
            rb"e(?=[-+\d])(?:(?<=\de)\+?\d{3,}[\s,}\]]|(?<=\d{200}e))",
            rb"E(?=[-+\d])(?:(?<=\dE)\+?\d{3,}[\s,}\]]|(?<=\d{200}E))",
            rb"\.(?<=\d{200}\.)",
        ),
    )
)


def _finite(text: str) -> float:
    """Read a number; nothing that hashes could hold one that is not finite."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no finite number")
    return value

"""What two sides differ in: every metric, every class, every image."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ssl_motion.errors import DataError
from ssl_motion.fileio import sha256_of
from ssl_motion.per_image.resampling import AGREES, PerImageFile, read_any
from ssl_motion.record import MetricValue, ResultRecord
from ssl_motion_reports.compare.sides import Side
from ssl_motion_reports.compare.table import in_the_table
from ssl_motion_reports.published import task_title
from ssl_motion_reports.spread import replicates_with
from ssl_motion_reports.statistics.bootstrap import Interval, paired_difference

_AT_ONCE = 100
Float64Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """A figure of both sides.

    Attributes:
        name: of the metric, class or image.
        one, other: means over seeds.
        interval: of one - other; None where nothing can be said.
        note: why nothing can be said, where a reader would expect something.
    """

    name: str
    one: float
    other: float
    interval: Interval | None = None
    note: str = ""

    @property
    def value(self) -> float:
        """One - other."""
        return self.one - self.other


@dataclass(frozen=True)
class Comparison:
    """Two sides of one protocol.

    Attributes:
        one, other: the sides.
        task: name of the task.
        title: the task for people.
        fingerprint: of the protocol.
        metrics: that both have, the one that ranks first.
        differences: one for each of them.
        classes: group of `ResultRecord.details` -> its figures, by class.
        images: one for each image, by the metric that ranks on that image alone, largest difference first; empty where
            the sides' per-image statistics are not at hand.
        remarks: what a reader should know.
        table: what the leaderboard's table, which allows for all its pairs at once, says of the two; empty where it
            says nothing.
    """

    one: Side
    other: Side
    task: str
    title: str
    fingerprint: str
    metrics: tuple[MetricValue, ...]
    differences: tuple[Difference, ...]
    classes: Mapping[str, tuple[Difference, ...]]
    images: tuple[Difference, ...]
    remarks: tuple[str, ...]
    table: str = ""


def compare(
    one: Side,
    other: Side,
    sources: Mapping[str, Path],
    cache: Path | None = None,
    records: Sequence[ResultRecord] = (),
) -> Comparison:
    """Compare two sides of one protocol.

    Args:
        one, other: as `find_sides` gives them.
        sources: identity -> record file; statistics image by image lie beside it.
        cache: folder that keeps what was computed of these, so that it is computed once; None keeps nothing.
        records: all of the protocol, for what its table says of the two.
    """
    first = one.records[0]
    names = [first.primary.name, *(metric.name for metric in first.metrics if not metric.primary)]
    differences, metrics = [], []
    for name in dict.fromkeys(names):
        figures = [_metric(side, name) for side in (one, other)]
        if figures[0] and figures[1]:
            differences.append(_difference(name, one, other, figures, sources, cache))
            metrics.append(next(metric for metric in first.metrics if metric.name == name))
    classes = {}
    for group, known in first.details.items():
        rows = []
        for name in known:
            figures = [
                [record.details[group][name] for record in side.records if name in record.details.get(group, {})]
                for side in (one, other)
            ]
            if len(figures[0]) == len(one.records) and len(figures[1]) == len(other.records):
                rows.append(_difference(name, one, other, figures, {}))
        if rows:
            classes[group] = tuple(rows)
    images, remarks = _images(one, other, sources)
    if differences and differences[0].interval is None:
        remarks.append(
            differences[0].note
            or "no interval: one seed a side, or seeds of one pretraining, and no images of both at hand"
        )
    return Comparison(
        one=one,
        other=other,
        task=first.task,
        title=task_title(first.task),
        fingerprint=first.protocol_fingerprint,
        metrics=tuple(metrics),
        differences=tuple(differences),
        classes=classes,
        images=images,
        remarks=tuple(remarks),
        table=in_the_table(one, other, records, sources, cache),
    )


def _metric(side: Side, name: str) -> list[float]:
    """Values of a metric by seed; none where a seed lacks it."""
    found = [metric.value for record in side.records for metric in record.metrics if metric.name == name]
    return found if len(found) == len(side.records) else []


def _difference(
    name: str,
    one: Side,
    other: Side,
    figures: Sequence[Sequence[float]],
    sources: Mapping[str, Path],
    cache: Path | None = None,
) -> Difference:
    ours, theirs = (
        replicates_with(one.records, figures[0], sources, cache),
        replicates_with(other.records, figures[1], sources, cache),
    )
    means = [math.fsum(values) / len(values) for values in figures]
    known = paired_difference(ours, theirs)
    if known is not None and known.low == known.high and "images" not in known.sources:
        # Values that are all the same, such as those of a class that is never found, say nothing of their spread.
        return Difference(name, means[0], means[1], None, "no interval: every seed of a side has the same value")
    return Difference(name, means[0], means[1], known)


def _images(one: Side, other: Side, sources: Mapping[str, Path]) -> tuple[tuple[Difference, ...], list[str]]:
    """Both sides' means over seeds for every image, largest difference first; or why there are none."""
    sides: list[list[Float64Array]] = []
    names: list[str] | None = None
    for side in (one, other):
        values = []
        for record in side.records:
            file = per_image_file(record, sources)
            found = None if file is None else _alone(file, record.primary)
            if file is None or found is None:
                return (), [f"no statistics image by image at hand of {record.identity} ({side.label})"]
            if names is not None and list(file.names) != names:
                return (), ["the sides were not scored on the same images"]
            names = list(file.names)
            values.append(found)
        sides.append(values)
    assert names is not None
    means = [np.mean(values, axis=0) for values in sides]
    rows = [
        Difference(name, float(ours), float(theirs))
        for name, ours, theirs in zip(names, *means, strict=True)
        if math.isfinite(ours) and math.isfinite(theirs)
    ]
    rows.sort(key=lambda row: (-abs(row.value), row.name))
    if not any(row.value for row in rows):
        return (), [f"{one.records[0].primary.name} of one image alone does not tell the two apart"]
    return tuple(rows), []


def per_image_file(record: ResultRecord, sources: Mapping[str, Path]) -> PerImageFile | None:
    """Read a record's statistics image by image; None where they are not at hand, or are not those of the record."""
    source = sources.get(record.identity)
    if record.per_image is None or source is None:
        return None
    path = source.parent / record.per_image.file
    if not path.is_file() or sha256_of(path) != record.per_image.sha256:
        return None
    try:
        return read_any(path)
    except DataError:
        return None


def _alone(file: PerImageFile, metric: MetricValue) -> Float64Array | None:
    """The metric on every image alone, [N], NaN where that is nothing; None where the file is of another metric."""
    count = len(file.names)
    whole = file.of_draws(metric.name, np.ones((1, count), dtype=np.int32))
    errors = [abs(float(each[0]) - metric.value) for each in whole]
    if not errors or not min(errors) <= AGREES:
        return None
    way = int(np.argmin(errors))
    parts = []
    for start in range(0, count, _AT_ONCE):
        times = np.zeros((min(_AT_ONCE, count - start), count), dtype=np.int32)
        times[np.arange(len(times)), start + np.arange(len(times))] = 1
        parts.append(file.of_draws(metric.name, times)[way])
    return np.concatenate(parts)

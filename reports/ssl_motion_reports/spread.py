"""Intervals for any figure of replicates: the metric that ranks, another one, or one of `ResultRecord.details`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ssl_motion.record import ResultRecord
from ssl_motion_reports.statistics.bootstrap import Interval, mean_interval
from ssl_motion_reports.statistics.replicates import Replicate, replicates_of, start_of


def replicates_with(
    records: Sequence[ResultRecord],
    values: Sequence[float],
    sources: Mapping[str, Path] | None = None,
    cache: Path | None = None,
) -> list[Replicate]:
    """Put a figure's values together with what is known of their records.

    Args:
        records: reproduced replicates.
        values: of the figure, one for each record.
        sources: identity -> record file. Statistics image by image lie beside it; they are of the metric that ranks,
            so they are used only where that is the figure.
        cache: folder that keeps what was computed of these, so that it is computed once; None keeps nothing.
    """
    if all(record.primary.value == value for record, value in zip(records, values, strict=True)):
        return replicates_of(records, sources, cache)
    return [
        Replicate(record.seed, value, None, start_of(record)) for record, value in zip(records, values, strict=True)
    ]


def interval_of(
    records: Sequence[ResultRecord],
    values: Sequence[float],
    sources: Mapping[str, Path] | None = None,
    cache: Path | None = None,
) -> Interval | None:
    """Interval of the mean of a figure; None where nothing can be said. Arguments as for `replicates_with`."""
    return mean_interval(replicates_with(records, values, sources, cache))

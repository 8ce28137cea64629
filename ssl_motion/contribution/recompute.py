"""Figures worked out again from per-image statistics."""

from pathlib import Path

import numpy as np

from ssl_motion.errors import DataError
from ssl_motion.per_image.resampling import AGREES, PerImageFile, is_known, read_any
from ssl_motion.record import ResultRecord

# Figures are kept in full precision; another order of summation may move their last digits.
_TOLERANCE = 1e-6


def read_known(path: Path) -> PerImageFile | None:
    """Read a file of per-image statistics; None where only its task knows its kind.

    Raises:
        DataError: It cannot be read.
    """
    return read_any(path) if is_known(path) else None


def disagreements(file: PerImageFile, path: Path, record: ResultRecord) -> dict[str, str]:
    """Compare recorded figures with those that a file of per-image statistics gives.

    Args:
        file: what was read.
        path: from there, for messages.
        record: whose it is.

    Returns:
        Metric name -> what is wrong, with what the file gives by each way in which a metric of that name is computed,
        where none of them is the recorded value. Metrics that the file does not give are left out.

    Raises:
        DataError: Its arrays do not fit together.
    """
    # Scores of many draws are kept in half precision.
    tolerance = AGREES if getattr(getattr(file, "scores", None), "dtype", None) == np.float16 else _TOLERANCE
    once = np.ones((1, len(file.names)), dtype=np.int32)
    found = {}
    try:
        for metric in record.metrics:
            ways = [float(each[0]) for each in file.of_draws(metric.name, once)]
            if ways and not min(abs(each - metric.value) for each in ways) <= tolerance:
                given = " or ".join(map(str, ways))
                found[metric.name] = f"{metric.name} is {metric.value}, the per-image statistics give {given}"
    except (ValueError, IndexError) as error:
        raise DataError(f"{path}: its arrays do not fit together: {error}") from error
    return found

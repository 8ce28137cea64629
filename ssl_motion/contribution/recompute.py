"""Figures worked out again from per-image statistics."""

from pathlib import Path

import numpy as np

from ssl_motion.errors import DataError
from ssl_motion.per_image.resampling import AGREES, is_known, read_any

# Figures are kept in full precision; another order of summation may move their last digits.
_TOLERANCE = 1e-6


def disagreements(path: Path, figures: dict[str, float]) -> dict[str, list[float]]:
    """Compare recorded figures with those that a file of per-image statistics gives.

    Args:
        path: the file.
        figures: metric name -> recorded value.

    Returns:
        Metric name -> what the file gives, by each way in which a metric of that name is computed, where none of them
        is the recorded value. Metrics that the file does not give are left out, and so is everything of files whose
        kind only their task knows.

    Raises:
        DataError: It cannot be read, or its arrays do not fit together.
    """
    if not is_known(path):
        return {}
    file = read_any(path)
    # Scores of many draws are kept in half precision.
    tolerance = AGREES if getattr(getattr(file, "scores", None), "dtype", None) == np.float16 else _TOLERANCE
    once = np.ones((1, len(file.names)), dtype=np.int32)
    found = {}
    try:
        for name, value in figures.items():
            ways = [float(each[0]) for each in file.of_draws(name, once)]
            if ways and not min(abs(each - value) for each in ways) <= tolerance:
                found[name] = ways
    except (ValueError, IndexError) as error:
        raise DataError(f"{path}: its arrays do not fit together: {error}") from error
    return found

"""A record's primary metric on images drawn with repetition, computed once and kept.

The draws are the same for all results on the same images, so that they can be compared draw by draw. What is kept of a
record is 16 kB, is found by the hash of its per-image file, and serves even where that file is gone.
"""

import json
import sys
from functools import cache as cache_calls
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ssl_motion.contribution.recompute import disagreements
from ssl_motion.errors import DataError
from ssl_motion.fileio import sha256_of, write_atomically
from ssl_motion.identity import digest
from ssl_motion.per_image.resampling import read_any, resampled
from ssl_motion.record import ResultRecord

DRAWS = 2000
FORMAT = 1
"""Raised whenever draws or metrics are computed in another way, so that what was kept is computed anew."""
Float64Array = npt.NDArray[np.float64]


class RecordImages:
    """Draws of one record's images (`ssl_motion_reports.statistics.replicates.ImageStatistics`).

    Attributes:
        key: equal for results on the same images in the same order.
        images: how many there are.
    """

    def __init__(self, key: str, images: int, first: Float64Array, record: ResultRecord, file: Path) -> None:
        self.key, self.images = key, images
        self._known = {(DRAWS, 0): first}
        self._record, self._file = record, file

    def draws(self, draws: int, seed: int) -> Float64Array:
        """Compute the primary metric on images drawn with repetition, [draws].

        Raises:
            DataError: Others than the usual draws are asked for, and the per-image file is gone.
        """
        if (draws, seed) not in self._known:
            metric = self._record.primary
            found = resampled(read_any(self._file), metric.name, metric.value, draws, seed)
            if found is None:
                raise DataError(f"{self._file}: does not give the {metric.name} of its record")
            self._known[draws, seed] = found
        return self._known[draws, seed]


def images_of(record: ResultRecord, source: Path, cache: Path | None = None) -> RecordImages | None:
    """Find what is known of a record image by image.

    Args:
        record: of a run.
        source: its file; the per-image file lies beside it.
        cache: folder that keeps what was computed; None keeps nothing.

    A record's figures that its per-image file does not give are named on standard error where that file is read.

    Returns:
        None where no per-image file is at hand: it is not there, is not the one that the record names by hash, is of no
        known kind, or does not give the record's metric.
    """
    if record.per_image is None:
        return None
    file, metric = source.parent / record.per_image.file, record.primary
    facts = [FORMAT, record.per_image.sha256, metric.name, metric.value, DRAWS]
    kept = None if cache is None else cache / f"{digest(facts)}.draws"
    known = None if kept is None else _read(kept)
    if known is None:
        if not file.is_file() or sha256_of(file) != record.per_image.sha256:
            return None
        try:
            content = read_any(file)
            wrong = disagreements(content, file, record) if content.names else {}
        except DataError:
            return None
        for message in wrong.values():
            _say_once(f"{source}: {message} ({file}); `ssl-bench validate {source}` looks for edits by hand")
        moved = resampled(content, metric.name, metric.value, DRAWS, 0)
        if moved is None:
            return None
        known = digest(list(content.names)), len(content.names), moved
        # Nothing is kept of a record that is wrong, so that the next report says so too.
        if kept is not None and not wrong:
            _write(kept, *known)
    return RecordImages(*known, record, file)


@cache_calls
def _say_once(message: str) -> None:
    """Print to standard error, but not again where one report asks for a record's images many times."""
    print(message, file=sys.stderr)


def _write(path: Path, key: str, images: int, moved: Float64Array) -> None:
    head = json.dumps({"key": key, "images": images}) + "\n"
    write_atomically(path, lambda file: file.write(head.encode() + moved.astype("<f8").tobytes()))


def _read(path: Path) -> tuple[str, int, Float64Array] | None:
    """Read what was kept; None where there is nothing, or nothing whole."""
    try:
        head, _, body = path.read_bytes().partition(b"\n")
        known = json.loads(head)
        moved = np.frombuffer(body, dtype="<f8")
        return (str(known["key"]), int(known["images"]), moved) if len(moved) == DRAWS else None
    except (OSError, ValueError, KeyError, TypeError):
        return None

"""Arrays in a file, written and read, and names of array types."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from ssl_motion.errors import DataError
from ssl_motion.fileio import write_atomically

Float64Array = npt.NDArray[np.float64]
Times = npt.NDArray[np.integer]
"""Integers [B, N]: how often each of N images counts, in each of B draws of them."""


def load(path: Path, what: str) -> Mapping[str, npt.NDArray[Any]]:
    """Read all arrays of a file.

    Args:
        path: of the file.
        what: it should be, for the message.

    Raises:
        DataError: It cannot be read without running code.
    """
    with _opened(path, what) as content:
        return {name: content[name] for name in content.files}


def listed(path: Path, what: str) -> list[str]:
    """Names of a file's arrays; arguments and errors as for `load`."""
    with _opened(path, what) as content:
        return list(content.files)


@contextmanager
def _opened(path: Path, what: str) -> Iterator[Any]:
    try:
        with np.load(path, allow_pickle=False) as content:
            yield content
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, AttributeError, TypeError) as error:
        raise DataError(f"{path}: not a file of {what}: {error}") from error


def save(path: Path, **content: Any) -> None:
    """Write arrays by name, atomically; the same arrays in the same order give the same bytes.

    Raises:
        RunError: The file cannot be written.
    """
    write_atomically(path, lambda file: np.savez_compressed(file, **content))


def text_array(names: Sequence[str]) -> npt.NDArray[np.str_]:
    """Turn names into an array, one of texts even where there are none."""
    return np.array(names, dtype=np.str_)


def texts(array: npt.NDArray[Any]) -> list[str]:
    """Turn an array of names into a list."""
    return [str(each) for each in array]

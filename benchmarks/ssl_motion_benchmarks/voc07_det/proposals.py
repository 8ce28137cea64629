"""Boxes that are proposed from outside, such as selective search's: reading them, and their fingerprint.

Two kinds of file:

- `.npz`, by `numpy.savez`: an array [P, 4] for every image, under its name: x1 y1 x2 y2 in pixels, from edge to edge (a
  box over all of an image is 0 0 width height), best first;
- `.mat`, as Fast R-CNN's authors published them for VOC 2007: cells "boxes" of [P, 4] (ymin, xmin, ymax, xmax, counted
  from 1, ends inside) and "images" of names.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from ssl_motion.errors import DataError, UsageError
from ssl_motion.fileio import sha256_of

Boxes = npt.NDArray[np.float32]


def fingerprint(files: Sequence[str]) -> list[str]:
    """Hash every file.

    Raises:
        UsageError: One does not exist, or is of another kind.
    """
    return [_hash(file, _checked(file).stat().st_mtime_ns) for file in files]


@lru_cache(maxsize=16)
def _hash(file: str, changed: int) -> str:
    del changed  # part of the cache's key: a plan asks more than once, and the files are large
    return sha256_of(Path(file))


def read_proposals(files: Sequence[str]) -> dict[str, Boxes]:
    """Read the boxes of all images, by name: float32 [P, 4], x1 y1 x2 y2 from edge to edge.

    Raises:
        UsageError: A file does not exist, or is of another kind.
        DataError: A file is not what its ending says, or holds something else than boxes.
    """
    found: dict[str, Boxes] = {}
    for file in files:
        path = _checked(file)
        for name, boxes in (_read_npz(path) if path.suffix == ".npz" else _read_mat(path)).items():
            if boxes.ndim != 2 or boxes.shape[1] != 4 or not np.isfinite(boxes).all():
                raise DataError(f"{path}: expected boxes [P, 4] of finite numbers for {name}, found {boxes.shape}")
            if not ((boxes[:, 2:] > boxes[:, :2]).all() and (boxes >= 0).all()):
                raise DataError(f"{path}: {name} has a box without an area or outside the image (x1 y1 x2 y2)")
            found[name] = boxes
    return found


def missing(files: Sequence[str], names: Sequence[str]) -> list[str]:
    """Name the images that the files propose nothing for."""
    there = read_proposals(files)
    return [name for name in names if not len(there.get(name, ()))]


def _checked(file: str) -> Path:
    path = Path(file).expanduser()
    if path.suffix not in (".npz", ".mat"):
        raise UsageError(f"proposals: expected .npz or .mat files, found {path.name}")
    if not path.is_file():
        raise UsageError(f"proposals: no such file: {path}")
    return path


def _read_npz(path: Path) -> dict[str, Boxes]:
    try:
        with np.load(path, allow_pickle=False) as content:
            return {name: np.asarray(content[name], dtype=np.float32) for name in content.files}
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise DataError(f"{path}: not an .npz file of boxes: {error}") from error


def _read_mat(path: Path) -> dict[str, Boxes]:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        content: dict[str, Any] = loadmat(str(path), variable_names=["boxes", "images"])
        cells, names = content["boxes"].ravel(), content["images"].ravel()
        if len(cells) != len(names):
            raise ValueError(f"{len(cells)} cells of boxes, {len(names)} names of images")
        found = {}
        for name, cell in zip(names, cells, strict=True):
            boxes = np.asarray(cell, dtype=np.float32)[:, [1, 0, 3, 2]]
            boxes[:, :2] -= 1
            found[str(np.ravel(name)[0])] = boxes
    except (MatReadError, OSError, ValueError, KeyError, IndexError, TypeError, NotImplementedError) as error:
        raise DataError(f"{path}: not a MATLAB file with cells 'boxes' and 'images': {error}") from error
    return found

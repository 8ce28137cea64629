"""Figures worked out again from per-image statistics, for the formats that the harness writes itself."""

import zipfile
from pathlib import Path

import numpy as np

from ssl_motion.errors import DataError


def figures_of(path: Path) -> dict[str, float]:
    """Work out the figures that a file of per-image statistics gives, by metric name.

    Args:
        path: an `.npz` file; its arrays' names tell the format.

    Returns:
        Those of whole confusion matrices ("mIoU", "aAcc", "mAcc"), or of detections under COCO's rules ("bbox_AP", ...,
        "segm_AP", ...); empty for formats of single tasks.

    Raises:
        DataError: It is no such file, or its arrays do not fit together.
    """
    try:
        with np.load(path, allow_pickle=False) as content:
            names = set(content.files)
        if {"offsets", "cells", "counts"} <= names:
            return _confusion(path)
        if {"kinds", "hit", "ignored"} <= names:
            return _detections(path)
    except (OSError, ValueError, KeyError, IndexError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: no per-image statistics that fit together: {error}") from error
    return {}


def _confusion(path: Path) -> dict[str, float]:
    from ssl_motion.openmmlab.confusion import read_per_image, scores

    return scores(read_per_image(path).total()).metrics


def _detections(path: Path) -> dict[str, float]:
    from ssl_motion.openmmlab.average_precision import figures, read_per_image_detections

    kept = read_per_image_detections(path)
    return {
        f"{kind}_{name}": value
        for kind in kept.kinds
        for name, value in figures(kept.precision(kind), kept.thresholds, kept.areas).items()
    }

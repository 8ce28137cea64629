"""Labels shuffled between images, and what a predictor that does not look at the image can reach."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ssl_motion.per_image.confusion import PerImageConfusion, confusion_cells, scores


def exchange_images(paths: Sequence[Path], seed: int = 0) -> None:
    """Give every file the picture of another one, brought to its size: labels then belong to other images."""
    order = np.random.default_rng(seed).permutation(len(paths))
    pictures = [cv2.imread(str(path)) for path in paths]
    for place, index in enumerate(order):
        target, source = pictures[index], pictures[order[(place + 1) % len(order)]]
        if source.shape != target.shape:
            source = cv2.resize(source, (target.shape[1], target.shape[0]), interpolation=cv2.INTER_AREA)
        encoded = cv2.imencode(paths[index].suffix, source, [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
        paths[index].write_bytes(encoded.tobytes())


def blind_segmentation(known: Sequence[Path], asked: Sequence[Path], classes: int) -> dict[str, float]:
    """Best figures of two predictors without eyes: always the commonest class, and the commonest at each place.

    Args:
        known: label images that are trained on.
        asked: label images that are scored.
        classes: number of classes.
    """
    labels = [np.asarray(Image.open(path)) for path in known]
    votes = np.zeros((classes, *labels[0].shape), np.int64)
    for label in labels:
        if label.shape == labels[0].shape:
            for kind in range(classes):
                votes[kind] += label == kind
    constant = int(np.bincount(np.concatenate([label.ravel() for label in labels]))[:classes].argmax())
    best = {"mIoU": 0.0, "aAcc": 0.0, "mAcc": 0.0}
    for placed in (False, True):
        cells = {}
        for path in asked:
            label = np.asarray(Image.open(path))
            fits = placed and label.shape == labels[0].shape
            guess = votes.argmax(axis=0) if fits else np.full(label.shape, constant)
            cells[path.stem] = confusion_cells(label, guess, classes, path.name)
        figures = scores(PerImageConfusion.collect(cells, [str(kind) for kind in range(classes)]).total())
        found = {"mIoU": figures.miou, "aAcc": figures.accuracy, "mAcc": figures.mean_accuracy}
        best = {name: max(value, best[name]) for name, value in found.items()}
    return best

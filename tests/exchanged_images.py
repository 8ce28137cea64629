"""Labels shuffled between images, and what a predictor that does not look at the image can reach."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ssl_motion.per_image.confusion import PerImageConfusion, confusion_cells, scores
from ssl_motion.ranking import Rule, mean_present
from ssl_motion_benchmarks.voc07.detections import OVERLAP, collect, overlaps
from ssl_motion_benchmarks.voc07.devkit import Objects


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


def blind_detection(known: Sequence[Objects], asked: Sequence[Objects], classes: int, rule: Rule) -> float:
    """The mean AP, at an overlap of 0.5, of a detector without eyes: in every image the same boxes of each class.

    Args:
        known: objects of the images that are trained on; the boxes are chosen among theirs, one after the other, each
            for hitting most of the objects that those before it leave, and ranked by how often they do.
        asked: objects of the images that are scored.
        classes: number of classes.
        rule: of the average precision.
    """
    everything = np.unique(np.concatenate([each.boxes for each in known]).round(), axis=0)
    found: list[tuple[np.ndarray, float, int]] = []
    for kind in range(classes):
        targets = [each.boxes[each.labels == kind] for each in known]
        left = np.concatenate(targets)
        for _ in range(10):  # boxes that hit less often than the tenth change nothing
            if not len(left):
                break
            hits = overlaps(everything, left) >= OVERLAP
            best = int(hits.sum(axis=1).argmax())
            share = hits[best].sum() / len(known)
            if not share:
                break
            found.append((everything[best], float(share), kind))
            left = left[~hits[best]]
    guess = (
        np.stack([box for box, _, _ in found]).astype(np.float32),
        np.array([share for _, share, _ in found], np.float32),
        np.array([kind for _, _, kind in found], np.int64),
    )
    kept = collect(
        {f"{place:06d}": (guess, objects) for place, objects in enumerate(asked)},
        [str(kind) for kind in range(classes)],
    )
    return mean_present(kept.average_precisions(rule))

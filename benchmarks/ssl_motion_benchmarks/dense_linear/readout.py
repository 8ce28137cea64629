"""The read-out: a linear map trained on the features of labelled pixels, and tested on whole images."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ssl_motion.frozen.cache import Array
from ssl_motion.frozen.extract import extract
from ssl_motion.frozen.probe import LinearProbe, ProbeSet, moments
from ssl_motion.frozen.training import Batches, epoch_order
from ssl_motion.frozen.trunk import FrozenTrunk
from ssl_motion.frozen.views import View
from ssl_motion.per_image.confusion import PerImageConfusion, confusion_cells
from ssl_motion.progress import Progress
from ssl_motion.seeding import generator
from ssl_motion_benchmarks.dense_linear.pixels import LABELS, read_label
from ssl_motion_benchmarks.dense_linear.sources import Labelled

Views = Sequence[Mapping[str, Array]]
"""Features and classes of the training pixels, for the images as they are and mirrored."""


def fresh_probe(views: Views, stage: str, classes: int, dropout: float, seed: int) -> ProbeSet:
    """Draw a probe that knows mean and variance of the training pixels.

    Args:
        views: training pixels.
        stage: key of the features, [N, P, C] in each view.
        classes: number of classes.
        dropout: share of features left out in training.
        seed: of the run.
    """
    first = int(generator(seed, "probe").integers(2**63))
    probe = ProbeSet({stage: views[0][stage].shape[-1]}, classes, dropout, first)
    found = [moments(view[stage]) for view in views]
    mean = np.mean([mean for mean, _ in found], axis=0)
    variance = np.mean([variance + np.square(own - mean) for own, variance in found], axis=0)
    probe.of(stage).standardise(mean, variance)
    return probe


def pixel_batches(views: Views, stage: str, batch_size: int, seed: int) -> Batches:
    """Draw images, each as it is or mirrored, with all the pixels kept of it."""
    images = len(views[0][LABELS])

    def batch(iteration: int) -> tuple[Mapping[str, Tensor], Tensor]:
        order = epoch_order(seed, "probe order", images * len(views), batch_size, iteration)
        drawn = [divmod(index, images) for index in order]
        features = np.concatenate([views[view][stage][index] for view, index in drawn])
        labels = np.concatenate([views[view][LABELS][index] for view, index in drawn])
        return {stage: torch.from_numpy(features)}, torch.from_numpy(labels).long()

    return batch


class Judge:
    """A reducer of feature maps that keeps, of each image, its confusion matrix at the size of its label.

    Args:
        probe: trained.
        images: with their labels.
        classes: number of classes.
    """

    def __init__(self, probe: LinearProbe, images: Labelled, classes: int) -> None:
        self.probe, self.images, self.classes = probe, images, classes
        self.cells: dict[str, Any] = {}

    def facts(self) -> dict[str, Any]:
        """It keeps nothing on disk."""
        return {}

    def __call__(self, maps: Mapping[str, Tensor], indices: Sequence[int]) -> dict[str, Tensor]:
        """Score the images of a batch."""
        (features_BCHW,) = maps.values()
        logits_BKHW = self.probe.score_map(features_BCHW)
        for row, index in enumerate(indices):
            path: Path = self.images.labels[index]
            label = read_label(path, self.classes)
            full_1KHW = F.interpolate(logits_BKHW[row : row + 1], label.shape, mode="bilinear", align_corners=False)
            predicted = full_1KHW[0].argmax(0).cpu().numpy()
            self.cells[self.images.names[index]] = confusion_cells(label, predicted, self.classes, path.name)
        return {}


def score(
    trunk: FrozenTrunk,
    probe: LinearProbe,
    stage: str,
    images: Labelled,
    view: View,
    classes: Sequence[str],
    device: str,
) -> PerImageConfusion:
    """Compute the confusion matrices of whole images.

    Raises:
        DataError: An image or label cannot be used; it is named.
    """
    judge = Judge(probe, images, len(classes))
    with Progress("test", len(images.names), "images") as progress:
        for indices, _ in extract(trunk, images.images, view, judge, [stage], device=device):
            progress.advance(len(indices))
    return PerImageConfusion.collect(judge.cells, classes)

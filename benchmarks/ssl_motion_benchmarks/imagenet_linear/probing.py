"""Probes of all stages at once: where an iteration's features come from, and how the probes are scored."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ssl_motion.frozen.cache import Array
from ssl_motion.frozen.extract import Pooled, extract
from ssl_motion.frozen.probe import ProbeSet, moments
from ssl_motion.frozen.training import Batches, epoch_order
from ssl_motion.frozen.trunk import FrozenTrunk
from ssl_motion.frozen.views import View
from ssl_motion.per_image.verdicts import Verdicts
from ssl_motion.progress import Progress
from ssl_motion.seeding import generator
from ssl_motion_benchmarks.imagenet_linear.folders import TOP, Pictures

STATISTICS_FROM = 4096
"""Most training images that mean and variance of the features are taken from."""

_ORDER = "probe order"


def statistics_images(images: int) -> list[int]:
    """Which training images the statistics come from: all, or a fixed draw."""
    if images <= STATISTICS_FROM:
        return list(range(images))
    return sorted(generator(0, "probe statistics").permutation(images)[:STATISTICS_FROM].tolist())


def fresh_probes(
    features: Mapping[str, Array], rows: Sequence[int], classes: int, dropout: float, seed: int
) -> ProbeSet:
    """Draw a probe for every stage that knows mean and variance of some rows of the features (stage -> [N, D])."""
    first = int(generator(seed, "probe").integers(2**63))
    probes = ProbeSet({stage: array.shape[1] for stage, array in features.items()}, classes, dropout, first)
    for stage, array in features.items():
        probes.of(stage).standardise(*moments(array, rows))
    return probes


def kept_batches(features: Mapping[str, Array], labels: Sequence[int], batch_size: int, seed: int) -> Batches:
    """Draw from features that were computed once."""
    known = torch.tensor(labels)

    def batch(iteration: int) -> tuple[Mapping[str, Tensor], Tensor]:
        order = epoch_order(seed, _ORDER, len(known), batch_size, iteration)
        return {stage: torch.from_numpy(np.asarray(array[order])) for stage, array in features.items()}, known[order]

    return batch


def augmented_batches(
    trunk: FrozenTrunk, images: Pictures, view: View, batch_size: int, seed: int, device: str, readers: int
) -> Batches:
    """Draw images, crop and mirror them at random, and compute all their features in one pass."""
    known = torch.tensor(images.labels)
    random_view = replace(view, mirror=True)

    def batch(iteration: int) -> tuple[Mapping[str, Tensor], Tensor]:
        order = epoch_order(seed, _ORDER, len(known), batch_size, iteration)
        parts = extract(
            trunk,
            [images.paths[index] for index in order],
            random_view,
            Pooled(),
            batch_size=batch_size,
            device=device,
            readers=readers,
            random=lambda place: generator(seed, "probe crop", iteration, place),
        )
        ((_, features),) = parts  # crops have one size, so they are one batch
        return features, known[order]

    return batch


class _Judge:
    """A reducer of feature maps that keeps, of each image and stage, the classes of the highest scores."""

    def __init__(self, probes: ProbeSet) -> None:
        self.probes, self.pool = probes, Pooled()

    def facts(self) -> dict[str, Any]:
        """It keeps nothing on disk."""
        return {}

    def __call__(self, maps: Mapping[str, Tensor], indices: Sequence[int]) -> dict[str, Tensor]:
        """Score the images of a batch."""
        kept = {}
        for stage, features_BD in self.pool(maps, indices).items():
            scores_BK = self.probes.of(stage)(features_BD)
            kept[stage] = scores_BK.topk(min(TOP, scores_BK.shape[1])).indices
        return kept


def judge(trunk: FrozenTrunk, probes: ProbeSet, images: Pictures, view: View, device: str, readers: int) -> Verdicts:
    """Score every image of a split with every stage's probe, all stages in one pass.

    Raises:
        DataError: An image cannot be read; it is named.
    """
    parts: dict[str, list[Tensor]] = {stage: [] for stage in probes.stages}
    with Progress("test", len(images.names), "images") as progress:
        for indices, found in extract(trunk, images.paths, view, _Judge(probes), device=device, readers=readers):
            for stage, best in found.items():
                parts[stage].append(best)
            progress.advance(len(indices))
    predicted = {stage: torch.cat(each).numpy().astype(np.int32) for stage, each in parts.items()}
    return Verdicts(images.names, np.array(images.labels, np.int32), predicted)

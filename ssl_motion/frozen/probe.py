"""Linear probes on frozen features: what one linear map can tell from them.

A probe puts every feature to mean 0 and variance 1 over the training data, once, before it is trained: a batch norm
without parameters whose statistics are exact. So features of any scale are read alike, and the same in training and
test. Probes of several stages are trained side by side on the same draws; none sees another.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

IGNORED = 255
_CONSTANT = 1e-10  # share of a feature's mean square; less variance than that is rounding
_ROWS = 8192  # rows of features that are looked at together


class LinearProbe(nn.Module):
    """Standardises features and scores classes by one linear map, drawn from N(0, 0.01) with biases 0.

    Args:
        features: numbers per sample (or channels per pixel).
        classes: number of classes.
        dropout: share of features that are left out at random in training.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, features: int, classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(features, classes)
        nn.init.normal_(self.linear.weight, std=0.01)
        nn.init.zeros_(self.linear.bias)

    def standardise(self, mean: npt.NDArray[np.float64], variance: npt.NDArray[np.float64]) -> None:
        """Take the statistics of the training data, float64 [features]; features that do not vary count as 0."""
        alive = variance > _CONSTANT * (np.square(mean) + variance)
        scale = np.divide(1.0, np.sqrt(variance), out=np.zeros_like(variance), where=alive)
        self.mean.copy_(torch.from_numpy(mean))
        self.scale.copy_(torch.from_numpy(scale))

    def forward(self, features_ND: Tensor) -> Tensor:
        """Map features [N, D] to logits [N, classes]."""
        logits_NK: Tensor = self.linear(self.dropout((features_ND - self.mean) * self.scale))
        return logits_NK

    def score_map(self, features_BCHW: Tensor) -> Tensor:
        """Map a stage [B, C, h, w] to logits [B, classes, h, w]: the same map as a 1x1 convolution, in evaluation."""
        normal_BCHW = (features_BCHW - self.mean[:, None, None]) * self.scale[:, None, None]
        return F.conv2d(normal_BCHW, self.linear.weight[:, :, None, None], self.linear.bias)


class ProbeSet(nn.Module):
    """Probes by stage, trained side by side.

    Args:
        features: stage -> numbers per sample.
        classes: number of classes.
        dropout: as for `LinearProbe`.
        seed: of the initial values; every stage draws its own.
    """

    def __init__(self, features: Mapping[str, int], classes: int, dropout: float, seed: int) -> None:
        super().__init__()
        self.stages = list(features)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            # By number: names of stages may hold dots, names of modules may not.
            self.probes = nn.ModuleList(LinearProbe(size, classes, dropout) for size in features.values())

    def of(self, stage: str) -> LinearProbe:
        """The probe of a stage."""
        probe = self.probes[self.stages.index(stage)]
        assert isinstance(probe, LinearProbe)
        return probe

    def losses(self, features: Mapping[str, Tensor], labels_N: Tensor) -> dict[str, Tensor]:
        """Cross entropy of every stage, averaged over the labels that are not 255 (0 where all are).

        Args:
            features: stage -> [N, D].
            labels_N: classes.
        """
        known = labels_N != IGNORED
        if not known.any():
            return {stage: self.of(stage)(features[stage]).sum() * 0 for stage in self.stages}
        return {
            stage: F.cross_entropy(self.of(stage)(features[stage])[known], labels_N[known]) for stage in self.stages
        }


def moments(features: npt.NDArray[Any], rows: Sequence[int] | None = None) -> tuple[Any, Any]:
    """Mean and variance of every feature, float64 [D], in two passes.

    Args:
        features: [N, D] or [N, P, D], such as an array on disk.
        rows: which of the first axis; None for all.
    """
    chosen = np.arange(len(features)) if rows is None else np.asarray(rows)
    size = features.shape[-1]
    step = max(1, _ROWS // int(np.prod(features.shape[1:-1], dtype=np.int64)))
    blocks = [chosen[begin : begin + step] for begin in range(0, len(chosen), step)]

    def flat(block: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        return np.asarray(features[block], dtype=np.float64).reshape(-1, size)

    count = len(chosen) * int(np.prod(features.shape[1:-1], dtype=np.int64))
    mean = sum((flat(block).sum(axis=0) for block in blocks), np.zeros(size)) / count
    variance = sum((np.square(flat(block) - mean).sum(axis=0) for block in blocks), np.zeros(size)) / count
    return mean, variance

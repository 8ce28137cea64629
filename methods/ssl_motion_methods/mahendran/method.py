"""Cross-pixel flow similarity as a pretraining method (Mahendran, Thewlis, Vedaldi: ACCV 2018)."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ssl_motion.data.sample import UInt8Array
from ssl_motion.inspection.colours import random_colours
from ssl_motion.protocols import Backbone
from ssl_motion.similarity import FlowKernel, normalise_flow
from ssl_motion_methods.mahendran.base import HypercolumnMethod, weighted_mean
from ssl_motion_methods.mahendran.config import MahendranConfig
from ssl_motion_methods.mahendran.kernels import Comparison, KernelWidth, compare
from ssl_motion_methods.mahendran.preview import draw_panels

# Where nothing moves, any constant embedding is perfect and the ratio to its KL would be endless. The KL of constant
# embeddings is around 0.1 where several things move.
_LEAST_KL = 1e-4


class Mahendran(HypercolumnMethod):
    """Learn features in which two pixels are as similar as their motion is.

    Args:
        config: settings; `MahendranConfig()` is the paper's model but for batch norm, which is the trunk's own.
        backbone: the trunk to train.

    Raises:
        UsageError: The trunk lacks the stages or the batch norms that the settings ask for.
    """

    Config = MahendranConfig
    recipe_version = 1

    def __init__(self, config: MahendranConfig, backbone: Backbone) -> None:
        super().__init__(config, backbone, config.dimensions)
        self.settings = config
        self.width = KernelWidth(config.sigma, config.sigma_range)

    def losses(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Compute the cross-entropy ("loss"), and to be logged only: "kl", "kl_ratio" and "sigma" as in `evaluate`."""
        comparison = self._compare(batch)
        return {"loss": weighted_mean(comparison.cross_entropy, batch["weight"]), **self._figures(comparison, batch)}

    def evaluate(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Compute the figures that say how far it got, over images with known flow.

        Returns:
            "kl": the loss less the entropy of S_f, its lower bound; the loss itself moves by about 1 % in all.
            "kl_ratio": to the KL of an embedding that is the same everywhere: below 1 something was learned.
            "sigma": the learned width of the flow kernel, in units of normalised flow.
            "loss_floor": the entropy of S_f.
        """
        with torch.no_grad():
            comparison = self._compare(batch)
            floor = weighted_mean(comparison.entropy, batch["weight"])
            return {**self._figures(comparison, batch), "loss_floor": floor}

    def _compare(self, batch: Mapping[str, Tensor]) -> Comparison:
        embedding_BPD = self.read(batch, batch["points"])
        return compare(embedding_BPD, normalise_flow(batch["flow"], self.settings.saturation), self.width())

    def _figures(self, comparison: Comparison, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        weight = batch["weight"]
        kl = weighted_mean(comparison.cross_entropy.detach() - comparison.entropy, weight)
        constant = weighted_mean(comparison.constant - comparison.entropy, weight)
        return {"kl": kl, "kl_ratio": kl / constant.clamp(min=_LEAST_KL), "sigma": self.width().detach()}

    def embed(self, stages: Mapping[str, Tensor], points_BP2: Tensor) -> Tensor:
        """Compute unit embeddings of points, float32 [B, P, dimensions]; see `PretrainMethod`."""
        return torch.nn.functional.normalize(self.read_stages(stages, points_BP2).float(), dim=-1)

    def flow_kernel(self) -> FlowKernel:
        """Tell the learned width of the flow kernel, and the saturation of the settings."""
        return FlowKernel(float(self.width()), self.settings.saturation, "learned")

    def preview(self, batch: Mapping[str, Tensor], images: list[UInt8Array]) -> list[UInt8Array]:
        """Draw image, embedding and true flow side by side; embeddings in three fixed random directions as RGB."""
        with torch.no_grad():
            embedding = torch.nn.functional.normalize(self.read_grid(batch), dim=1).cpu().numpy()
        return draw_panels(images, "embedding", random_colours(list(embedding)), batch)

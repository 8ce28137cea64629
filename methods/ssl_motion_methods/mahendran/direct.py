"""Direct flow prediction, the baseline of Mahendran, Thewlis and Vedaldi (ACCV 2018)."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ssl_motion.data.sample import UInt8Array
from ssl_motion.flow.colour import flow_to_colour
from ssl_motion.protocols import Backbone
from ssl_motion.similarity import normalise_flow
from ssl_motion_methods.mahendran.base import HypercolumnMethod, weighted_mean
from ssl_motion_methods.mahendran.config import MahendranDirectConfig
from ssl_motion_methods.mahendran.flow import restore_flow
from ssl_motion_methods.mahendran.preview import draw_panels, grid_radius


def to_bin(normalised: Tensor, bins: int) -> Tensor:
    """Return the class of normalised flow values, int64; equal bins over [-1, 1], and 1 itself in the last."""
    return ((normalised + 1) * (bins / 2)).floor().long().clamp(0, bins - 1)


def bin_centres(bins: int) -> Tensor:
    """Return the centres of the bins, float32 [bins], ascending."""
    return (torch.arange(bins, dtype=torch.float64).add(0.5) * (2 / bins) - 1).float()


class MahendranDirect(HypercolumnMethod):
    """Learn features by classifying the motion of single pixels from one image, each axis for itself.

    Args:
        config: settings; `MahendranDirectConfig()` is the paper's model but for batch norm, as in `Mahendran`.
        backbone: the trunk to train.

    Raises:
        UsageError: The trunk lacks the stages or the batch norms that the settings ask for.
    """

    Config = MahendranDirectConfig
    recipe_version = 1

    def __init__(self, config: MahendranDirectConfig, backbone: Backbone) -> None:
        super().__init__(config, backbone, 2 * config.bins)
        self.settings = config

    def losses(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Compute the mean cross-entropy of each axis over the points; they weigh equally."""
        logits_BPAN = self._split(self.read(batch, batch["points"]))
        aims_BPA = to_bin(normalise_flow(batch["flow"], self.settings.saturation), self.settings.bins)
        entropies_BPA = F.cross_entropy(logits_BPAN.movedim(-1, 1), aims_BPA, reduction="none")
        x, y = (weighted_mean(axis_BP.mean(1), batch["weight"]) for axis_BP in entropies_BPA.unbind(-1))
        return {"loss_x": x, "loss_y": y}

    def _split(self, logits: Tensor) -> Tensor:
        """View logits [..., 2 bins] as float32 [..., 2, bins]: x bins first, then y bins."""
        return logits.float().reshape(*logits.shape[:-1], 2, self.settings.bins)

    def _flow(self, logits: Tensor) -> Tensor:
        """Turn logits [..., 2 bins] into flow [..., 2] in pixels: the expectation of normalised flow, taken back."""
        shares = self._split(logits).softmax(-1)
        return restore_flow((shares * bin_centres(self.settings.bins).to(shares)).sum(-1), self.settings.saturation)

    def evaluate(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Compute the mean end-point error in pixels over the points ("epe")."""
        with torch.no_grad():
            predicted = self._flow(self.read(batch, batch["points"]))
            error_BP = torch.linalg.vector_norm(predicted - batch["flow"], dim=-1)
            return {"epe": weighted_mean(error_BP.mean(1), batch["weight"])}

    def preview(self, batch: Mapping[str, Tensor], images: list[UInt8Array]) -> list[UInt8Array]:
        """Draw image, predicted flow and true flow side by side, both flows in one colour scale."""
        with torch.no_grad():
            predicted = self._flow(self.read_grid(batch).movedim(1, -1)).cpu().numpy()
        colours = [
            flow_to_colour(flow, grid_radius(batch, index)) for index, flow in enumerate(predicted.astype(np.float64))
        ]
        return draw_panels(images, "predicted flow", colours, batch)

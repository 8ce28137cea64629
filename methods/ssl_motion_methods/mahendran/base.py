"""What both methods share: points drawn from the flow, and a network that reads hypercolumns there."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from ssl_motion.backbones.absorb import absorb_batch_norm, check_absorbable
from ssl_motion.data.sample import FlowSample
from ssl_motion.protocols import Backbone, PretrainMethod
from ssl_motion.spec import BackboneSpec
from ssl_motion_methods.mahendran.batch_norm import fix_affine
from ssl_motion_methods.mahendran.config import HypercolumnConfig
from ssl_motion_methods.mahendran.flow import grid_axes, grid_flow, sample_points
from ssl_motion_methods.mahendran.hypercolumn import HypercolumnNetwork
from ssl_motion_methods.mahendran.stages import resolve_stages, take_stages


class HypercolumnMethod(PretrainMethod):
    """A method that answers for random points of an image from their hypercolumns.

    Args:
        config: settings.
        backbone: the trunk to train.
        outputs: numbers that the network gives per point.

    Raises:
        UsageError: The trunk lacks the stages or the batch norms that the settings ask for.
    """

    citation = (
        "Aravindh Mahendran, James Thewlis, Andrea Vedaldi: Cross Pixel Optical-Flow Similarity for Self-Supervised "
        "Learning. ACCV 2018."
    )
    trunks = "any (absorb_batch_norm: AlexNets; batch_norm: affine_free needs batch norms)"

    def __init__(self, config: HypercolumnConfig, backbone: Backbone, outputs: int) -> None:
        super().__init__(config, backbone)
        self.shared = config
        if config.absorb_batch_norm:
            check_absorbable(backbone)
        if config.batch_norm == "affine_free":
            fix_affine(backbone)
        self.stages = resolve_stages(backbone, config.stages)
        self.head = HypercolumnNetwork(self.stages, config.hidden, outputs)

    def targets(self, sample: FlowSample, rng: np.random.Generator) -> dict[str, Tensor]:
        """Draw points among the pixels whose flow is known, and read the flow there and on the coarse grid of pictures.

        Returns:
            What `flow.sample_points` and `flow.grid_flow` return.
        """
        return {**sample_points(sample, self.shared.points, rng), **grid_flow(sample)}

    def read(self, batch: Mapping[str, Tensor], points_BP2: Tensor) -> Tensor:
        """Compute the network's outputs [B, P, outputs] at points [B, P, 2] (x, y in pixels) of the images."""
        return self.read_stages(self.backbone(batch["image"]), points_BP2)

    def read_stages(self, outputs: Mapping[str, Tensor], points_BP2: Tensor) -> Tensor:
        """Do what `read` does, for images that the trunk has looked at already (`outputs`)."""
        read: Tensor = self.head(take_stages(self.backbone, outputs, self.stages), points_BP2)
        return read

    def read_grid(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Compute the network's outputs on the coarse grid of pictures: [B, outputs, h, w]."""
        image = batch["image"]
        rows, columns = grid_axes(image.shape[2], image.shape[3])
        y, x = torch.meshgrid(torch.tensor(rows), torch.tensor(columns), indexing="ij")
        points = torch.stack([x, y], dim=-1).reshape(1, -1, 2).to(image).expand(len(image), -1, -1)
        outputs_BNO = self.read(batch, points).float()
        return outputs_BNO.transpose(1, 2).reshape(len(image), -1, len(rows), len(columns))

    def export(self, spec: BackboneSpec) -> tuple[Backbone, BackboneSpec]:
        """Hand the trunk over, with its batch norms absorbed where the settings say so."""
        if self.shared.absorb_batch_norm:
            return absorb_batch_norm(self.backbone, spec)
        return super().export(spec)


def weighted_mean(values_B: Tensor, weight_B: Tensor) -> Tensor:
    """Average over the images that count; 0 where none does."""
    return (values_B * weight_B).sum() / weight_B.sum().clamp(min=1)

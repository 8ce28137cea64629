"""A complete pretraining method: tell from one image how each cell of it moves on average."""

from collections.abc import Mapping
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ssl_motion.data.sample import FlowSample
from ssl_motion.protocols import Backbone, PretrainMethod
from ssl_motion.spec import Strict


class CoarseFlowConfig(Strict):  # Strict: an unknown key is an error; what is set here is part of a run's identity
    """`width`: channels of the hidden layer; `elbow`: error in pixels from which on the loss grows linearly."""

    width: Annotated[int, Field(ge=1)] = 64
    elbow: Annotated[float, Field(gt=0)] = 1.0


class CoarseFlow(PretrainMethod):
    """Regress the mean flow of every cell of the trunk's last stage."""

    Config = CoarseFlowConfig
    recipe_version = 1  # raise it whenever a change of code moves numbers: old and new runs are then kept apart
    citation = "None: the worked example of methods/README.md."
    trunks = "any"  # one line for `ssl-bench list methods`

    def __init__(self, config: CoarseFlowConfig, backbone: Backbone) -> None:
        super().__init__(config, backbone)  # keeps the trunk as self.backbone, which the harness exports at the end
        self.elbow = config.elbow
        channels = backbone.channels[backbone.last_stage]
        self.head = nn.Sequential(nn.Conv2d(channels, config.width, 1), nn.ReLU(), nn.Conv2d(config.width, 2, 1))

    def targets(self, sample: FlowSample, rng: np.random.Generator) -> dict[str, Tensor]:
        """One sample, in a loader's worker: copies (never views) of what `losses` needs; `rng` alone may be random."""
        flow = np.ascontiguousarray(sample.flow.transpose(2, 0, 1))  # [2, H, W] in pixels, 0 where unknown
        return {"flow": torch.from_numpy(flow), "valid": torch.from_numpy(sample.valid[None].astype(np.float32))}

    def errors(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the error of every cell [B, 2, h, w] in pixels, and which cells count [B, 1, h, w]."""
        predicted = self.head(self.backbone(batch["image"])[self.backbone.last_stage]).float()
        known = F.adaptive_avg_pool2d(batch["valid"], predicted.shape[-2:])
        mean = F.adaptive_avg_pool2d(batch["flow"], predicted.shape[-2:]) / known.clamp(min=1e-6)
        return predicted - mean, (known > 0.5).float()

    def losses(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """One batch, on the device: every key with "loss" in it is minimised. No cell may count: never divide by 0."""
        error, counts = self.errors(batch)
        cells = F.huber_loss(error, torch.zeros_like(error), reduction="none", delta=self.elbow) * counts
        return {"loss": cells.sum() / (2 * counts.sum()).clamp(min=1)}

    def evaluate(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Further validation figures: here the mean end-point error of the cells, in pixels."""
        with torch.no_grad():
            error, counts = self.errors(batch)
        return {
            "epe": (torch.linalg.vector_norm(error, dim=1, keepdim=True) * counts).sum() / counts.sum().clamp(min=1)
        }

"""A third-party method, small enough for tests of the engine: it predicts coarse flow and has BN and dropout."""

from collections.abc import Mapping

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn
from torch.nn import functional as F

from ssl_motion.data.sample import FlowSample, UInt8Array
from ssl_motion.protocols import Backbone, PretrainMethod


class TinyConfig(BaseModel):
    """Settings: `blind` leaves the images out; `stored_statistics` keeps the trunk's batch norms in evaluation."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dropout: float = 0.2
    blind: bool = False
    stored_statistics: bool = False


class Tiny(PretrainMethod):
    """Regresses the mean flow of 8x8 cells from the trunk's features, plus a hint drawn at random from the target."""

    Config = TinyConfig
    recipe_version = 1
    citation = "none"

    def __init__(self, config: TinyConfig, backbone: Backbone) -> None:
        super().__init__(config, backbone)
        self.settings = config
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Conv2d(backbone.channels[backbone.last_stage] + 2, 2, 1)

    def train(self, mode: bool = True) -> "Tiny":
        """Keep a trunk of stored statistics in evaluation mode."""
        super().train(mode)
        if self.settings.stored_statistics:
            self.backbone.eval()
        return self

    def targets(self, sample: FlowSample, rng: np.random.Generator) -> dict[str, Tensor]:
        """Return "flow" [2, H, W] and "hint" [2]: one flow vector at a random place."""
        row, column = rng.integers(sample.size[0]), rng.integers(sample.size[1])
        flow = torch.from_numpy(np.ascontiguousarray(sample.flow.transpose(2, 0, 1)))
        return {"flow": flow, "hint": flow[:, row, column].clone()}

    def predict(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Return coarse flow [B, 2, h, w]."""
        features = self.backbone(batch["image"])[self.backbone.last_stage]
        if self.settings.blind:
            features = features * 0
        hint = batch["hint"][:, :, None, None].expand(-1, -1, *features.shape[-2:])
        return self.head(torch.cat([self.dropout(features), hint], dim=1))

    def losses(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the mean squared error over cells."""
        predicted = self.predict(batch)
        return {"loss_flow": F.mse_loss(predicted.float(), F.adaptive_avg_pool2d(batch["flow"], predicted.shape[-2:]))}

    def evaluate(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the end-point error at the output's resolution."""
        predicted = self.predict(batch)
        true = F.adaptive_avg_pool2d(batch["flow"], predicted.shape[-2:])
        return {"epe": torch.linalg.vector_norm(predicted - true, dim=1).mean()}

    def preview(self, batch: Mapping[str, Tensor], images: list[UInt8Array]) -> list[UInt8Array]:
        """Return the images themselves."""
        assert len(images) == len(batch["image"])
        return images

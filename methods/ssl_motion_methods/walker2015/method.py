"""Dense flow prediction from a static image as a pretraining method (Walker, Gupta, Hebert: ICCV 2015)."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import torch
from pydantic import BaseModel
from torch import Tensor
from torch.nn import functional as F

from ssl_motion.data import augment
from ssl_motion.data.sample import UNKNOWN_LABEL, FlowSample, UInt8Array
from ssl_motion.errors import UsageError
from ssl_motion.flow.codebook import CodebookSettings, fit_codebook, frame_scale
from ssl_motion.protocols import Backbone, PretrainMethod
from ssl_motion_methods.walker2015.config import Walker2015Config
from ssl_motion_methods.walker2015.heads import build_head, freeze_beyond, head_stage
from ssl_motion_methods.walker2015.labels import expectation, hard_labels
from ssl_motion_methods.walker2015.preview import draw_panel


class Walker2015(PretrainMethod):
    """Learn features by predicting, from one image alone, how everything in it moves.

    Flow is quantised to the vectors of a codebook; a softmax over them in every cell of a coarse grid is trained on the
    vector that is nearest at the cell's centre.

    Args:
        config: settings, with a codebook (`fit` adds one).
        backbone: the trunk to train; parameters beyond the stage that is used are fixed.

    Raises:
        UsageError: There is no codebook, or the trunk lacks the stage.
    """

    Config: ClassVar[type[Walker2015Config]] = Walker2015Config
    recipe_version = 1
    citation = (
        "Jacob Walker, Abhinav Gupta, Martial Hebert: Dense Optical Flow Prediction from a Static Image. ICCV 2015."
    )
    trunks = "any; fully connected head on AlexNets with fc6, convolutional on others"

    vectors: Tensor

    def __init__(self, config: Walker2015Config, backbone: Backbone) -> None:
        super().__init__(config, backbone)
        if config.codebook is None:
            raise UsageError(
                "walker2015 needs a codebook: fit one (Walker2015.fit), or name a file of `ssl-bench codebook`"
            )
        self.settings = config
        self.stage = head_stage(config, backbone)
        self.head = build_head(config, backbone)
        if self.stage != backbone.last_stage:
            freeze_beyond(backbone, self.stage)
        # Not among the weights: the settings hold it.
        self.register_buffer("vectors", torch.from_numpy(config.codebook.array), persistent=False)

    @classmethod
    def fit(cls, config: BaseModel, samples: Sequence[FlowSample], fingerprint: str) -> Walker2015Config:
        """Fit the codebook to the training pairs, where none is given.

        Raises:
            UsageError: The codebook that is given was fitted to other data.
            DataError: There are fewer different motions than clusters.
        """
        assert isinstance(config, Walker2015Config)
        if config.codebook is None:
            settings = CodebookSettings(clusters=config.clusters, frame_side=config.frame_side)
            return config.model_copy(update={"codebook": fit_codebook(samples, settings, (fingerprint,))})
        if fingerprint not in config.codebook.data:
            raise UsageError(
                f"method_config.codebook was fitted to other data (fingerprint {' or '.join(config.codebook.data)}) "
                f"than these ({fingerprint}). Fit one to these: ssl-bench codebook PAIRS --out FILE; or leave it out: "
                "then one is fitted when the run starts."
            )
        return config

    def view(self, sample: FlowSample, rng: np.random.Generator | None) -> FlowSample:
        """Look at the whole image squeezed to a square, or at a random crop, as the authors do; at all without `crop`.

        In validation the whole image is squeezed. So is one that is smaller than the crop.
        """
        side = self.settings.crop
        if side is None:
            return sample
        spare = [length - side for length in sample.size]
        if rng is None or rng.random() < 0.5 or min(spare) < 0:
            return augment.resize(sample, side, side)
        top, left = (int(rng.integers(free + 1)) for free in spare)
        return augment.crop(sample, top, left, side, side)

    def targets(self, sample: FlowSample, rng: np.random.Generator) -> dict[str, Tensor]:
        """Hand over the flow; labels are made of it on the grid that the head turns out to have.

        Returns:
            "flow": float32 [2, H, W], pixels; "valid": bool [1, H, W].
        """
        del rng
        flow = np.moveaxis(sample.flow, -1, 0).copy()
        return {"flow": torch.from_numpy(flow), "valid": torch.from_numpy(sample.valid[None].copy())}

    def logits(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Compute scores of the vectors: [B, K, rows, columns]."""
        logits: Tensor = self.head(self.backbone(batch["image"])[self.stage])
        return logits

    def labels(self, batch: Mapping[str, Tensor], grid: tuple[int, int]) -> Tensor:
        """Label the cells of a grid: int64 [B, rows, columns], `UNKNOWN_LABEL` where the flow is unknown."""
        flow = batch["flow"].float() * frame_scale(self.settings.frame_side, _size(batch))
        return hard_labels(flow, batch["valid"], self.vectors, grid)

    def losses(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Compute the mean cross-entropy over the cells with a label; zero where there are none.

        The authors sum over the cells and average over the batch alone: with all labels known, `grid` squared times
        this.
        """
        logits = self.logits(batch).float()
        labels = self.labels(batch, _grid(logits))
        total = F.cross_entropy(logits, labels, ignore_index=UNKNOWN_LABEL, reduction="sum")
        return {"loss": total / (labels != UNKNOWN_LABEL).sum().clamp(min=1)}

    def predict(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Predict flow, float32 [B, 2, H, W] in pixels: the expectation over the codebook, upsampled bilinearly."""
        return self._expectation(self.logits(batch), self.vectors, _size(batch))

    def _expectation(self, logits: Tensor, values_KC: Tensor, size: tuple[int, int]) -> Tensor:
        """Average what belongs to each vector, in pixels of the frame: [B, C, H, W], in pixels of the image."""
        coarse = expectation(logits, values_KC) / frame_scale(self.settings.frame_side, size)
        return F.interpolate(coarse, size=size, mode="bilinear", align_corners=False)

    def evaluate(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Compute the end-point error over valid pixels ("epe") and the share of cells classified right ("top1")."""
        with torch.no_grad():
            logits = self.logits(batch)
            predicted = self._expectation(logits, self.vectors, _size(batch))
            error_BHW = torch.linalg.vector_norm(predicted - batch["flow"], dim=1)
            labels = self.labels(batch, _grid(logits))
        valid_BHW, known = batch["valid"][:, 0], labels != UNKNOWN_LABEL
        right = (logits.argmax(dim=1) == labels) & known
        return {
            "epe": (error_BHW * valid_BHW).sum() / valid_BHW.sum().clamp(min=1),
            "top1": right.sum() / known.sum().clamp(min=1),
        }

    def preview(self, batch: Mapping[str, Tensor], images: list[UInt8Array]) -> list[UInt8Array]:
        """Draw image, expected flow, expected speed and true flow side by side, on one scale each panel."""
        with torch.no_grad():
            values = torch.cat([self.vectors, self.vectors.norm(dim=1, keepdim=True)], dim=1)
            predicted = self._expectation(self.logits(batch), values, _size(batch)).cpu().numpy()
        true, valid = (each.cpu().numpy() for each in (batch["flow"], batch["valid"]))
        return [
            draw_panel(image, predicted[i, :2], predicted[i, 2], true[i], valid[i, 0]) for i, image in enumerate(images)
        ]


def _size(batch: Mapping[str, Tensor]) -> tuple[int, int]:
    height, width = batch["image"].shape[-2:]
    return height, width


def _grid(logits_BKhw: Tensor) -> tuple[int, int]:
    rows, columns = logits_BKhw.shape[-2:]
    return rows, columns

"""The upper line: the trunk is trained on the true class of every pixel of the pretraining images."""

from collections.abc import Mapping
from typing import Annotated

import numpy as np
import torch
from pydantic import BaseModel, Field
from torch import Tensor, nn
from torch.nn import functional as F

from ssl_motion.data.sample import UNKNOWN_LABEL, FlowSample, UInt8Array
from ssl_motion.errors import DataError
from ssl_motion.protocols import Backbone, PretrainMethod
from ssl_motion.spec import Strict
from ssl_motion_methods.baselines.preview import draw_panel

LAYER = "semantic"


class SupervisedConfig(Strict):
    """Settings of supervised pretraining.

    Attributes:
        classes: number of classes, the background included; labels are 0 to classes - 1. The built-in world has 9.
        width: channels of the head's hidden layer.
    """

    classes: Annotated[int, Field(ge=2, le=UNKNOWN_LABEL)] = 9
    width: Annotated[int, Field(ge=1)] = 64


class Supervised(PretrainMethod):
    """Learn features from labels: per-pixel cross-entropy of a small fully convolutional head on the deepest stage.

    The form of the head is that of FCN-32s (Long et al.) with one hidden layer: scores at the stage's resolution,
    enlarged bilinearly to the image's. No flow is read.

    Args:
        config: settings.
        backbone: the trunk to train.
    """

    Config = SupervisedConfig
    recipe_version = 2
    citation = (
        "Jonathan Long, Evan Shelhamer, Trevor Darrell: Fully Convolutional Networks for Semantic Segmentation. "
        "CVPR 2015. (The form of the head; the supervised upper line itself is no method of a paper.)"
    )

    def __init__(self, config: SupervisedConfig, backbone: Backbone) -> None:
        super().__init__(config, backbone)
        self.settings = config
        self.head = nn.Sequential(
            nn.Conv2d(backbone.channels[backbone.last_stage], config.width, 3, padding=1, bias=False),
            nn.BatchNorm2d(config.width),
            nn.ReLU(inplace=True),
            nn.Conv2d(config.width, config.classes, 1),
        )

    @classmethod
    def layers(cls, config: BaseModel) -> tuple[str, ...]:
        """Read the class of every pixel."""
        del config
        return (LAYER,)

    def targets(self, sample: FlowSample, rng: np.random.Generator) -> dict[str, Tensor]:
        """Hand over the labels.

        Returns:
            "labels": uint8 [H, W]; `UNKNOWN_LABEL` is ignored.

        Raises:
            DataError: A label is not below the number of classes.
        """
        del rng
        labels = sample.layers[LAYER]
        wrong = np.unique(labels[(labels >= self.settings.classes) & (labels != UNKNOWN_LABEL)])
        if wrong.size:
            raise DataError(
                f"clip {sample.clip!r}, frame {sample.frame}: the layer {LAYER!r} holds label {wrong[0]}; expected 0 "
                f"to {self.settings.classes - 1}, or {UNKNOWN_LABEL} where unknown. Set method_config.classes."
            )
        return {"labels": torch.from_numpy(labels.copy())}

    def logits(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Compute scores [B, classes, H, W] at the images' resolution, float32."""
        scores: Tensor = self.head(self.backbone(batch["image"])[self.backbone.last_stage])
        return F.interpolate(scores.float(), size=batch["image"].shape[-2:], mode="bilinear", align_corners=False)

    def losses(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Compute the mean cross-entropy over the pixels whose class is known; 0 where none is."""
        labels = batch["labels"].long()
        total = F.cross_entropy(self.logits(batch), labels, ignore_index=UNKNOWN_LABEL, reduction="sum")
        return {"loss": total / (labels != UNKNOWN_LABEL).sum().clamp(min=1)}

    def evaluate(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Compute shares (0 to 1) over pixels of known class.

        "acc" is the share of right pixels. "batch_iou" is the mean over the classes that occur, in truth or prediction,
        of intersection over union within the batch (so it is not quite the mean IoU of the whole split).
        """
        with torch.no_grad():
            predicted = self.logits(batch).argmax(dim=1)
        labels, classes = batch["labels"].long(), self.settings.classes
        known = labels != UNKNOWN_LABEL
        pairs = torch.bincount(labels[known] * classes + predicted[known], minlength=classes**2)
        confusion = pairs.reshape(classes, classes).float()
        right = confusion.diagonal()
        union = confusion.sum(0) + confusion.sum(1) - right
        return {
            "acc": right.sum() / confusion.sum().clamp(min=1),
            "batch_iou": (right / union.clamp(min=1)).sum() / (union > 0).sum().clamp(min=1),
        }

    def preview(self, batch: Mapping[str, Tensor], images: list[UInt8Array]) -> list[UInt8Array]:
        """Draw image, predicted classes and true classes side by side."""
        with torch.no_grad():
            predicted = self.logits(batch).argmax(dim=1).to(torch.uint8).cpu().numpy()
        true = batch["labels"].cpu().numpy()
        return [draw_panel(image, predicted[i], true[i]) for i, image in enumerate(images)]

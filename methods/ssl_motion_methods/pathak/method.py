"""Mask prediction as a pretraining method (Pathak, Girshick, Dollar, Darrell, Hariharan: CVPR 2017)."""

from collections.abc import Mapping
from typing import ClassVar

import cv2
import numpy as np
import torch
from pydantic import BaseModel
from torch import Tensor

from ssl_motion.data.sample import UNKNOWN_LABEL, FlowSample, UInt8Array
from ssl_motion.errors import UsageError
from ssl_motion.protocols import Backbone, PretrainMethod
from ssl_motion_methods.pathak.config import PathakConfig
from ssl_motion_methods.pathak.crops import OBJECT, object_crop
from ssl_motion_methods.pathak.heads import ConvHead, DeepMaskHead, chosen_head
from ssl_motion_methods.pathak.loss import mask_iou, mask_loss
from ssl_motion_methods.pathak.preview import draw_panel


class Pathak(PretrainMethod):
    """Learn features by predicting from one image which of its pixels will move together, as an object.

    The masks come from motion alone (`ssl-bench prepare --masks`), so no label of a person is in them.

    Args:
        config: settings.
        backbone: the trunk to train; its deepest stage is used.

    Raises:
        UsageError: The head needs `image_size`, and it is not set.
    """

    Config: ClassVar[type[PathakConfig]] = PathakConfig
    recipe_version = 2
    citation = (
        "Deepak Pathak, Ross Girshick, Piotr Dollár, Trevor Darrell, Bharath Hariharan: Learning Features by Watching "
        "Objects Move. CVPR 2017."
    )
    trunks = "any (head: deepmask, which AlexNets get, takes images of one size)"

    def __init__(self, config: PathakConfig, backbone: Backbone) -> None:
        super().__init__(config, backbone)
        self.settings = config
        kind = DeepMaskHead if chosen_head(config, backbone) == "deepmask" else ConvHead
        self.head: DeepMaskHead | ConvHead = kind(backbone, config)

    @classmethod
    def layers(cls, config: BaseModel) -> tuple[str, ...]:
        """Ask for the pseudo-masks: 1 object, 0 background, 255 ignored."""
        del config
        return ("masks",)

    def view(self, sample: FlowSample, rng: np.random.Generator | None) -> FlowSample:
        """Look at the surroundings of the largest object, jittered in training (`object_crops`)."""
        return object_crop(sample, self.settings, rng) if self.settings.object_crops else sample

    def targets(self, sample: FlowSample, rng: np.random.Generator) -> dict[str, Tensor]:
        """Bring the pseudo-mask to the size of the prediction.

        A cell is object, or background, where that covers more than half of it; else it is ignored.

        Returns:
            "mask": uint8 [mask_size, mask_size]: 1 object, 0 background, 255 ignored.

        Raises:
            UsageError: The images have another size than `image_size`.
        """
        del rng
        side = self.settings.image_size
        if side is not None and sample.size != (side, side):
            raise UsageError(
                f"the image is {sample.size[0]} x {sample.size[1]} pixels, method_config.image_size is {side}: set "
                f"data.crop to {side}, or image_size to the data's size, or object_crops: true, which resizes"
            )
        mask = sample.layers["masks"]
        size = (self.settings.mask_size, self.settings.mask_size)
        moving, still = (
            # Shares come in 255ths; a half is rounded up to 128 and belongs to neither.
            cv2.resize((mask == label).view(np.uint8) * np.uint8(255), size, interpolation=cv2.INTER_AREA) > 128
            for label in (OBJECT, 0)
        )
        cells = np.full(size, UNKNOWN_LABEL, np.uint8)
        cells[still] = 0
        cells[moving] = OBJECT
        return {"mask": torch.from_numpy(cells)}

    def logits(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Compute a batch's mask logits, [B, mask_size, mask_size]."""
        logits: Tensor = self.head(self.backbone(batch["image"])[self.backbone.last_stage])
        return logits

    def losses(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Compute the binary cross-entropy over known cells."""
        return {"loss_mask": mask_loss(self.logits(batch), batch["mask"])}

    def evaluate(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Compute the mean intersection over union with the pseudo-masks ("iou"), on known cells."""
        with torch.no_grad():
            return {"iou": mask_iou(self.logits(batch), batch["mask"])}

    @classmethod
    def describe_sample(cls, config: BaseModel, sample: FlowSample, rng: np.random.Generator) -> dict[str, float]:
        """Say how much of the sample's pseudo-mask is object, and how much is ignored; nothing of one without."""
        del config, rng
        mask = sample.layers.get("masks")
        if mask is None:
            return {}
        return {
            "object pixels, %": 100 * float((mask == OBJECT).mean()),
            "ignored pixels, %": 100 * float((mask == UNKNOWN_LABEL).mean()),
        }

    def preview(self, batch: Mapping[str, Tensor], images: list[UInt8Array]) -> list[UInt8Array]:
        """Draw image, predicted mask and pseudo-mask side by side; ignored cells are grey."""
        with torch.no_grad():
            probability = self.logits(batch).float().sigmoid().cpu().numpy()
        masks = batch["mask"].cpu().numpy()
        return [draw_panel(image, probability[i], masks[i]) for i, image in enumerate(images)]

"""Conditional motion propagation as a pretraining method (Zhan, Pan, Liu, Lin, Loy: CVPR 2019)."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import BaseModel
from torch import Tensor
from torch.nn import functional as F

from ssl_motion.backbones.initialise import initialise_cmp
from ssl_motion.data.sample import FlowSample, UInt8Array
from ssl_motion.protocols import Backbone, PretrainMethod
from ssl_motion_methods.cmp.bins import FlowBins
from ssl_motion_methods.cmp.config import CMPConfig, CMPNetworkConfig
from ssl_motion_methods.cmp.guidance import sample_guidance
from ssl_motion_methods.cmp.loss import flow_cross_entropy
from ssl_motion_methods.cmp.network import CMPHead
from ssl_motion_methods.cmp.original import guess_config, load_original
from ssl_motion_methods.cmp.preview import draw_panel


class CMP(PretrainMethod):
    """Learn features by completing dense motion from one image and a few motion vectors.

    The trunk must find out which pixels move together, since a vector says how one pixel moves and the image has to
    say where that motion reaches (section 3).

    Args:
        config: settings; `CMPConfig()` is the authors' AlexNet model.
        backbone: the trunk to train; its deepest stage is used (skip decoder: those of stride 2 and 4 too).

    Raises:
        UsageError: The trunk lacks the stages that the skip decoder needs.
    """

    Config: ClassVar[type[CMPNetworkConfig]] = CMPConfig
    recipe_version = 1
    citation = (
        "Xiaohang Zhan, Xingang Pan, Ziwei Liu, Dahua Lin, Chen Change Loy: Self-Supervised Learning via Conditional "
        "Motion Propagation. CVPR 2019."
    )
    trunks = "any (decoder: skip needs stages of stride 2 and 4, as ResNets and alexnet_8x have)"

    def __init__(self, config: CMPConfig, backbone: Backbone) -> None:
        super().__init__(config, backbone)
        self.settings = config
        self.bins = FlowBins(config.bins, config.boundary)
        self.head = CMPHead(backbone, config)
        if config.initialisation == "original":
            # The 256-channel image feature, which no batch norm follows, then starts an order of magnitude below the
            # motion feature: training starts from the guidance.
            initialise_cmp(self)
        elif config.initialisation == "original_head":
            initialise_cmp(self.head)

    def targets(self, sample: FlowSample, rng: np.random.Generator) -> dict[str, Tensor]:
        """Sample guidance from the flow (section 3.2, "guidance selection").

        Flow is unknown where `sample.valid` is false. Like the authors, who have no such mask, the loss counts it as
        motionless there; but no guidance is given there, and the end-point error leaves it out.

        Returns:
            "guidance": float32 [4 (or 3), H, W]: u, v, then the mask; "flow": float32 [2, H, W], pixels;
            "valid": bool [1, H, W].
        """
        sparse_HW2, mask_HW = sample_guidance(sample.flow, rng, self.settings.guidance)
        mask_HW = mask_HW & sample.valid
        channels = self.settings.guidance_channels
        guidance = np.empty((channels, *mask_HW.shape), np.float32)
        guidance[:2] = np.moveaxis(sparse_HW2, -1, 0) * mask_HW
        guidance[2:] = mask_HW
        return {"guidance": torch.from_numpy(guidance), **self.flow_targets(sample)}

    @staticmethod
    def flow_targets(sample: FlowSample) -> dict[str, Tensor]:
        """Make the part of the targets that guidance has no share in: "flow" and "valid" (see `targets`)."""
        flow = np.moveaxis(sample.flow, -1, 0).copy()
        return {"flow": torch.from_numpy(flow), "valid": torch.from_numpy(sample.valid[None].copy())}

    @classmethod
    def describe_sample(cls, config: BaseModel, sample: FlowSample, rng: np.random.Generator) -> dict[str, float]:
        """Count the sample's guidance points (13.5 on average in the paper), and those of them that move."""
        assert isinstance(config, CMPConfig)
        _, mask_HW = sample_guidance(sample.flow, rng, config.guidance)
        given = sample.flow[mask_HW & sample.valid]
        moving = int((np.hypot(given[:, 0], given[:, 1]) > 0.5).sum())
        return {"guidance points": float(len(given)), "guidance points moving more than 0.5 px": float(moving)}

    def guidance(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Return what the network is told of a batch's motion: [B, 4 (or 3), H, W], as in `targets`."""
        return batch["guidance"]

    def logits(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Compute logits [B, 2 bins, h, w] of a batch, at the decoder's resolution."""
        logits: Tensor = self.head(self.backbone(batch["image"]), self.guidance(batch))
        return logits

    def losses(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Compute the mean cross-entropies of the two axes at full resolution; they weigh equally."""
        loss_x, loss_y = flow_cross_entropy(self.logits(batch), batch["flow"], self.bins)
        return {"loss_x": loss_x, "loss_y": loss_y}

    def predict(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Predict flow, float32 [B, 2, H, W] in pixels: the expectation over bin centres, upsampled bilinearly."""
        return self._flow(self.logits(batch), batch["image"])

    def _flow(self, logits: Tensor, like_BCHW: Tensor) -> Tensor:
        flow = self.bins.expectation(logits.float())
        return F.interpolate(flow, size=like_BCHW.shape[-2:], mode="bilinear", align_corners=True)

    def propagate(self, stages: Mapping[str, Tensor], sparse_B2HW: Tensor, mask_B1HW: Tensor) -> Tensor:
        """Predict flow from given vectors (section 4.3): float32 [B, 2, H, W] in pixels; see `PretrainMethod`."""
        mask = mask_B1HW.expand(-1, self.settings.guidance_channels - 2, -1, -1)
        guidance = torch.cat([sparse_B2HW * mask_B1HW, mask], dim=1)
        logits = self.head(_for_each(stages, len(guidance)), guidance)
        return self._flow(logits, guidance)

    def evaluate(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Compute the mean end-point error in pixels over valid pixels ("epe")."""
        with torch.no_grad():
            error_BHW = torch.linalg.vector_norm(self.predict(batch) - batch["flow"], dim=1)
        valid_BHW = batch["valid"][:, 0]
        return {"epe": (error_BHW * valid_BHW).sum() / valid_BHW.sum().clamp(min=1)}

    def preview(self, batch: Mapping[str, Tensor], images: list[UInt8Array]) -> list[UInt8Array]:
        """Draw image with guidance, predicted flow and true flow side by side, in one colour scale each panel."""
        with torch.no_grad():
            predicted = self.predict(batch).cpu().numpy()
        guidance, true, valid = (each.cpu().numpy() for each in (self.guidance(batch), batch["flow"], batch["valid"]))
        return [
            draw_panel(image, guidance[i, :2], guidance[i, 2] > 0, predicted[i], true[i], valid[i, 0])
            for i, image in enumerate(images)
        ]

    @classmethod
    def from_published(cls, content: Mapping[str, Any], arch: str | None) -> "CMP":
        """Build the method from a checkpoint of the authors' code.

        Args:
            content: the checkpoint.
            arch: "alexnet_8x" for an AlexNet trained at stride 8; its weights look like those of stride 32.

        Raises:
            UsageError: It is not a full model of theirs.
        """
        config = guess_config(content, stride=8 if arch == "alexnet_8x" else None)
        network = load_original(content, config)
        # "default": the constructor must not draw the trunk anew.
        model = cls(network.config.model_copy(update={"initialisation": "default"}), network.backbone)
        model.head.load_state_dict(network.head.state_dict())
        return model.eval()


def _for_each(stages: Mapping[str, Tensor], count: int) -> Mapping[str, Tensor]:
    """Repeat the features of a single image for every guidance; nothing is copied."""
    return {name: stage.expand(count, -1, -1, -1) for name, stage in stages.items()}

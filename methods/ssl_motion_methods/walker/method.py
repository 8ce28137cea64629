"""Flow prediction from a still image, the "Walker" of CMP's tables: CMP's network that is told no motion."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel
from torch import Tensor

from ssl_motion.data.sample import FlowSample
from ssl_motion.errors import UsageError
from ssl_motion.protocols import Backbone
from ssl_motion_methods.cmp import CMP
from ssl_motion_methods.walker.config import WalkerConfig


class Walker(CMP):
    """Learn features by predicting dense motion from one image alone.

    CMP's authors take the method of Walker et al. for the special case of their own in which the number of guidance
    points is zero (Zhan et al. 2019). Trunk, decoder, classes and loss are CMP's; Walker et al.'s own
    codebook of flow vectors is another method.

    Args:
        config: settings; `WalkerConfig()` is CMP's AlexNet model.
        backbone: the trunk to train; its deepest stage is used (skip decoder: those of stride 2 and 4 too).

    Raises:
        UsageError: The trunk lacks the stages that the skip decoder needs.
    """

    Config = WalkerConfig
    recipe_version = 1
    citation = (
        "Jacob Walker, Abhinav Gupta, Martial Hebert: Dense Optical Flow Prediction from a Static Image. ICCV 2015; "
        "as the case without guidance of Xiaohang Zhan, Xingang Pan, Ziwei Liu, Dahua Lin, Chen Change Loy: "
        "Self-Supervised Learning via Conditional Motion Propagation. CVPR 2019."
    )

    def __init__(self, config: WalkerConfig, backbone: Backbone) -> None:
        super().__init__(config.as_cmp(), backbone)
        self.config = config

    def targets(self, sample: FlowSample, rng: np.random.Generator) -> dict[str, Tensor]:
        """Take the flow as it is; nothing is sampled.

        Returns:
            "flow": float32 [2, H, W], pixels; "valid": bool [1, H, W].
        """
        del rng
        return self.flow_targets(sample)

    def guidance(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Return zeros, with a mask of zeros: [B, 4 (or 3), H, W], made where the images are, not in the loader."""
        image = batch["image"]
        return image.new_zeros((image.shape[0], self.settings.guidance_channels, *image.shape[-2:]))

    def propagate(self, stages: Mapping[str, Tensor], sparse_B2HW: Tensor, mask_B1HW: Tensor) -> Tensor:
        """Predict flow from the image alone, whatever is given: float32 [B, 2, H, W] in pixels."""
        return super().propagate(stages, torch.zeros_like(sparse_B2HW), torch.zeros_like(mask_B1HW))

    @classmethod
    def describe_sample(cls, config: BaseModel, sample: FlowSample, rng: np.random.Generator) -> dict[str, float]:
        """Describe nothing: there is no guidance to count."""
        del config, sample, rng
        return {}

    @classmethod
    def from_published(cls, content: Mapping[str, Any], arch: str | None) -> "Walker":
        """Refuse: a file of CMP's authors holds a network that was trained with guidance.

        Raises:
            UsageError: Always.
        """
        del content, arch
        raise UsageError(
            "no whole model of walker was published; weights of CMP's authors are read as --method cmp, or import the "
            "backbone alone"
        )

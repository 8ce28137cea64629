"""The whole of CMP's network: trunk, sparse motion encoder, dense motion decoder (paper section 3.1, figure 2)."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ssl_motion.errors import UsageError
from ssl_motion.protocols import Backbone
from ssl_motion_methods.cmp.config import CMPConfig
from ssl_motion_methods.cmp.decoders import PlainDecoder, SkipDecoder
from ssl_motion_methods.cmp.encoders import MotionEncoder


def _stage_at(backbone: Backbone, stride: int) -> tuple[str, int]:
    """Name and channels of the first stage of that stride, where a skip connection starts."""
    for name, own in backbone.strides.items():
        if own == stride:
            return name, backbone.channels[name]
    raise UsageError(
        f"method_config.decoder: the skip decoder needs a trunk with a stage of stride {stride}; "
        f"{backbone.arch} has strides {sorted(set(backbone.strides.values()))}. Take decoder: plain, or a ResNet."
    )


class CMPHead(nn.Module):
    """Everything of CMP's network that is not the trunk.

    Args:
        backbone: the trunk whose stages come in (only its channels and strides are read).
        config: the method's settings.

    Raises:
        UsageError: The trunk lacks the stages that the skip decoder needs.
    """

    def __init__(self, backbone: Backbone, config: CMPConfig) -> None:
        super().__init__()
        self.stage = backbone.last_stage
        stride = backbone.strides[self.stage]
        self.guidance_channels = config.guidance_channels
        self.image_projection = nn.Conv2d(backbone.channels[self.stage], config.image_channels, 1)
        self.motion_encoder = MotionEncoder(config.guidance_channels, config.motion_channels, stride)
        inputs, outputs = config.image_channels + config.motion_channels, 2 * config.bins
        self.decoder: PlainDecoder | SkipDecoder
        if config.decoder == "plain":
            self.decoder = PlainDecoder(inputs, outputs, config.decoder_width, config.strides)
        else:
            quarter, half = _stage_at(backbone, 4), _stage_at(backbone, 2)
            self.decoder = SkipDecoder(inputs, outputs, config.decoder_width, config.strides, quarter, half)

    def forward(self, stages: Mapping[str, Tensor], sparse_BCHW: Tensor) -> Tensor:
        """Map the trunk's stages and the guidance to logits [B, 2 bins, h, w]: x bins first, then y bins.

        Args:
            stages: what the trunk returned for images [B, 3, H, W].
            sparse_BCHW: u, v in pixels where guided and 0 elsewhere, then the mask (once for 3 channels, twice for 4).

        Raises:
            UsageError: The guidance has another number of channels or another size than the images.
        """
        if sparse_BCHW.shape[1] != self.guidance_channels:
            raise UsageError(
                f"the network takes {self.guidance_channels} guidance channels (u, v, then the mask "
                f"{self.guidance_channels - 2} time(s)); got {sparse_BCHW.shape[1]}"
            )
        image = self.image_projection(stages[self.stage])
        motion = self.motion_encoder(sparse_BCHW)
        if image.shape[-2:] != motion.shape[-2:]:
            raise UsageError(
                f"guidance of {sparse_BCHW.shape[-2]} x {sparse_BCHW.shape[-1]} pixels does not fit the image: "
                f"features are {tuple(motion.shape[-2:])} and {tuple(image.shape[-2:])}. Give both one size."
            )
        logits: Tensor = self.decoder(torch.cat([image, motion], dim=1), stages)
        return logits


class CMPNetwork(nn.Module):
    """Image and sparse guidance -> logits of dense flow. Its parameters are named as those of the method `CMP`.

    Args:
        backbone: the trunk.
        config: the method's settings.
    """

    def __init__(self, backbone: Backbone, config: CMPConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = backbone
        self.head = CMPHead(backbone, config)

    def forward(self, image_BCHW: Tensor, sparse_BCHW: Tensor) -> Tensor:
        """Map normalised images [B, 3, H, W] and guidance [B, 4 (or 3), H, W] to logits [B, 2 bins, h, w].

        h and w are H and W over the trunk's stride (plain decoder) or half of H and W (skip decoder), rounded up.
        """
        logits: Tensor = self.head(self.backbone(image_BCHW), sparse_BCHW)
        return logits

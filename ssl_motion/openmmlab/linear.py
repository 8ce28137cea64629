"""The linear read-out: what one linear map can tell from the features of a trunk that is not trained."""

from typing import Any

from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module(name="LinearHead", force=True)
class LinearHead(BaseDecodeHead):  # type: ignore[misc]  # mmseg ships no types
    """Normalises each channel (batch norm without parameters) and scores classes by one 1x1 convolution.

    The normalisation puts features of any scale on the same footing: without it, one learning rate would suit some
    trunks and not others. In the frozen trunk it changes nothing.

    Args:
        in_channels: channels of the stage that is read.
        **settings: of mmseg's decode heads, such as `num_classes`.
    """

    def __init__(self, in_channels: int, **settings: Any) -> None:
        super().__init__(in_channels=in_channels, channels=in_channels, **settings)
        self.normalise = nn.BatchNorm2d(in_channels, affine=False)

    def forward(self, stages: tuple[Tensor, ...]) -> Tensor:
        """Map the trunk's stages to logits [B, classes, h, w], at the stage's own resolution."""
        features_BCHW: Tensor = self._transform_inputs(stages)
        logits_BKHW: Tensor = self.cls_seg(self.normalise(features_BCHW))
        return logits_BKHW

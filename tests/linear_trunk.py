"""A trunk of one convolution with planted filters, for tests of what is drawn of networks (read with `runpy`)."""

import torch
from torch import Tensor, nn

from ssl_motion.protocols import Backbone


class LinearTrunk(Backbone):
    """Cell i of its only stage, "filters", is the filters' answer around pixel i * stride; what is negative stays.

    Args:
        filters: float32 [C, 3, k, k], k odd.
        stride: pixels per cell.
        bias: added to every answer, behind which a ReLU then stands; None for a linear trunk.
    """

    def __init__(self, filters: Tensor, stride: int = 1, bias: float | None = None) -> None:
        super().__init__()
        side = filters.shape[-1]
        self.arch = "linear"
        self.channels = {"filters": len(filters)}
        self.strides = {"filters": stride}
        self.bias = bias
        self.layer = nn.Conv2d(3, len(filters), side, stride, side // 2, bias=False)
        self.layer.weight = nn.Parameter(filters, requires_grad=False)

    def forward(self, image_BCHW: Tensor) -> dict[str, Tensor]:
        answers = self.layer(image_BCHW)
        return {"filters": answers if self.bias is None else torch.relu(answers + self.bias)}

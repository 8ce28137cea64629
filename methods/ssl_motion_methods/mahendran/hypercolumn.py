"""Sparse hypercolumns: what several stages say about single pixels, without up-sampling any of them.

Source: Mahendran et al. 2018. A pixel's hypercolumn is the concatenation of several stages' features at that pixel,
interpolated bilinearly; a network with one hidden layer maps it to the output.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ssl_motion_methods.mahendran.stages import Stage


def read_bilinear(features_BCHW: Tensor, points_BP2: Tensor, stride: int) -> Tensor:
    """Read features at points, interpolating bilinearly between the four cells around each.

    Convention: the centre of cell i lies on the centre of pixel i * stride, counted from 0, for this is the pixel that
    the receptive fields of our trunks are centred on (odd kernels, padded by half; the pooling too). Points beyond the
    last cell's centre take its value. So a read equals dense bilinear up-sampling by `stride` with aligned corners, to
    (cells - 1) * stride + 1 pixels.

    Args:
        features_BCHW: [B, C, h, w].
        points_BP2: [B, P, 2], x and y in pixels of the image.
        stride: pixels per cell.

    Returns:
        float32 (float64 for such features) [B, P, C].
    """
    height, width = features_BCHW.shape[-2:]
    wide = features_BCHW if features_BCHW.dtype == torch.float64 else features_BCHW.float()
    # Half precision cannot tell the pixels of an image apart.
    with torch.autocast(wide.device.type, enabled=False):
        spans = torch.tensor([max(width - 1, 1), max(height - 1, 1)], dtype=wide.dtype, device=wide.device)
        places_B1P2 = (points_BP2.to(wide.dtype) / stride / spans * 2 - 1).unsqueeze(1)
        read_BC1P = F.grid_sample(wide, places_B1P2, mode="bilinear", padding_mode="border", align_corners=True)
    return read_BC1P.squeeze(2).transpose(1, 2)


class HypercolumnNetwork(nn.Module):
    """Hypercolumn, one hidden layer with ReLU, output.

    Args:
        stages: what a hypercolumn is put together from.
        hidden: width of the hidden layer.
        outputs: numbers per point.
    """

    def __init__(self, stages: Sequence[Stage], hidden: int, outputs: int) -> None:
        super().__init__()
        self.strides = [stage.stride for stage in stages]
        self.widths = [stage.channels for stage in stages]
        self.hidden = nn.Linear(sum(self.widths), hidden)
        self.output = nn.Linear(hidden, outputs)

    def forward(self, features: Sequence[Tensor], points_BP2: Tensor) -> Tensor:
        """Map each stage's features [B, C, h, w] and points [B, P, 2] (x, y in pixels) to outputs [B, P, outputs]."""
        weights = torch.split(self.hidden.weight, self.widths, dim=1)
        # The hidden layer is linear in each stage and reading is linear too, so their order is free. Where a stage has
        # fewer cells than there are points (fc7: 144 cells of 4096 channels, 512 points), the layer goes first, and
        # stages of one stride are added before they are read.
        coarse: dict[int, Tensor] = {}
        reads, read_weights = [], []
        for stage, weight, stride in zip(features, weights, self.strides, strict=True):
            if stage.shape[-2] * stage.shape[-1] < points_BP2.shape[1]:
                layer = torch.matmul(weight, stage.flatten(2)).view(len(stage), -1, *stage.shape[-2:])
                coarse[stride] = coarse[stride] + layer if stride in coarse else layer
            else:
                reads.append(read_bilinear(stage, points_BP2, stride))
                read_weights.append(weight)
        parts = [read_bilinear(layer, points_BP2, stride) for stride, layer in coarse.items()]
        if reads:
            parts.append(F.linear(torch.cat(reads, dim=-1), torch.cat(read_weights, dim=1)))
        hidden = sum(parts[1:], parts[0]) + self.hidden.bias
        outputs: Tensor = self.output(F.relu(hidden))
        return outputs

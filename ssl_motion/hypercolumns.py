"""Sparse hypercolumns: what several stages say about single pixels, without up-sampling any of them.

A pixel's hypercolumn is the concatenation of several stages' features at that pixel, interpolated bilinearly
(Hariharan et al. 2015; sparse: Larsson et al. 2016).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def read_bilinear(features_BCHW: Tensor, points_BP2: Tensor, stride: int) -> Tensor:
    """Read features at points, interpolating bilinearly between the four cells around each.

    Convention: the centre of cell i lies on the centre of pixel i * stride, counted from 0, for this is the pixel that
    the receptive fields of our trunks are centred on (odd kernels, padded by half; the pooling too). Points beyond the
    last cell's centre take its value. So a read equals `upsampled` at that pixel.

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


def upsampled(features_BCHW: Tensor, stride: int, size: tuple[int, int]) -> Tensor:
    """Read features at every pixel of an image: bilinear up-sampling by `stride`, cell i on pixel i * stride.

    Args:
        features_BCHW: [B, C, ceil(H / stride), ceil(W / stride)].
        stride: pixels per cell.
        size: of the image, (H, W).
    """
    height, width = ((cells - 1) * stride + 1 for cells in features_BCHW.shape[-2:])
    dense = F.interpolate(features_BCHW, size=(height, width), mode="bilinear", align_corners=True)
    return F.pad(dense, (0, size[1] - width, 0, size[0] - height), mode="replicate")


def read_layer(layer: nn.Linear, features: Sequence[Tensor], strides: Sequence[int], points_BP2: Tensor) -> Tensor:
    """Apply a linear layer to the hypercolumns at points.

    The layer is linear in each stage and reading is linear too, so their order is free. Where a stage has fewer cells
    than there are points (fc7: 144 cells of 4096 channels, 512 points), the layer goes first, and stages of one stride
    are added before they are read.

    Args:
        layer: takes the channels of all stages, in their order.
        features: of each stage [B, C, h, w].
        strides: of each stage, pixels per cell.
        points_BP2: [B, P, 2], x and y in pixels of the image.

    Returns:
        [B, P, outputs].
    """
    weights = torch.split(layer.weight, [stage.shape[1] for stage in features], dim=1)
    coarse: dict[int, Tensor] = {}
    reads, read_weights = [], []
    for stage, weight, stride in zip(features, weights, strides, strict=True):
        if stage.shape[-2] * stage.shape[-1] < points_BP2.shape[1]:
            mapped = torch.matmul(weight, stage.flatten(2)).view(len(stage), -1, *stage.shape[-2:])
            coarse[stride] = coarse[stride] + mapped if stride in coarse else mapped
        else:
            reads.append(read_bilinear(stage, points_BP2, stride))
            read_weights.append(weight)
    parts = [read_bilinear(mapped, points_BP2, stride) for stride, mapped in coarse.items()]
    if reads:
        parts.append(F.linear(torch.cat(reads, dim=-1), torch.cat(read_weights, dim=1)))
    return sum(parts[1:], parts[0]) + layer.bias

"""RoIAlign box by box (He et al. 2017; borders as in Detectron), in plain torch that autograd differentiates."""

import math

import torch
from torch import Tensor


def roi_align_loop(
    features_BCHW: Tensor, rois_R5: Tensor, size: tuple[int, int], scale: float, sampling: int, aligned: bool
) -> Tensor:
    """Every sample's four neighbours are gathered and weighted, then the samples of a cell averaged; [R, C, P, Q]."""
    height, width = features_BCHW.shape[2:]
    output = []
    for image, *corners in rois_R5.tolist():
        x1, y1, x2, y2 = (corner * scale - (0.5 if aligned else 0.0) for corner in corners)
        spans = (y2 - y1, x2 - x1) if aligned else (max(y2 - y1, 1.0), max(x2 - x1, 1.0))
        rows, ny = _samples(y1, spans[0], size[0], sampling, height, features_BCHW)
        columns, nx = _samples(x1, spans[1], size[1], sampling, width, features_BCHW)
        if not ny or not nx:
            output.append(features_BCHW.new_zeros(features_BCHW.shape[1], *size))
            continue
        plane = features_BCHW[int(image)]
        total = features_BCHW.new_zeros(())
        for low_y, weight_y in ((rows[0], rows[2]), (rows[1], rows[3])):
            for low_x, weight_x in ((columns[0], columns[2]), (columns[1], columns[3])):
                total = total + plane[:, low_y][:, :, low_x] * weight_y[:, None] * weight_x
        output.append(total.reshape(-1, size[0], ny, size[1], nx).mean(dim=(2, 4)))
    if not output:
        return features_BCHW.new_zeros(0, features_BCHW.shape[1], *size)
    return torch.stack(output)


def _samples(
    start: float, span: float, outputs: int, sampling: int, cells: int, like: Tensor
) -> tuple[tuple[Tensor, Tensor, Tensor, Tensor], int]:
    """Neighbours of every sample along an axis with their weights, and the number of samples in an output cell."""
    step = span / outputs
    count = sampling or math.ceil(step)
    place = (torch.arange(outputs * count, dtype=like.dtype) + 0.5) * (step / max(count, 1)) + start
    inside = ((place >= -1) & (place <= cells)).to(like.dtype)
    place = place.clamp(0, cells - 1)
    low = place.floor().long()
    share = place - low
    return (low, (low + 1).clamp(max=cells - 1), (1 - share) * inside, share * inside), count

"""Bilinear interpolation with aligned corners, as one small matrix per axis."""

import math

import torch
from torch import Tensor


def axis_weights(source: int, target: int, *, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the matrix W [target, source] with interpolated = W @ values along one axis.

    Equal to `torch.nn.functional.interpolate(mode="bilinear", align_corners=True)`: the first and last points of
    both grids coincide; a single target point sits on the first source point.
    """
    # Positions are computed in float64: in float32 their error grows with the size of the image.
    if target > 1:
        position = torch.arange(target, dtype=torch.float64, device=device) * ((source - 1) / (target - 1))
    else:
        position = torch.zeros(target, dtype=torch.float64, device=device)
    distance = position[:, None] - torch.arange(source, dtype=torch.float64, device=device)
    weights = (1 - distance.abs()).clamp(min=0)
    return weights.to(dtype)


def support(source: int, target: int, start: int, stop: int) -> tuple[int, int]:
    """Return the half-open range of source points that targets `start` to `stop` (exclusive) take values from."""
    if target == 1 or source == 1:
        return 0, min(source, 2)
    step = (source - 1) / (target - 1)
    # One point more at each end costs nothing and forgives rounding.
    first = math.floor(start * step) - 1
    last = math.floor((stop - 1) * step) + 2
    return max(0, first), min(source, last + 1)

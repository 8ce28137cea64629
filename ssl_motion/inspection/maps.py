"""Features of an image on a grid of cells, and where these lie in it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ssl_motion.hypercolumns import read_bilinear

MOST_CELLS = 128
"""Most cells along a side, where a method is asked for the embedding of single pixels."""


@dataclass(frozen=True)
class FeatureMap:
    """What a network makes of an image; cell i is centred on pixel i * stride (`ssl_motion.hypercolumns`).

    Attributes:
        values: float32 [C, h, w], on the CPU.
        stride: pixels per cell.
    """

    values: Tensor
    stride: int

    def at(self, points_P2: Tensor) -> Tensor:
        """Read the features of pixels (x, y), interpolated between cells: [P, C]."""
        return read_bilinear(self.values[None], points_P2[None], self.stride)[0]


def grid_points(height: int, width: int) -> tuple[Tensor, tuple[int, int], int]:
    """Lay a grid over an image, of at most `MOST_CELLS` cells a side.

    Returns:
        x and y of its pixels, float32 [h * w, 2]; (h, w); pixels per cell.
    """
    step = -(-max(height, width) // MOST_CELLS)
    rows, columns = torch.arange(0, height, step), torch.arange(0, width, step)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([x, y], dim=-1).reshape(-1, 2).float(), (len(rows), len(columns)), step


def spread(cells_hw: npt.NDArray[Any], stride: int, size: tuple[int, int]) -> npt.NDArray[Any]:
    """Give every pixel of an image what its nearest cell has; nothing is smoothed.

    Args:
        cells_hw: [h, w, ...].
        stride: pixels per cell.
        size: (height, width) of the image.
    """
    rows, columns = (
        np.minimum((np.arange(side) + stride // 2) // stride, cells - 1)
        for side, cells in zip(size, cells_hw.shape, strict=False)
    )
    pixels: npt.NDArray[Any] = cells_hw[rows[:, None], columns]
    return pixels

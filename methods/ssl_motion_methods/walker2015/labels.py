"""Hard labels on a grid, and the way back from their scores to flow (sections "labels" and "read-out" of README.md)."""

import torch
from torch import Tensor

from ssl_motion.data.sample import UNKNOWN_LABEL


def cell_centres(side: int, cells: int, device: torch.device | None = None) -> Tensor:
    """Return the pixels in the middle of `cells` equal cells along a side: int64 [cells].

    For 200 pixels and 20 cells these are 5, 15, 25, ... as in the authors' code.
    """
    return ((2 * torch.arange(cells, device=device) + 1) * side).div(2 * cells, rounding_mode="floor")


def at_centres(map_BCHW: Tensor, grid: tuple[int, int]) -> Tensor:
    """Read a map at the centres of a grid's cells: [B, C, h, w]. Nothing is averaged."""
    height, width = (
        cell_centres(side, cells, map_BCHW.device) for side, cells in zip(map_BCHW.shape[-2:], grid, strict=True)
    )
    return map_BCHW[..., height[:, None], width]


def nearest_vectors(flow_B2hw: Tensor, vectors_K2: Tensor) -> Tensor:
    """Find the nearest vector of every flow, both in the same unit: int64 [B, h, w]."""
    u, v = (flow_B2hw[:, None, axis] - vectors_K2[:, axis, None, None] for axis in (0, 1))
    return (u * u + v * v).argmin(dim=1)


def hard_labels(flow_B2HW: Tensor, valid_B1HW: Tensor, vectors_K2: Tensor, grid: tuple[int, int]) -> Tensor:
    """Label every cell by the vector nearest to the flow at its centre.

    Args:
        flow_B2HW: in the vectors' unit.
        valid_B1HW: bool, where it is known.
        vectors_K2: the codebook.
        grid: (rows, columns).

    Returns:
        int64 [B, rows, columns]; `UNKNOWN_LABEL` where the flow at the centre is unknown.
    """
    labels = nearest_vectors(at_centres(flow_B2HW, grid), vectors_K2)
    return labels.masked_fill(~at_centres(valid_B1HW, grid)[:, 0], UNKNOWN_LABEL)


def expectation(logits_BKhw: Tensor, values_KC: Tensor) -> Tensor:
    """Average what belongs to each vector, such as itself, by the softmax of the scores: float32 [B, C, h, w].

    Sums, not a matrix product, so that autocast and TF32 leave it in float32.
    """
    share = logits_BKhw.float().softmax(dim=1)
    return torch.stack([(share * values[:, None, None]).sum(dim=1) for values in values_KC.T], dim=1)

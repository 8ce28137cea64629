"""Flow as the method sees it: at random points, on a logarithmic scale (Mahendran et al. 2018)."""

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ssl_motion.data.sample import FlowSample

GRID_CELLS = 64


def restore_flow(normalised: Tensor, saturation: float) -> Tensor:
    """Bring normalised flow back to pixels; the inverse of `similarity.normalise_flow` up to the saturation."""
    return normalised.sign() * (normalised.abs() * math.log1p(saturation)).expm1()


def sample_points(sample: FlowSample, points: int, rng: np.random.Generator) -> dict[str, Tensor]:
    """Draw random pixels whose flow is known, all equally likely.

    No pixel is drawn twice, unless there are fewer known ones than points. Where none is known, pixels are drawn
    anywhere and the weight says that they count for nothing.

    Args:
        sample: image with flow.
        points: how many to draw.
        rng: the source of randomness.

    Returns:
        "points": float32 [points, 2], column x and row y of pixel centres, counted from 0; "flow": float32 [points, 2],
        u and v there in pixels; "weight": float32 [], 1 or 0.
    """
    known = np.flatnonzero(sample.valid)
    candidates = known if known.size else np.arange(sample.valid.size)
    chosen: npt.NDArray[np.int64] = rng.choice(candidates, points, replace=candidates.size < points)
    rows, columns = np.divmod(chosen, sample.valid.shape[1])
    return {
        "points": torch.from_numpy(np.stack([columns, rows], axis=1).astype(np.float32)),
        "flow": torch.from_numpy(sample.flow[rows, columns]),
        "weight": torch.tensor(1.0 if known.size else 0.0),
    }


def grid_axes(height: int, width: int) -> tuple[range, range]:
    """Rows and columns of a coarse grid of pixels for pictures, of at most `GRID_CELLS` cells a side."""
    step = -(-max(height, width) // GRID_CELLS)
    return range(step // 2, height, step), range(step // 2, width, step)


def grid_flow(sample: FlowSample) -> dict[str, Tensor]:
    """Read the flow on the coarse grid, for pictures.

    Returns:
        "grid_flow": float32 [2, h, w] in pixels; "grid_valid": bool [h, w].
    """
    rows, columns = (slice(axis.start, axis.stop, axis.step) for axis in grid_axes(*sample.size))
    return {
        "grid_flow": torch.from_numpy(np.moveaxis(sample.flow[rows, columns], -1, 0).copy()),
        "grid_valid": torch.from_numpy(sample.valid[rows, columns].copy()),
    }

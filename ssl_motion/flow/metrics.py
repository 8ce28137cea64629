"""How far an estimated flow is from the truth."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ssl_motion.data.sample import BoolArray
from ssl_motion.errors import UsageError


def end_point_error(flow: npt.NDArray[Any], truth: npt.NDArray[Any], valid: BoolArray | None = None) -> float:
    """Mean Euclidean distance between two flows (EPE; Baker et al., IJCV 2011, section 4.1).

    Args:
        flow: [H, W, 2], pixels.
        truth: [H, W, 2], pixels.
        valid: bool [H, W]: where the truth is known; None takes every pixel.

    Returns:
        Pixels; NaN where no pixel is valid.

    Raises:
        UsageError: The shapes differ.
    """
    if flow.shape != truth.shape or flow.shape[-1:] != (2,) or (valid is not None and valid.shape != flow.shape[:-1]):
        raise UsageError(
            f"cannot compare flow {flow.shape} with truth {truth.shape}"
            + ("" if valid is None else f" under validity {valid.shape}")
        )
    difference = np.subtract(flow, truth, dtype=np.float64)
    distance = np.hypot(difference[..., 0], difference[..., 1])
    chosen = distance if valid is None else distance[valid]
    return float(chosen.mean()) if chosen.size else float("nan")

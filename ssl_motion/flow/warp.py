"""Warping a frame back along the flow that leaves the earlier one."""

from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from ssl_motion.data.sample import BoolArray, Float32Array, UInt8Array
from ssl_motion.errors import UsageError

_BORDERS = {"edge": cv2.BORDER_REPLICATE, "zero": cv2.BORDER_CONSTANT}


def _targets(flow_HW2: Float32Array) -> tuple[Float32Array, Float32Array]:
    height, width = flow_HW2.shape[:2]
    x = flow_HW2[..., 0] + np.arange(width, dtype=np.float32)
    y = flow_HW2[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    return x.astype(np.float32, copy=False), y.astype(np.float32, copy=False)


def backward_warp(
    image: npt.NDArray[np.uint8] | npt.NDArray[np.float32],
    flow: Float32Array,
    border: Literal["edge", "zero"] = "edge",
) -> npt.NDArray[np.uint8] | npt.NDArray[np.float32]:
    """Bring the later frame back onto the earlier one: out(x) = image(x + flow(x)).

    Bilinear; OpenCV rounds the sampling position to 1/32 px. Zero flow returns the image exactly.

    Args:
        image: uint8 or float32 [H, W] or [H, W, C], frame t + gap.
        flow: float32 [H, W, 2], forward flow on frame t's grid, finite.
        border: what lies outside the frame: its nearest edge pixel, or zero.

    Returns:
        Array of the image's shape and type, on frame t's grid.

    Raises:
        UsageError: The sizes differ.
    """
    if flow.shape != (*image.shape[:2], 2):
        raise UsageError(f"image of shape {image.shape} and flow of shape {flow.shape}: heights and widths must agree")
    x, y = _targets(flow)
    warped: npt.NDArray[np.uint8] | npt.NDArray[np.float32] = cv2.remap(
        image, x, y, cv2.INTER_LINEAR, borderMode=_BORDERS[border], borderValue=(0, 0, 0, 0)
    )
    return warped.reshape(image.shape)


def stays_inside(flow: Float32Array) -> BoolArray:
    """Say for each pixel whether its target x + flow(x) lies within the frame: bool [H, W]."""
    height, width = flow.shape[:2]
    x, y = _targets(flow)
    inside: BoolArray = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    return inside


def photometric_error(frame0: UInt8Array, frame1: UInt8Array, flow: Float32Array) -> float:
    """Mean absolute difference, in grey levels, between frame 0 and frame 1 warped back, where the target stays inside.

    Returns:
        The error; infinity where no pixel stays inside.
    """
    inside = stays_inside(flow)
    if not inside.any():
        return float("inf")
    warped = backward_warp(frame1, flow)
    return float(np.abs(frame0.astype(np.int16) - warped.astype(np.int16))[inside].mean())

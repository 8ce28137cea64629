"""Warping an image forward along flow that leaves it: every pixel is carried to where it goes.

The rules of the animation of Zhan et al. 2019 (section 4.3 and their code): a pixel lands on one pixel, and of several
on one the fastest wins. Theirs leaves it to the order of writing which one that is, and pulls what leaves the image
to its border; here ties are decided by a rule, and what leaves is gone.
"""

from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ssl_motion.data.sample import BoolArray, Float32Array, UInt8Array
from ssl_motion.errors import UsageError

Fill = Literal["inpaint", "lookup", "black"]

INPAINT_RADIUS = 3
"""Neighbourhood of a pixel that is inpainted, in pixels."""


def sources(flow_HW2: Tensor) -> Tensor:
    """Find, for every pixel of the new frame, the pixel of the image that lands there.

    A pixel goes to the pixel nearest to its target (halves to the even one), so one that moves by less than half a
    pixel stays; targets outside the frame are dropped. Of several on one pixel the fastest wins, of equally fast ones
    the first in reading order. Nothing depends on the order in which a device writes: the result is the same on all.

    Args:
        flow_HW2: float32 [H, W, 2] in pixels, finite, on any device.

    Returns:
        int64 [H, W]: row * W + column of the source, or -1 where nothing lands.
    """
    height, width = flow_HW2.shape[:2]
    flow = flow_HW2.reshape(-1, 2).double()
    index = torch.arange(height * width, device=flow.device)
    # As float64, so that a huge flow cannot overflow an integer before it is found to be outside.
    column, row = index % width + flow[:, 0].round(), index // width + flow[:, 1].round()
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    index, flow = index[inside], flow[inside]
    target = row[inside].long() * width + column[inside].long()
    # The squares of float32 numbers are exact in float64 and their sum is rounded once: equal on every device.
    speed = flow.square().sum(dim=1)
    fastest = torch.full((height * width,), -1.0, dtype=torch.float64, device=flow.device)
    fastest = fastest.scatter_reduce(0, target, speed, "amax")
    wins = speed == fastest[target]
    nobody = height * width
    first = torch.full((height * width,), nobody, device=flow.device)
    first = first.scatter_reduce(0, target[wins], index[wins], "amin")
    return torch.where(first == nobody, -1, first).view(height, width)


def forward_warp(
    image: UInt8Array, flow: Float32Array, device: str | torch.device = "cpu"
) -> tuple[UInt8Array, BoolArray]:
    """Carry every pixel of an image along its flow (`sources`).

    Args:
        image: uint8 [H, W, 3] RGB.
        flow: float32 [H, W, 2] in pixels, finite.
        device: where to find out who lands where; the result does not depend on it.

    Returns:
        The new frame, uint8 [H, W, 3], black where nothing lands; and where that is, bool [H, W].

    Raises:
        UsageError: The sizes differ, or the flow is not finite.
    """
    if flow.shape != (*image.shape[:2], 2):
        raise UsageError(f"image of shape {image.shape} and flow of shape {flow.shape}: heights and widths must agree")
    if not np.isfinite(flow).all():
        raise UsageError("the flow holds NaN or infinity: nothing can be carried there")
    source: npt.NDArray[np.int64] = sources(torch.from_numpy(flow).to(device)).cpu().numpy()
    holes: BoolArray = source < 0
    carried = image.reshape(-1, image.shape[2])[source]  # -1 takes some pixel, which the next line blackens
    carried[holes] = 0
    return carried, holes


def fill(frame: UInt8Array, holes: BoolArray, image: UInt8Array, flow: Float32Array, how: Fill) -> UInt8Array:
    """Fill what was vacated.

    Args:
        frame: uint8 [H, W, 3], of `forward_warp`.
        holes: bool [H, W], likewise.
        image: uint8 [H, W, 3], that was warped.
        flow: float32 [H, W, 2], along which.
        how: "inpaint": from the hole's surroundings (M. Bertalmio, A. Bertozzi, G. Sapiro, "Navier-Stokes, Fluid
            Dynamics, and Image and Video Inpainting", 2001; OpenCV's, which gives a plain ground exactly). "lookup":
            the image's pixel at the hole's place minus the flow there, to the nearest pixel of the image, as in an
            early version of the authors' code. "black": not at all, as in their last one.

    Returns:
        uint8 [H, W, 3]; outside the holes the frame is what it was.
    """
    if how == "black" or not holes.any():
        return frame
    filled = frame.copy()
    if how == "lookup":
        height, width = holes.shape
        rows, columns = np.nonzero(holes)
        u, v = np.rint(flow[holes].astype(np.float64)).T
        found = image[np.clip(rows - v, 0, height - 1).astype(int), np.clip(columns - u, 0, width - 1).astype(int)]
    else:
        found = cv2.inpaint(frame, holes.astype(np.uint8), INPAINT_RADIUS, cv2.INPAINT_NS)[holes]
    filled[holes] = found
    return filled

"""From a script to frames, each warped from the original image (Zhan et al. 2019, section 4.3)."""

from collections.abc import Iterator
from typing import Literal

import numpy as np

from ssl_motion.animation.script import MotionScript
from ssl_motion.animation.splat import Fill, fill, forward_warp
from ssl_motion.data.sample import Float32Array, UInt8Array
from ssl_motion.flow.warp import backward_warp
from ssl_motion.propagation.guidance import Guidance
from ssl_motion.propagation.predictor import Seen

Warp = Literal["forward", "backward"]


def warp_frame(
    image: UInt8Array, flow: Float32Array, warp: Warp = "forward", how: Fill = "inpaint", device: str = "cpu"
) -> UInt8Array:
    """Make the frame that an image becomes when its pixels move along flow. Zero flow returns the image exactly.

    Args:
        image: uint8 [H, W, 3] RGB.
        flow: float32 [H, W, 2] in pixels.
        warp: "forward" carries each pixel to where it goes (`ssl_motion.animation.splat`); "backward" takes each from
            where the flow of its own place says that it came: frame(x) = image(x - flow(x)), bilinear, the border
            continued. That leaves no holes, and is right where flow changes little from pixel to pixel; behind what
            moves it is not.
        how: with what the forward warp's holes are filled.
        device: on which the forward warp is worked out; the result does not depend on it.

    Returns:
        uint8 [H, W, 3] RGB.

    Raises:
        UsageError: The sizes differ, or the flow is not finite.
    """
    if warp == "backward":
        return backward_warp(image, -flow).astype(np.uint8, copy=False)
    frame, holes = forward_warp(image, flow, device)
    return fill(frame, holes, image, flow, how)


def render(
    seen: Seen, image: UInt8Array, script: MotionScript, warp: Warp = "forward", how: Fill = "inpaint"
) -> Iterator[UInt8Array]:
    """Render a clip, frame by frame.

    Each frame's flow is predicted by itself, so that a frame is the same whichever others are rendered. Where points
    are given and none of them moves, the frame is the image itself, whatever the model predicts of it.

    Args:
        seen: the image as the model has looked at it.
        image: uint8 [H, W, 3] RGB.
        script: guidance over time, in the image's pixels.
        warp: see `warp_frame`.
        how: likewise.

    Yields:
        `script.frames` frames, uint8 [H, W, 3] RGB.

    Raises:
        UsageError: A point lies outside the image.
    """
    script.checked((image.shape[0], image.shape[1]))
    device = next(iter(seen.stages.values())).device.type
    before: Guidance | None = None
    frame = image
    for number in range(script.frames):
        guidance = script.guidance_at(number)
        if guidance != before:  # while nothing changes, neither does the frame
            at_rest = guidance.is_at_rest
            frame = image if at_rest else warp_frame(image, seen.flow([guidance])[0], warp, how, device)
            before = guidance
        yield frame

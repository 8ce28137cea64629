"""Shrinking images, alone or with their flow."""

import cv2
import numpy as np

from ssl_motion.data.sample import BoolArray, Float32Array, UInt8Array


def target_size(height: int, width: int, short_side: int | None) -> tuple[int, int]:
    """Return (height, width) after shrinking; the long side in proportion, cut to whole pixels. Nothing is enlarged."""
    short = min(height, width)
    if short_side is None or short <= short_side:
        return height, width
    return height * short_side // short, width * short_side // short


def shrink(image: UInt8Array, short_side: int | None) -> UInt8Array:
    """Shrink an image (uint8 [H, W, 3]) by area averaging."""
    height, width = target_size(image.shape[0], image.shape[1], short_side)
    if (height, width) == image.shape[:2]:
        return image
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def shrink_flow(flow: Float32Array, valid: BoolArray, short_side: int | None) -> tuple[Float32Array, BoolArray]:
    """Shrink a flow field; its values are scaled to pixels of the smaller image, each axis by its own ratio.

    Dense flow is interpolated bilinearly, as CMP's authors do. Flow with invalid pixels takes the nearest
    pixel, since interpolation would mix in the zeros that stand for "unknown".

    Args:
        flow: float32 [H, W, 2], pixels.
        valid: bool [H, W].
        short_side: as `target_size`.
    """
    height0, width0 = valid.shape
    height, width = target_size(height0, width0, short_side)
    if (height, width) == (height0, width0):
        return flow, valid
    method = cv2.INTER_LINEAR if valid.all() else cv2.INTER_NEAREST
    small = np.asarray(cv2.resize(flow, (width, height), interpolation=method), dtype=np.float32)
    small *= np.array([width / width0, height / height0], dtype=np.float32)
    kept = cv2.resize(valid.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
    return small, kept

"""How surely each pixel moves on its own: against a fitted background motion, or by uNLC's rule."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ssl_motion.data.sample import BoolArray, Float32Array
from ssl_motion.flow.background import BackgroundFit

SILENT = 2.0
"""Residual, in scales of the fit, up to which a pixel counts for background."""
SIGNIFICANT = 4.0
"""Residual in scales that is motion beyond doubt; saliency is 1 from between this and the fastest motion."""

# uNLC, as released (`nlc.py`); it works on frames of 100 x 100 pixels, here of 100 along the longer side.
_UNLC_SIDE = 100
_UNLC_STATIC_SPEED = 1.0
_UNLC_DIRECTIONS = 20
_UNLC_DOMINANT = 0.75
_UNLC_BOX = 5
_UNLC_BORDER = 0.125


@dataclass(frozen=True)
class Saliency:
    """What moves on its own.

    Attributes:
        map: float32 [H, W] in 0..1; meaningless where the flow is invalid.
        own: float32 [H, W, 2]: the motion itself, to compare pixels by; vectors of length 1 and more are salient.
        relative: whether 1 is only the most that the pair has, be it ever so little; else, 1 is motion beyond doubt.
    """

    map: Float32Array
    own: Float32Array
    relative: bool


def residual_saliency(flow_HW2: Float32Array, valid_HW: BoolArray, fit: BackgroundFit) -> Saliency:
    """Saliency of the flow's deviation from a background motion: 0 up to `SILENT` scales, then rising linearly to 1.

    It is 1 from the geometric mean of `SIGNIFICANT` scales and the 98th percentile of all deviations on. Alone, the
    former would take every parallax for an object; the latter, of a walking person, only the fastest limb.

    Args:
        flow_HW2: pixels.
        valid_HW: at least one is valid.
        fit: to that flow.
    """
    own = (flow_HW2 - fit.flow) / np.float32(fit.scale)
    length = np.hypot(own[..., 0], own[..., 1])
    fastest = float(np.percentile(length[valid_HW], 98))
    top = np.sqrt(SIGNIFICANT * max(fastest, SIGNIFICANT))
    rising = (length - SILENT) / (top - SILENT)
    return Saliency(np.clip(rising, 0, 1).astype(np.float32), (own / top).astype(np.float32), relative=False)


def unlc_saliency(flow_HW2: Float32Array, valid_HW: BoolArray) -> Saliency | None:
    """Saliency by uNLC's rule: deviation from no motion, or from the one direction that most of the motion has.

    As released: static where the median speed is below a pixel, with the squared speed as deviation; else a pan where
    one of 20 directions holds more than 0.75 of the motion, with the squared angle to it; else nothing. A box average
    follows, a border is blanked, and the largest deviation becomes 1. There, of all frames of a shot; here, of one.

    Args:
        flow_HW2: pixels.
        valid_HW: at least one is valid.

    Returns:
        None where the camera neither stands nor pans.
    """
    height, width = valid_HW.shape
    flow = flow_HW2 * np.float32(_UNLC_SIDE / max(height, width))
    speed = np.hypot(flow[..., 0], flow[..., 1])
    if float(np.median(speed[valid_HW])) < _UNLC_STATIC_SPEED:
        deviation: npt.NDArray[Any] = speed**2
    else:
        angle = np.arctan2(flow[..., 1], flow[..., 0])
        sector = 2 * np.pi / _UNLC_DIRECTIONS
        bins = np.minimum(((angle + np.pi) / sector).astype(np.int64), _UNLC_DIRECTIONS - 1)
        share = np.bincount(bins[valid_HW], speed[valid_HW], _UNLC_DIRECTIONS) / speed[valid_HW].sum()
        if share.max() <= _UNLC_DOMINANT:
            return None
        apart = angle - ((int(share.argmax()) + 0.5) * sector - np.pi)
        deviation = ((apart + np.pi) % (2 * np.pi) - np.pi) ** 2
    box = max(1, round(_UNLC_BOX * max(height, width) / _UNLC_SIDE))
    weight = cv2.blur(valid_HW.astype(np.float32), (box, box))
    smooth = cv2.blur(np.where(valid_HW, deviation, 0).astype(np.float32), (box, box)) / np.maximum(weight, 1e-6)
    rim = round(_UNLC_BORDER * min(height, width))
    inner = np.zeros_like(smooth)
    inner[rim : height - rim, rim : width - rim] = smooth[rim : height - rim, rim : width - rim]
    largest = float(inner[valid_HW].max())
    level = inner / largest if largest > 0 else inner
    fastest = max(float(np.percentile(speed[valid_HW], 98)), _UNLC_STATIC_SPEED)
    return Saliency(level.astype(np.float32), flow / np.float32(fastest), relative=True)

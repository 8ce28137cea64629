"""Which frame pairs are of no use: those across a cut, and those in which nothing moves.

Cut rule. Every frame is shrunk to 64 pixels on its long side. At a frame, the
*structure jump* is 1 - (2 cov(a, b) + c) / (var a + var b + c) of the blurred grey
thumbnails a, b of the frame before and the frame itself (c = 16 grey levels squared keeps
nearly flat pictures from counting), and the *colour jump* is half the L1 distance of their
8 x 8 x 8 colour histograms (0 = same colours, 1 = none in common). A cut lies before a frame
where either exceeds its threshold. Measured on fourteen real clips (1,401 frames, five true
cuts): cuts have a structure jump of 0.70 to 1.34; inside a shot the fastest motion reached
0.44, and the largest colour jump was 0.21. Dissolves and fades spread the jump over many frames and pass.

Still rule. A pair is still when fewer than a given share of its pixels move farther than a given distance.
"""

from typing import Annotated

import cv2
import numpy as np
from pydantic import Field

from ssl_motion.data.sample import BoolArray, Float32Array, UInt8Array
from ssl_motion.spec import Strict

THUMBNAIL_SIDE = 64
_FLAT_VARIANCE = 16.0
_BLUR = 1.5


class CutRule(Strict):
    """When two consecutive frames belong to different shots.

    Attributes:
        structure: largest structure jump inside a shot, 0 to 2; 2 switches this part off.
        colour: largest colour jump inside a shot, 0 to 1; 1 switches this part off.
    """

    structure: Annotated[float, Field(gt=0, le=2)] = 0.55
    colour: Annotated[float, Field(gt=0, le=1)] = 0.5


class StillRule(Strict):
    """When a pair shows no motion.

    Attributes:
        min_moving: a pair is still when a smaller share of its valid pixels moves; 0 keeps every pair.
        distance: how far a pixel must go to count as moving, in pixels of the stored image.
    """

    min_moving: Annotated[float, Field(ge=0, le=1)] = 0.005
    distance: Annotated[float, Field(gt=0)] = 1.0


def thumbnail_size(height: int, width: int) -> tuple[int, int]:
    """Return (height, width) of a frame's thumbnail: the long side is 64 pixels, the other in proportion."""
    scale = THUMBNAIL_SIDE / max(height, width)
    return max(2, round(height * scale)), max(2, round(width * scale))


class JumpMeter:
    """Measures how much the picture jumps from one thumbnail to the next."""

    def __init__(self) -> None:
        self._last: tuple[Float32Array, Float32Array] | None = None

    def __call__(self, thumbnail: UInt8Array) -> tuple[float, float]:
        """Take the next thumbnail, uint8 RGB [h, w, 3]; return (structure jump, colour jump) to the one before.

        The first thumbnail, and one of another size than the one before, give (0, 0).
        """
        now = _grey(thumbnail), _histogram(thumbnail)
        last, self._last = self._last, now
        if last is None or last[0].shape != now[0].shape:
            return 0.0, 0.0
        return _structure_jump(last[0], now[0]), 0.5 * float(np.abs(last[1] - now[1]).sum())


def _grey(thumbnail: UInt8Array) -> Float32Array:
    grey = cv2.cvtColor(thumbnail, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(grey, (0, 0), _BLUR), dtype=np.float32)


def _histogram(thumbnail: UInt8Array) -> Float32Array:
    level = (thumbnail >> 5).astype(np.int32)
    cell = (level[..., 0] * 64 + level[..., 1] * 8 + level[..., 2]).ravel()
    return (np.bincount(cell, minlength=512) / cell.size).astype(np.float32)


def _structure_jump(first: Float32Array, second: Float32Array) -> float:
    covariance = float(((first - first.mean()) * (second - second.mean())).mean())
    spread = float(first.var()) + float(second.var())
    return 1.0 - (2.0 * covariance + _FLAT_VARIANCE) / (spread + _FLAT_VARIANCE)


def moving_share(flow: Float32Array, valid: BoolArray, distance: float) -> float:
    """Return the share of the valid pixels whose flow (float32 [H, W, 2]) is longer than `distance` pixels.

    Where no pixel is valid, none moves: 0.
    """
    count = int(np.count_nonzero(valid))
    if not count:
        return 0.0
    squared = np.einsum("hwc,hwc->hw", flow, flow)
    return float(np.count_nonzero((squared > distance * distance) & valid)) / count


def is_still(flow: Float32Array, valid: BoolArray, rule: StillRule) -> bool:
    """Judge a pair by its flow (float32 [H, W, 2], pixels) and validity (bool [H, W])."""
    return moving_share(flow, valid, rule.distance) < rule.min_moving

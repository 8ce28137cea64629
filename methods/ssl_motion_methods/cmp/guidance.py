"""Guidance: the few flow vectors that CMP's network is told, sampled from the flow it has to predict.

Facts are those of the CMP paper (section 3.2) and, where it is silent, of its authors' code. All coordinates are
(x, y) in pixels.
"""

from typing import Annotated, Literal

import cv2
import numpy as np
from pydantic import Field, field_validator, model_validator

from ssl_motion.data.sample import BoolArray, Float32Array
from ssl_motion.errors import UsageError
from ssl_motion.spec import Strict
from ssl_motion_methods.cmp.thinning import thin_neighbours
from ssl_motion_methods.cmp.watershed import (
    PointArray,
    check_flow,
    check_kernel_size,
    edge_strength,
    local_maxima,
    search_step,
    watershed_keypoints,
)

__all__ = [
    "GuidanceConfig",
    "grid_points",
    "guidance_points",
    "sample_guidance",
    "watershed_keypoints",
]

Strategy = Literal["grid", "watershed", "uniform", "gradnms", "single", "specified", "full"]

# Least height of a peak of the "gradnms" score (a difference of two maps of maximum 1).
GRADNMS_LEAST = 0.1


class GuidanceConfig(Strict):
    """How guidance points are chosen; the defaults are the paper's for AlexNet at 384x384 (13.5 points on average).

    Attributes:
        strategies: their points are united; none at all is zero guidance.
            "grid": fixed positions, `grid_stride` apart.
            "watershed": middles of regions of even motion.
            "uniform": random positions, with replacement.
            "gradnms": beside motion edges (in the authors' code, used by none of their configurations).
            "single": one random pixel that moves; none where nothing moves.
            "specified": `points`.
            "full": the whole flow; everything else is ignored.
        kernel_size: window K of "watershed" and "gradnms" in pixels; odd.
        grid_stride: distance G of grid points in pixels.
        uniform_ratio: share of pixels that "uniform" takes.
        max_points: keep only so many of all points, chosen at random; None (or -1) for all, 0 for zero guidance.
        points: (x, y) for "specified".
    """

    strategies: list[Strategy] = ["grid", "watershed"]
    kernel_size: int = 81
    grid_stride: Annotated[int, Field(ge=1)] = 200
    uniform_ratio: Annotated[float, Field(ge=0, le=1)] = 2.5e-5
    max_points: Annotated[int, Field(ge=0)] | None = None
    points: list[tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]]] = []

    @field_validator("max_points", mode="before")
    @classmethod
    def _unlimited(cls, value: object) -> object:
        # The authors write "no limit" as -1; one meaning has one form, so that equal runs have equal identities.
        return None if value == -1 else value

    @field_validator("kernel_size")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value < 1 or value % 2 == 0:
            raise ValueError("K must be odd and positive")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> "GuidanceConfig":
        if ("specified" in self.strategies) != bool(self.points):
            raise ValueError('the strategy "specified" and a non-empty list of points go together')
        if len(set(self.strategies)) != len(self.strategies):
            raise ValueError("strategies holds one name twice")
        if "full" in self.strategies and self.max_points is not None:
            raise ValueError('the strategy "full" takes every pixel; max_points cannot limit it')
        return self


def grid_points(height: int, width: int, stride: int) -> PointArray:
    """Lay a fixed grid over an image; half of what does not fit lies before its first point.

    Returns:
        int64 [N, 2] of (x, y), sorted by row, then column.

    Raises:
        UsageError: A size or the stride is not positive.
    """
    if min(height, width, stride) < 1:
        raise UsageError(f"guidance grid: height {height}, width {width} and stride {stride} must be positive")
    rows = np.arange(height % stride // 2, height, stride)
    columns = np.arange(width % stride // 2, width, stride)
    return np.stack([np.tile(columns, len(rows)), np.repeat(rows, len(columns))], axis=1).astype(np.int64, copy=False)


def guidance_points(flow_HW2: Float32Array, rng: np.random.Generator, config: GuidanceConfig) -> PointArray:
    """Choose the guidance points of a flow.

    Args:
        flow_HW2: float32 [H, W, 2], pixels.
        rng: source of randomness; equal states give equal points.
        config: which points.

    Returns:
        int64 [N, 2] of (x, y), in no meaningful order. Where two strategies meet, a point is there twice, and counts
        twice against `max_points`, as in the authors' code.

    Raises:
        DataError: The flow has another shape, no pixels, or NaN or infinity in it.
        UsageError: A specified point lies outside the image.
    """
    check_flow(flow_HW2)
    height, width = flow_HW2.shape[:2]
    if "full" in config.strategies:
        return grid_points(height, width, 1)
    if config.max_points == 0:
        return np.empty((0, 2), dtype=np.int64)
    found = [_strategy_points(name, flow_HW2, rng, config) for name in config.strategies]
    points = np.concatenate([np.empty((0, 2), dtype=np.int64), *found])
    if config.max_points is not None and len(points) > config.max_points:
        points = rng.permutation(points)[: config.max_points]
    return points


PAPER = GuidanceConfig()


def sample_guidance(
    flow_HW2: Float32Array, rng: np.random.Generator, config: GuidanceConfig = PAPER
) -> tuple[Float32Array, BoolArray]:
    """Sample sparse guidance from a flow.

    Args:
        flow_HW2: float32 [H, W, 2], pixels.
        rng: source of randomness; equal states give equal guidance.
        config: which points; the paper's for AlexNet when left out.

    Returns:
        The flow at guidance points and zero elsewhere, float32 [H, W, 2], unclipped; and where guidance is, bool
        [H, W] (it tells "sampled, and zero" from "not sampled").

    Raises:
        DataError: The flow has another shape, no pixels, or NaN or infinity in it.
        UsageError: A specified point lies outside the image.
    """
    points = guidance_points(flow_HW2, rng, config)
    x, y = points[:, 0], points[:, 1]
    sparse = np.zeros(flow_HW2.shape, dtype=np.float32)
    mask = np.zeros(flow_HW2.shape[:2], dtype=np.bool_)
    sparse[y, x] = flow_HW2[y, x]
    mask[y, x] = True
    return sparse, mask


def _strategy_points(
    name: Strategy, flow_HW2: Float32Array, rng: np.random.Generator, config: GuidanceConfig
) -> PointArray:
    """Choose one strategy's points."""
    height, width = flow_HW2.shape[:2]
    if name == "grid":
        return grid_points(height, width, config.grid_stride)
    if name == "watershed":
        # Nearness, like K, is in searched pixels: the authors scale coordinates back at the very end.
        step = search_step(height, width)
        candidates = watershed_keypoints(flow_HW2, config.kernel_size)
        return thin_neighbours(candidates // step, config.kernel_size, rng) * step
    if name == "uniform":
        count = int(config.uniform_ratio * height * width)
        return np.stack([rng.integers(0, width, count), rng.integers(0, height, count)], axis=1)
    if name == "gradnms":
        return gradient_peaks(flow_HW2, config.kernel_size)
    if name == "single":
        moving = np.flatnonzero(flow_HW2.any(axis=2))
        chosen = rng.choice(moving, size=min(1, len(moving)))
        return np.stack([chosen % width, chosen // width], axis=1)
    assert name == "specified", name
    points = np.asarray(config.points, dtype=np.int64).reshape(-1, 2)
    outside = (points >= (width, height)).any(axis=1)
    if outside.any():
        x, y = points[outside][0]
        raise UsageError(f"guidance: point (x, y) = ({x}, {y}) is outside the flow, which is {width}x{height} (W x H)")
    return points


def gradient_peaks(flow_HW2: Float32Array, kernel_size: int) -> PointArray:
    """Find peaks beside motion edges: edge strength blurred by a box of W/20, less the same by half the box.

    Returns:
        int64 [N, 2] of (x, y), sorted by row, then column.

    Raises:
        UsageError: `kernel_size` is even or not positive.
        DataError: The flow has another shape, no pixels, or NaN or infinity in it.
    """
    check_kernel_size(kernel_size)
    check_flow(flow_HW2)
    strength = edge_strength(flow_HW2)
    if not strength.any():
        return np.empty((0, 2), dtype=np.int64)
    box = max(2, flow_HW2.shape[1] // 20)
    wide, narrow = (cv2.blur(strength, (side, side), borderType=cv2.BORDER_REFLECT) for side in (box, box // 2))
    score = (wide / wide.max() - narrow / narrow.max()).astype(np.float32)
    return local_maxima(score, kernel_size, above=GRADNMS_LEAST)

"""Kernel rows: to which pixels of an image a chosen one is alike, by its embedding and by its motion."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch

from ssl_motion.data.sample import Float32Array, FlowSample, UInt8Array
from ssl_motion.errors import UsageError
from ssl_motion.inspection.maps import FeatureMap, spread
from ssl_motion.inspection.pictures import Shown
from ssl_motion.propagation.guidance import Guidance
from ssl_motion.similarity import FlowKernel, embedding_kernel, flow_kernel, normalise_flow

_UNKNOWN = 160  # grey of pixels whose flow is not known

Point = tuple[float, float]
"""A pixel of an image: x to the right, y down, (0, 0) the centre of the upper left one."""


def embedding_row(features: FeatureMap, point: Point, size: tuple[int, int]) -> Float32Array:
    """Compute K_phi(p, q) of a pixel p and all pixels q, which take the features of their nearest cell.

    Args:
        features: of the image.
        point: p.
        size: (height, width) of the image.

    Returns:
        float32 [H, W], between -1/4 and 1/4.
    """
    cells_1CN = features.values.flatten(1)[None]
    own_11C = features.at(torch.tensor([point], dtype=torch.float32))[None]
    row = embedding_kernel(own_11C, cells_1CN.transpose(1, 2))[0, 0].reshape(features.values.shape[1:])
    return np.asarray(spread(row.numpy(), features.stride, size))


def flow_row(sample: FlowSample, point: Point, kernel: FlowKernel) -> Float32Array | None:
    """Compute K_f(p, q) of a pixel p and all pixels q.

    Args:
        sample: an image with its flow.
        point: p; the pixel that it falls on counts.
        kernel: which motions are alike.

    Returns:
        float32 [H, W] in (0, 1], NaN where the flow of q is not known; None where that of p is not.
    """
    column, row = nearest(point)
    if not sample.valid[row, column]:
        return None
    flow = normalise_flow(torch.from_numpy(sample.flow), kernel.saturation)
    values = flow_kernel(flow[row, column][None, None], flow.reshape(1, -1, 2), torch.tensor(kernel.sigma))
    return np.where(sample.valid, values.reshape(sample.size).numpy(), np.nan).astype(np.float32)


def nearest(point: Point) -> tuple[int, int]:
    """Column and row of the pixel that a point falls on."""
    return int(np.floor(point[0] + 0.5)), int(np.floor(point[1] + 0.5))


def chosen_points(shown: Shown, points: Sequence[Point]) -> list[tuple[Point, Point]]:
    """Return the pixels to look at, each in the original and in the resized image.

    Args:
        shown: the image.
        points: in pixels of the original; none for one: that which moves fastest, or the middle where no flow is known.

    Raises:
        UsageError: One lies outside the image.
    """
    if not points:
        return [_interesting(shown)]
    try:
        Guidance(stills=list(points)).checked(shown.original)
    except UsageError as error:
        raise UsageError(f"{shown.name}: {error}") from None
    return [(point, shown.inside(point)) for point in points]


def _interesting(shown: Shown) -> tuple[Point, Point]:
    rows, columns = shown.sample.size
    row, column = rows // 2, columns // 2
    if shown.sample.valid.any():
        speed = np.where(shown.sample.valid, np.linalg.norm(shown.sample.flow, axis=-1), -1)
        row, column = divmod(int(speed.argmax()), columns)
    inner = float(column), float(row)
    return shown.outside(inner), inner


def heat(values_HW: Float32Array, low: float, high: float) -> UInt8Array:
    """Draw values as colours, dark blue at `low` to yellow at `high` (viridis); NaN is grey."""
    share = np.clip((values_HW - low) / max(high - low, 1e-9), 0, 1)
    grey = (255 * np.nan_to_num(share)).round().astype(np.uint8)
    picture: UInt8Array = cv2.applyColorMap(grey, cv2.COLORMAP_VIRIDIS)[..., ::-1].copy()
    picture[np.isnan(values_HW)] = _UNKNOWN
    return picture

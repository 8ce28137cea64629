"""Watershed key-points: places in the middle of regions of even motion (CMP paper, section 3.2).

Edges of the flow -> distance to the nearest edge -> local maxima. The thresholds, which the paper does not
give, are the authors'. Points come out exactly as from their NumPy and SciPy code, several times faster.
"""

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ssl_motion.data.sample import BoolArray, Float32Array
from ssl_motion.errors import DataError, UsageError

Float64Array = npt.NDArray[np.float64]
PointArray = npt.NDArray[np.int64]

# Flows at least this long are searched on every d-th pixel, d = floor(longer side / SEARCH_SIDE).
SUBSAMPLE_FROM = 800
SEARCH_SIDE = 400
# An edge is stronger than this share of the strongest edge of the image ...
EDGE_SHARE = 0.1
# ... or of this strength, where the strongest is weaker still.
LEAST_STRENGTH = 0.01
# Up to this squared diagonal (512 x 512) OpenCV's distances are exact once squared and rounded; on one thread its error
# grows with the distance and passed a half at 799 x 799. Beyond, SciPy's slower exact transform is taken.
OPENCV_DIAGONAL_SQUARED = 2 * 512**2
# Pixels whose edge strength is computed at a time (128 KiB of float64).
BAND_PIXELS = 16384


def watershed_keypoints(flow_HW2: Float32Array, kernel_size: int) -> PointArray:
    """Find all key-points, before near neighbours are thinned at random.

    Args:
        flow_HW2: float32 [H, W, 2], pixels.
        kernel_size: side K of the window a point must be the maximum of; odd, in pixels.

    Returns:
        int64 [N, 2] of (x, y), sorted by row, then column. Equal maxima of one window all count. A flow without
        any edge has none.

    Raises:
        UsageError: `kernel_size` is even or not positive.
        DataError: The flow has another shape, no pixels, or NaN or infinity in it.
    """
    check_kernel_size(kernel_size)
    check_flow(flow_HW2)
    step = search_step(*flow_HW2.shape[:2])
    edges = flow_edges(edge_strength(flow_HW2[::step, ::step]))
    if not edges.any():
        return np.empty((0, 2), dtype=np.int64)
    return local_maxima(squared_distance(edges), kernel_size, above=0.0) * step


def search_step(height: int, width: int) -> int:
    """Return d: every d-th row and column of a flow is searched; 1 for flows of ordinary size."""
    longer = max(height, width)
    return longer // SEARCH_SIDE if longer >= SUBSAMPLE_FROM else 1


def edge_strength(flow_HW2: Float32Array) -> Float64Array:
    """Add up both components' Sobel magnitudes (3x3, unnormalised, mirrored at the borders): float64 [H, W]."""
    height, width = flow_HW2.shape[:2]
    strength = np.empty((height, width), dtype=np.float64)
    # Bands of rows keep the temporaries in the cache and in memory that the allocator holds on to: for a 384x384
    # flow, page faults of whole-image ones would take four times as long as the sums.
    band = max(8, BAND_PIXELS // width)
    for top in range(0, height, band):
        bottom = min(top + band, height)
        # One more row on either side, where there is one, so that only the image's own border is mirrored.
        above, below = max(0, top - 1), min(bottom + 1, height)
        for channel in range(2):
            # Channels apart are faster in OpenCV than interleaved. Sums of float32 values are exact in float64, so
            # that edges are the same whatever the order of summation.
            component = np.ascontiguousarray(flow_HW2[above:below, :, channel], dtype=np.float32)
            along_x = cv2.Sobel(component, cv2.CV_64F, 1, 0, ksize=3, borderType=cv2.BORDER_REFLECT)
            along_y = cv2.Sobel(component, cv2.CV_64F, 0, 1, ksize=3, borderType=cv2.BORDER_REFLECT)
            magnitude = cv2.magnitude(along_x, along_y)[top - above : bottom - above]
            if channel == 0:
                strength[top:bottom] = magnitude
            else:
                strength[top:bottom] += magnitude
    return strength


def flow_edges(strength_HW: Float64Array) -> BoolArray:
    """Threshold edge strength relative to the strongest edge of the image: bool [H, W]."""
    edges: BoolArray = strength_HW / max(float(strength_HW.max()), LEAST_STRENGTH) > EDGE_SHARE
    return edges


def squared_distance(edges_HW: BoolArray) -> Float32Array:
    """Return every pixel's squared Euclidean distance to the nearest edge pixel, exactly: whole numbers, float32.

    Args:
        edges_HW: bool [H, W], true somewhere; sides below `SUBSAMPLE_FROM` (float32 stays exact there).
    """
    height, width = edges_HW.shape
    if height**2 + width**2 <= OPENCV_DIAGONAL_SQUARED:
        far = np.logical_not(edges_HW).view(np.uint8)
        distance = cv2.distanceTransform(far, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    else:
        distance = ndimage.distance_transform_edt(np.logical_not(edges_HW))
    # The last bit of a distance may differ between equal ones, which would break ties; squares are whole numbers.
    squared: Float32Array = np.rint(distance * distance).astype(np.float32, copy=False)
    return squared


def local_maxima(score_HW: Float32Array, kernel_size: int, above: float) -> PointArray:
    """Find the pixels that are the maximum of the KxK window around them, off the image's outermost pixels.

    Args:
        score_HW: float32 [H, W].
        kernel_size: K, odd.
        above: keep only scores strictly above it.

    Returns:
        int64 [N, 2] of (x, y), sorted by row, then column.
    """
    # Beyond the border nothing counts, which is the same as mirroring: a mirrored window shows no further pixel.
    highest = cv2.dilate(score_HW, np.ones((kernel_size, kernel_size), dtype=np.uint8))
    inner = np.s_[1:-1, 1:-1]
    rows, columns = np.nonzero((score_HW[inner] == highest[inner]) & (score_HW[inner] > above))
    return np.stack([columns + 1, rows + 1], axis=1).astype(np.int64, copy=False)


def check_kernel_size(kernel_size: int) -> None:
    """Refuse a window that has no middle pixel.

    Raises:
        UsageError: `kernel_size` is even or not positive.
    """
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise UsageError(f"guidance: kernel_size (K) must be odd and positive, got {kernel_size}")


def check_flow(flow_HW2: Float32Array) -> None:
    """Refuse what is no flow field.

    Raises:
        DataError: The shape is not [H, W, 2], a side is zero, or a value is NaN or infinite.
    """
    if flow_HW2.ndim != 3 or flow_HW2.shape[2] != 2 or 0 in flow_HW2.shape:
        raise DataError(f"guidance: expected a flow of shape [H, W, 2], got {list(flow_HW2.shape)}")
    finite = np.isfinite(flow_HW2)
    if not finite.all():
        y, x, channel = np.argwhere(~finite)[0]
        raise DataError(
            f"guidance: flow holds {np.size(finite) - np.count_nonzero(finite)} NaN or infinite value(s), the first "
            f"in component {'uv'[channel]} at x={x}, y={y}; mark such pixels invalid and set them to zero"
        )

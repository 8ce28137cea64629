"""k-means of points in the plane, weighted, and the same to the bit wherever it runs.

Lloyd's iterations from k-means++ starts (D. Arthur, S. Vassilvitskii: "k-means++: The Advantages of Careful Seeding",
SODA 2007). Distances are computed element by element in float32, not by a matrix product, whose rounding would depend
on the library and its number of threads.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ssl_motion.data.sample import Float32Array, UInt8Array
from ssl_motion.errors import DataError

Float64Array = npt.NDArray[np.float64]

MAX_CLUSTERS = 255
"""So that labels, and one more for "unknown", fit in a byte."""

MAX_ITERATIONS = 100
LEAST_GAIN = 1e-5
"""Iterations end when the error falls by a smaller share than this."""

STEP = 2.0**-10
"""Points are rounded to whole multiples of this, so that different ones are never too near to be told apart."""

_BLOCK = 8192  # points at a time, so that temporaries stay in the cache


@dataclass(frozen=True)
class Clusters:
    """What k-means found.

    Attributes:
        centres: float32 [K, 2].
        weights: float64 [K], total weight of the points of each.
        error: mean squared distance of a point to its centre, by weight.
    """

    centres: Float32Array
    weights: Float64Array
    error: float


def nearest(points_N2: Float32Array, centres_K2: Float32Array) -> tuple[UInt8Array, Float32Array]:
    """Find every point's nearest centre; of several equally near ones, the first.

    Args:
        points_N2: float32 [N, 2].
        centres_K2: float32 [K, 2], K at most `MAX_CLUSTERS`.

    Returns:
        uint8 [N], its number, and float32 [N], the squared distance to it.
    """
    assert 0 < len(centres_K2) <= MAX_CLUSTERS, centres_K2.shape
    labels = np.zeros(len(points_N2), np.uint8)
    squares = np.full(len(points_N2), np.inf, np.float32)
    for start in range(0, len(points_N2), _BLOCK):
        block = slice(start, start + _BLOCK)
        u, v = np.ascontiguousarray(points_N2[block].T)
        label, least = labels[block], squares[block]
        along_u, along_v, nearer = np.empty_like(u), np.empty_like(v), np.empty(len(u), np.bool_)
        for number, (centre_u, centre_v) in enumerate(centres_K2):
            np.subtract(u, centre_u, out=along_u)
            np.subtract(v, centre_v, out=along_v)
            np.multiply(along_u, along_u, out=along_u)
            np.multiply(along_v, along_v, out=along_v)
            np.add(along_u, along_v, out=along_u)
            np.less(along_u, least, out=nearer)
            np.minimum(least, along_u, out=least)
            np.putmask(label, nearer, np.uint8(number))
    return labels, squares


def merge_equal(points_N2: Float32Array) -> tuple[Float32Array, Float64Array]:
    """Round points to `STEP` and merge equal ones: float32 [M, 2], and float64 [M], how many of each there were.

    Flow is stored in steps and mostly zero, so that few of many vectors are left; k-means finds the same in them.
    """
    # Adding zero turns -0 into 0, which has other bits.
    rounded = np.rint(points_N2 / np.float32(STEP)) * np.float32(STEP) + np.float32(0)
    packed = np.ascontiguousarray(rounded, np.float32).view(np.uint64).ravel()
    different, counts = np.unique(packed, return_counts=True)
    return different.view(np.float32).reshape(-1, 2), counts.astype(np.float64)


def kmeans(points_N2: Float32Array, clusters: int, rng: np.random.Generator, *, restarts: int) -> Clusters:
    """Find `clusters` centres, none of them empty; the best of several starts.

    Args:
        points_N2: float32 [N, 2], finite.
        clusters: how many, up to `MAX_CLUSTERS`.
        rng: draws the starts.
        restarts: how many are tried.

    Raises:
        DataError: There are fewer different points than clusters.
    """
    points, weights = merge_equal(points_N2)
    if len(points) < clusters:
        raise DataError(f"{clusters} clusters of only {len(points)} different points")
    found = [lloyd(points, weights, spread_start(points, weights, clusters, rng)) for _ in range(restarts)]
    return min(found, key=lambda each: each.error)


def spread_start(
    points_M2: Float32Array, weights_M: Float64Array, clusters: int, rng: np.random.Generator
) -> Float32Array:
    """Draw starting centres by k-means++: each with a probability as its squared distance to those before it."""
    chosen = np.empty(clusters, np.int64)
    squares = np.full(len(points_M2), np.inf, np.float32)
    for number in range(clusters):
        chance = weights_M * squares if number else weights_M
        steps = np.cumsum(chance, dtype=np.float64)
        place = int(np.searchsorted(steps, rng.random() * steps[-1], side="right"))
        # Rounding may put the draw on the very end, behind points without a chance.
        chosen[number] = min(place, int(np.flatnonzero(chance)[-1]))
        newest = points_M2[chosen[number] : chosen[number] + 1]
        squares = np.minimum(squares, nearest(points_M2, newest)[1])
    return points_M2[chosen]


def lloyd(points_M2: Float32Array, weights_M: Float64Array, start_K2: Float32Array) -> Clusters:
    """Move centres to the means of their points until that hardly helps.

    A centre that loses all its points starts again at the point that is farthest from its own centre.

    Args:
        points_M2: float32 [M, 2], all different, at least as many as centres.
        weights_M: float64 [M], positive.
        start_K2: float32 [K, 2].
    """
    centres, count, total = start_K2.astype(np.float32), len(start_K2), float(weights_M.sum())
    before = np.inf
    for _ in range(MAX_ITERATIONS):
        labels, squares = fill_empty(points_M2, centres)
        error = float((weights_M * squares).sum() / total)
        if error >= before * (1 - LEAST_GAIN):
            break
        before = error
        mass = np.bincount(labels, weights_M, count)
        sums = [np.bincount(labels, weights_M * part, count) for part in points_M2.T]
        centres = (np.stack(sums, axis=1) / mass[:, None]).astype(np.float32)
    labels, squares = fill_empty(points_M2, centres)
    weights = np.bincount(labels, weights_M, count).astype(np.float64)  # its stub says int, whatever the weights
    return Clusters(centres, weights, float((weights_M * squares).sum() / total))


def fill_empty(points_M2: Float32Array, centres_K2: Float32Array) -> tuple[UInt8Array, Float32Array]:
    """Assign points to centres as `nearest` does, after moving (in place) those that would have none."""
    while True:
        labels, squares = nearest(points_M2, centres_K2)
        empty = np.flatnonzero(np.bincount(labels, minlength=len(centres_K2)) == 0)
        if not empty.size:
            return labels, squares
        # One at a time: a second one might go to the neighbour of the first. The farthest point is off every centre,
        # since there are more different points than centres that have any.
        centres_K2[empty[0]] = points_M2[int(squares.argmax())]

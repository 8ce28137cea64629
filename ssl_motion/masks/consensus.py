"""Consensus voting: regions that are alike agree on whether they move (Faktor and Irani, BMVC 2014, as in uNLC)."""

import cv2
import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

NEIGHBOURS = 12
"""Regions that a region listens to, beside itself."""
ROUNDS = 50
SPREAD = 0.1
"""Weight of a region at distance d in the space of descriptors: exp(-d² / SPREAD) (uNLC's)."""
BLOB_SHARE = 0.6
"""A blob smaller than this share of the largest is no foreground (uNLC's)."""

_Float64Array = npt.NDArray[np.float64]
_Int64Array = npt.NDArray[np.int64]


def neighbour_weights(
    descriptors: _Float64Array, queries: _Float64Array, neighbours: int
) -> tuple[_Int64Array, _Float64Array]:
    """Find the most similar descriptors.

    Args:
        descriptors: [N, D].
        queries: [M, D].
        neighbours: at most so many.

    Returns:
        Their numbers, int64 [M, K], and weights [M, K] that sum to 1 in each row. K = min(neighbours, N).
    """
    count = min(neighbours, len(descriptors))
    distance, number = cKDTree(descriptors).query(queries, count)
    distance, number = distance.reshape(len(queries), count), number.reshape(len(queries), count)
    # Less the nearest's, so that a region far from all others still has weights to normalise.
    squared = distance**2 - distance[:, :1] ** 2
    weights = np.exp(-squared / SPREAD)
    return number.astype(np.int64), weights / weights.sum(axis=1, keepdims=True)


def vote(initial: _Float64Array, number: _Int64Array, weights: _Float64Array, peak: float) -> _Float64Array:
    """Let regions take the mean vote of those they listen to, `ROUNDS` times; the largest vote is kept at `peak`.

    Args:
        initial: [N] in 0..1.
        number: [N, K], whom each region listens to.
        weights: [N, K], rows sum to 1.
        peak: largest vote.

    Returns:
        [N], between 0 and `peak`; all zero where nobody votes.
    """
    votes = initial
    for _ in range(ROUNDS):
        votes = np.einsum("nk,nk->n", weights, votes[number])
        largest = float(votes.max(initial=0.0))
        if largest <= 0:
            break
        votes = votes * (peak / largest)
    return np.minimum(votes, peak)


def without_small_blobs(votes_HW: _Float64Array, threshold: float) -> _Float64Array:
    """Set blobs of votes from `threshold` on that are small beside the largest blob just below it (uNLC)."""
    count, labels, blobs, _ = cv2.connectedComponentsWithStats((votes_HW >= threshold).astype(np.uint8))
    areas = blobs[:, cv2.CC_STAT_AREA]
    if count <= 2:
        return votes_HW
    small = areas < BLOB_SHARE * areas[1:].max()
    small[0] = False
    return np.where(small[labels], np.nextafter(threshold, 0), votes_HW)

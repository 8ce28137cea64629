"""Of key-points that lie too close together, drop one by a coin flip (the authors' code; not in the paper)."""

import numpy as np

from ssl_motion_methods.cmp.watershed import PointArray, check_kernel_size


def thin_neighbours(points: PointArray, kernel_size: int, rng: np.random.Generator) -> PointArray:
    """Drop points until no two are closer than (K - 1) / 2 in both x and y.

    Pairs are taken in row-major order (by the first point's place in `points`, then the second's); of a pair whose
    points are both still there one is dropped by a coin flip.

    Args:
        points: int [N, 2] of (x, y), sorted by row, then column, as from `watershed_keypoints`.
        kernel_size: K, odd.
        rng: source of the coin flips; N of them are drawn, whatever is needed.

    Returns:
        The points that are left, in the same order.

    Raises:
        UsageError: `kernel_size` is even or not positive.
    """
    check_kernel_size(kernel_size)
    reach = (kernel_size - 1) // 2
    count = len(points)
    # Every flip drops a point, so fewer than N are ever needed.
    drop_first = iter((rng.integers(0, 2, size=count) == 1).tolist())
    xs: list[int] = points[:, 0].tolist()
    ys: list[int] = points[:, 1].tolist()
    # Points still there, as a linked list; -1 ends it. Dense crowds shrink fast, so walking what is left of the
    # next `reach` rows costs less than preparing a neighbour search.
    following = [*range(1, count), -1]
    kept = []
    current = 0 if count else -1
    while current >= 0:
        x, last_row = xs[current], ys[current] + reach
        previous, other = current, following[current]
        dropped = False
        while other >= 0 and ys[other] < last_row:
            if -reach < xs[other] - x < reach:
                if next(drop_first):
                    dropped = True
                    break
                following[previous] = following[other]
            else:
                previous = other
            other = following[other]
        if not dropped:
            kept.append(current)
        current = following[current]
    return points[kept]

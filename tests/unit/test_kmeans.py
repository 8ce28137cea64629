"""k-means of flow vectors: planted clusters, naive references, and what it promises for every input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_motion.errors import DataError
from ssl_motion.flow.kmeans import Clusters, fill_empty, kmeans, lloyd, merge_equal, nearest, spread_start

PLANTED = np.array([[0, 0], [20, 3], [-15, 8], [4, -25], [-30, -30], [60, 10], [2, 18]], np.float32)


def cloud(seed: int = 0, spread: float = 0.5) -> np.ndarray:
    """Points around PLANTED, of very different numbers: 2000, 400, 200, ..."""
    rng = np.random.default_rng(seed)
    counts = [2000, 400, 200, 100, 50, 25, 12]
    parts = [rng.normal(centre, spread, (count, 2)) for centre, count in zip(PLANTED, counts, strict=True)]
    return rng.permutation(np.concatenate(parts)).astype(np.float32)


def naive_error(points: np.ndarray, centres: np.ndarray) -> float:
    difference = points.astype(np.float64)[:, None] - centres.astype(np.float64)[None]
    return float((difference**2).sum(-1).min(1).mean())


def points_of(seed: int, count: int, kinds: int) -> np.ndarray:
    """Few different points, many times over, as flow in steps is."""
    rng = np.random.default_rng(seed)
    return rng.choice(rng.integers(-300, 300, (kinds, 2)) / 64, count).astype(np.float32)


@pytest.mark.parametrize("seed", range(5))
def test_planted_clusters_are_recovered(seed: int) -> None:
    found = kmeans(cloud(seed), len(PLANTED), np.random.default_rng(seed), restarts=3)
    distance = np.linalg.norm(found.centres[:, None] - PLANTED[None], axis=-1)
    match = distance.argmin(axis=0)
    assert sorted(match.tolist()) == list(range(len(PLANTED)))
    # The mean of n points is off by about spread / sqrt(n).
    assert distance.min(axis=0).max() < 0.5
    assert found.weights[match].tolist() == [2000, 400, 200, 100, 50, 25, 12]
    assert found.error == pytest.approx(2 * 0.5**2, rel=0.1)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 20_000), clusters=st.integers(1, 60))
def test_nearest_is_that_of_all_distances_in_float64(seed: int, count: int, clusters: int) -> None:
    rng = np.random.default_rng(seed)
    points = (rng.standard_normal((min(count, 300), 2)) * 20).astype(np.float32)
    points = np.tile(points, (-(-count // len(points)), 1))[:count]  # many blocks
    centres = (rng.standard_normal((clusters, 2)) * 20).astype(np.float32)
    squares = ((points.astype(np.float64)[:, None] - centres.astype(np.float64)[None]) ** 2).sum(-1)
    labels, least = nearest(points, centres)
    assert labels.dtype == np.uint8
    np.testing.assert_allclose(least, squares.min(1), rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(squares[np.arange(count), labels], squares.min(1), rtol=1e-5, atol=1e-8)


def test_the_first_of_equally_near_centres_is_taken() -> None:
    centres = np.array([[1, 0], [-1, 0], [0, 1], [1, 0]], np.float32)
    labels, squares = nearest(np.array([[0, 0], [2, 0], [0, -5]], np.float32), centres)
    assert labels.tolist() == [0, 0, 0]
    assert squares.tolist() == [1, 1, 26]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), kinds=st.integers(5, 200), clusters=st.integers(2, 40))
def test_no_cluster_is_empty_and_the_error_is_that_of_its_own_centres(seed: int, kinds: int, clusters: int) -> None:
    points = points_of(seed, 500, kinds)
    if len(np.unique(points, axis=0)) < clusters:
        with pytest.raises(DataError, match="different points"):
            kmeans(points, clusters, np.random.default_rng(0), restarts=1)
        return
    found = kmeans(points, clusters, np.random.default_rng(0), restarts=2)
    assert (found.weights > 0).all()
    assert found.weights.sum() == len(points)
    assert len(np.unique(found.centres, axis=0)) == clusters
    assert found.error == pytest.approx(naive_error(points, found.centres), rel=1e-3, abs=1e-6)


def test_as_many_clusters_as_points_leave_no_error() -> None:
    points = points_of(1, 400, 30)
    different = np.unique(points, axis=0)
    found = kmeans(points, len(different), np.random.default_rng(0), restarts=1)
    assert found.error == 0
    np.testing.assert_array_equal(np.unique(found.centres, axis=0), different)


def test_an_empty_cluster_starts_again_at_the_farthest_point() -> None:
    points = np.array([[0, 0], [1, 0], [2, 0], [50, 0], [0, 9]], np.float32)
    centres = np.array([[1, 0], [1, 0], [1, 0]], np.float32)  # the second and third get nothing
    labels, squares = fill_empty(points, centres)
    assert centres.tolist() == [[1, 0], [50, 0], [0, 9]]
    assert labels.tolist() == [0, 0, 0, 1, 2]
    assert squares.tolist() == [1, 0, 1, 0, 0]
    found = lloyd(points, np.ones(5), np.full((3, 2), 1000, np.float32))
    assert sorted(found.centres.tolist()) == [[0, 9], [1, 0], [50, 0]]


def test_iterations_never_raise_the_error() -> None:
    points, weights = merge_equal(cloud(3, spread=6))
    start = spread_start(points, weights, 20, np.random.default_rng(0))
    assert lloyd(points, weights, start).error <= naive_error(np.repeat(points, weights.astype(int), axis=0), start)


def test_more_starts_never_find_worse() -> None:
    points = cloud(4, spread=8)
    errors = [kmeans(points, 12, np.random.default_rng(0), restarts=count).error for count in (1, 3, 8)]
    assert errors == sorted(errors, reverse=True)


def test_weights_mean_the_same_as_repetition() -> None:
    points = points_of(7, 3000, 80)
    different, weights = merge_equal(points)
    assert len(different) == len(np.unique(points, axis=0)) < 81
    assert weights.sum() == len(points)
    start = spread_start(different, weights, 9, np.random.default_rng(1))
    merged, repeated = lloyd(different, weights, start), lloyd(points, np.ones(len(points)), start)
    np.testing.assert_allclose(merged.centres, repeated.centres, atol=1e-4)
    assert merged.error == pytest.approx(repeated.error, rel=1e-5)


def test_starts_favour_what_is_far_and_never_repeat() -> None:
    points, weights = merge_equal(cloud(0))
    hits = 0
    for seed in range(20):
        start = spread_start(points, weights, len(PLANTED), np.random.default_rng(seed))
        assert len(np.unique(start, axis=0)) == len(start)
        hits += len(set(np.linalg.norm(start[:, None] - PLANTED[None], axis=-1).argmin(1).tolist()))
    # Starts drawn evenly from all points (7 of 2787, most around zero) would hit about 3 of the 7 clusters.
    assert hits / 20 > 6


def test_minus_zero_is_zero() -> None:
    different, weights = merge_equal(np.array([[0.0, -0.0], [-0.0, 0.0], [0, 0]], np.float32))
    assert different.tolist() == [[0, 0]]
    assert weights.tolist() == [3]


def test_the_result_says_what_it_holds() -> None:
    found = kmeans(cloud(), 7, np.random.default_rng(0), restarts=1)
    assert isinstance(found, Clusters)
    assert (found.centres.dtype, found.weights.dtype) == (np.float32, np.float64)

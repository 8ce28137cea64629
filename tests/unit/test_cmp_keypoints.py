"""CMP's key-points: watershed, distances, edges and thinning, against plain references."""

import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import ndimage

from ssl_motion.errors import UsageError
from ssl_motion_methods.cmp.guidance import GuidanceConfig, guidance_points, watershed_keypoints
from ssl_motion_methods.cmp.thinning import thin_neighbours
from ssl_motion_methods.cmp.watershed import edge_strength, flow_edges, squared_distance

TESTS = Path(__file__).resolve().parents[1]
REFERENCE = runpy.run_path(str(TESTS / "cmp_reference.py"))
flows = runpy.run_path(str(TESTS / "cmp_guidance_flows.py"))["flows"]
FIXTURE = TESTS / "fixtures" / "cmp_guidance.npz"


def rng(seed=0):
    return np.random.default_rng(seed)


@settings(max_examples=300, deadline=None)
@given(flow=flows(), kernel_size=st.sampled_from([1, 3, 5, 15, 41, 81]))
def test_keypoints_are_those_of_a_plain_reference(flow, kernel_size):
    np.testing.assert_array_equal(watershed_keypoints(flow, kernel_size), REFERENCE["candidates"](flow, kernel_size))


@pytest.mark.parametrize("shape", [(384, 384), (240, 427)])
@pytest.mark.parametrize("make", ["pieces_flow", "collapsed_flow"])
def test_keypoints_at_training_size(make, shape):
    flow = REFERENCE[make](*shape, 3)
    for kernel_size in (15, 81):
        np.testing.assert_array_equal(
            watershed_keypoints(flow, kernel_size), REFERENCE["candidates"](flow, kernel_size)
        )


@pytest.mark.parametrize("shape", [(799, 40), (800, 60), (90, 1250)])
def test_large_flows_are_searched_on_fewer_pixels(shape):
    flow = REFERENCE["pieces_flow"](*shape, 1)
    points = watershed_keypoints(flow, 15)
    assert len(points) > 0
    np.testing.assert_array_equal(points, REFERENCE["candidates"](flow, 15))
    step = {799: 1, 800: 2, 1250: 3}[max(shape)]
    assert (points % step == 0).all()
    final = guidance_points(flow, rng(), GuidanceConfig(strategies=["watershed"], kernel_size=15))
    assert {tuple(p) for p in final.tolist()} <= {tuple(p) for p in points.tolist()}
    assert not _near_pairs(final, 7 * step)


def test_nearness_on_large_flows_is_that_of_searched_pixels():
    flow = REFERENCE["collapsed_flow"](800, 90, 2)
    config = GuidanceConfig(strategies=["watershed"], kernel_size=15)
    candidates = REFERENCE["candidates"](flow, 15)
    kept = REFERENCE["thin"](candidates // 2, 15, rng(3).integers(0, 2, size=len(candidates))) * 2
    np.testing.assert_array_equal(guidance_points(flow, rng(3), config), kept)
    assert not _near_pairs(kept, 14)
    assert _near_pairs(REFERENCE["thin"](candidates, 15, rng(3).integers(0, 2, size=len(candidates))), 14)


@given(shape=st.tuples(st.integers(1, 60), st.integers(1, 60)), edges=st.integers(1, 30), seed=st.integers(0, 2**32))
def test_squared_distances_are_exact(shape, edges, seed):
    mask = np.zeros(shape, dtype=bool)
    mask.flat[rng(seed).integers(0, mask.size, edges)] = True
    expected = np.rint(ndimage.distance_transform_edt(~mask) ** 2)
    np.testing.assert_array_equal(squared_distance(mask), expected)


@pytest.fixture(params=[1, 2])
def opencv_threads(request):
    """OpenCV computes distances differently on one thread, as loader workers use, than on several."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(request.param)
    yield
    cv2.setNumThreads(before)


@pytest.mark.usefixtures("opencv_threads")
@pytest.mark.parametrize("shape", [(799, 799), (600, 600), (512, 512), (511, 513), (2, 799), (799, 3)])
@pytest.mark.parametrize("corner", [(0, -1), (0, 0), (-1, 0), (-1, -1)])
def test_squared_distances_are_exact_up_to_the_largest_flow(shape, corner):
    mask = np.zeros(shape, dtype=bool)
    mask[corner] = True
    y, x = np.ogrid[: shape[0], : shape[1]]
    row, column = (place % side for place, side in zip(corner, shape, strict=True))
    np.testing.assert_array_equal(squared_distance(mask), (y - row) ** 2 + (x - column) ** 2)


def test_an_edge_is_stronger_than_a_tenth_of_the_strongest():
    flow = np.zeros((12, 40, 2), dtype=np.float32)
    flow[:, 10:, 0] += 10
    flow[:, 20:, 1] += 1
    flow[:, 30:, 1] += 1.5
    edges = flow_edges(edge_strength(flow))
    assert sorted(set(np.nonzero(edges)[1].tolist())) == [9, 10, 29, 30]
    faint = np.zeros((12, 40, 2), dtype=np.float32)
    faint[:, 20:] = 0.0001
    assert not flow_edges(edge_strength(faint)).any()


def test_keypoints_as_recorded():
    recorded = np.load(FIXTURE)
    checked = 0
    for key in recorded:
        name, _, rest = key.partition("/")
        if rest.endswith("candidates_xy"):
            flow = recorded[f"{name}/flow_64ths"].astype(np.float32) / 64
            np.testing.assert_array_equal(watershed_keypoints(flow, int(rest[1:].split("/")[0])), recorded[key])
            checked += 1
    assert checked == 9


def test_flow_without_edges_has_no_keypoint():
    for flow in (np.zeros((40, 50, 2)), np.full((40, 50, 2), 3.25), np.full((1, 1, 2), 7.0)):
        assert watershed_keypoints(flow.astype(np.float32), 15).shape == (0, 2)


@given(
    points=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=60, unique=True),
    kernel_size=st.sampled_from([1, 3, 7, 15, 41]),
    seed=st.integers(0, 1000),
)
def test_thinning_is_that_of_the_full_matrix_of_pairs(points, kernel_size, seed):
    candidates = np.array(sorted(points, key=lambda p: (p[1], p[0])), dtype=np.int64).reshape(-1, 2)
    flips = rng(seed).integers(0, 2, size=len(candidates))
    kept = thin_neighbours(candidates, kernel_size, rng(seed))
    np.testing.assert_array_equal(kept, REFERENCE["thin"](candidates, kernel_size, flips))
    assert not _near_pairs(kept, (kernel_size - 1) // 2)


def _near_pairs(points, reach):
    near = (np.abs(points[:, None] - points[None]) < reach).all(axis=2)
    return np.argwhere(np.triu(near, 1)).tolist()


def test_either_of_two_near_points_stays_equally_often():
    pair = np.array([[10, 10], [12, 11]])
    first = sum(thin_neighbours(pair, 15, rng(seed)).tolist() == [[10, 10]] for seed in range(400))
    assert 160 <= first <= 240  # four standard deviations


def test_neighbours_must_be_near_in_both_axes_and_strictly():
    for far in ([[10, 10], [17, 10]], [[10, 10], [10, 17]], [[10, 10], [16, 17]]):
        assert len(thin_neighbours(np.array(far), 15, rng())) == 2
    for near in ([[10, 10], [16, 10]], [[16, 10], [10, 16]]):
        assert len(thin_neighbours(np.array(near), 15, rng())) == 1


def test_even_windows_are_refused():
    with pytest.raises(UsageError, match=r"odd.*80"):
        watershed_keypoints(np.zeros((9, 9, 2), dtype=np.float32), 80)
    with pytest.raises(ValidationError, match="odd"):
        GuidanceConfig(kernel_size=80)

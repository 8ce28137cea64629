import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import ndimage

from ssl_motion.errors import DataError, UsageError
from ssl_motion_methods.cmp.guidance import (
    GuidanceConfig,
    gradient_peaks,
    grid_points,
    guidance_points,
    sample_guidance,
    watershed_keypoints,
)
from ssl_motion_methods.cmp.thinning import thin_neighbours
from ssl_motion_methods.cmp.watershed import edge_strength, flow_edges, squared_distance

TESTS = Path(__file__).resolve().parents[1]
REFERENCE = runpy.run_path(str(TESTS / "cmp_reference.py"))
FIXTURE = TESTS / "fixtures" / "cmp_guidance.npz"


def rng(seed=0):
    return np.random.default_rng(seed)


@st.composite
def flows(draw):
    height, width = draw(st.integers(1, 48)), draw(st.integers(1, 48))
    source = rng(draw(st.integers(0, 2**32)))
    kind = draw(st.sampled_from(["pieces", "blocks", "noise", "collapsed", "jpeg", "sparse", "still"]))
    if kind == "pieces":
        return REFERENCE["pieces_flow"](height, width, source.integers(1000))
    if kind == "blocks":  # whole numbers: many exact ties, of distances and at the edge threshold
        coarse = source.integers(-12, 13, (height // 9 + 1, width // 9 + 1, 2))
        return np.kron(coarse, np.ones((9, 9, 1)))[:height, :width].astype(np.float32)
    if kind == "noise":
        return source.normal(0, 5, (height, width, 2)).astype(np.float32)
    if kind == "collapsed":
        return REFERENCE["collapsed_flow"](height, width, source.integers(1000), sigma=2)
    if kind == "jpeg":
        pieces = REFERENCE["pieces_flow"](height, width, source.integers(1000))
        return (np.rint((pieces + 50) * 2.55) / 255 * 100 - 50).astype(np.float32)
    if kind == "sparse":
        return ((source.random((height, width, 2)) < 0.02) * source.integers(1, 9)).astype(np.float32)
    return np.full((height, width, 2), source.normal(), dtype=np.float32)


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


@pytest.mark.parametrize(
    ("size", "stride", "positions"),
    [
        (384, 200, [92, 292]),
        (384, 80, [32, 112, 192, 272, 352]),
        (320, 165, [77, 242]),
        (320, 80, [0, 80, 160, 240]),
        (256, 133, [61, 194]),
        (384, 131, [61, 192, 323]),
    ],
)
def test_grid_is_the_authors(size, stride, positions):
    assert grid_points(size, size, stride).tolist() == [[x, y] for y in positions for x in positions]


def test_grid_of_unequal_sides_and_of_a_stride_above_them():
    assert grid_points(100, 250, 100).tolist() == [[25, 0], [125, 0], [225, 0]]
    assert grid_points(30, 50, 200).tolist() == [[25, 15]]
    with pytest.raises(UsageError, match="stride 0"):
        grid_points(30, 50, 0)


@settings(max_examples=60, deadline=None)
@given(
    flow=flows(),
    kernel_size=st.sampled_from([3, 15]),
    cap=st.sampled_from([None, 0, 1, 7]),
    names=st.sets(st.sampled_from(["grid", "watershed", "uniform", "gradnms", "single"])),
    seed=st.integers(0, 99),
)
def test_guidance_is_the_flow_at_its_points(flow, kernel_size, cap, names, seed):
    config = GuidanceConfig(
        strategies=sorted(names), kernel_size=kernel_size, grid_stride=8, uniform_ratio=0.01, max_points=cap
    )
    points = guidance_points(flow, rng(seed), config)
    sparse, mask = sample_guidance(flow, rng(seed), config)
    assert points.dtype == np.int64
    assert (sparse.dtype, mask.dtype) == (np.float32, np.bool_)
    assert cap is None or len(points) <= cap
    assert {tuple(p) for p in points.tolist()} == {tuple(p) for p in np.argwhere(mask)[:, ::-1].tolist()}
    np.testing.assert_array_equal(sparse, np.where(mask[..., None], flow, 0))


def test_cap_draws_from_all_points_alike():
    flow = REFERENCE["pieces_flow"](96, 96, 0)
    config = GuidanceConfig(kernel_size=15, grid_stride=32)
    everything = {tuple(p) for p in guidance_points(flow, rng(), config).tolist()}
    capped = config.model_copy(update={"max_points": 4})
    draws = [{tuple(p) for p in guidance_points(flow, rng(seed), capped).tolist()} for seed in range(200)]
    assert all(len(draw) == 4 for draw in draws)
    seen = set().union(*draws)
    assert {(0, 0), (32, 64), (64, 64)} <= seen  # grid points too can stay
    assert not all((32, 64) in draw for draw in draws)  # and can go
    assert seen >= everything


def test_zero_guidance_has_two_spellings():
    flow = REFERENCE["pieces_flow"](64, 64, 0)
    for config in (GuidanceConfig(max_points=0), GuidanceConfig(strategies=[])):
        sparse, mask = sample_guidance(flow, rng(), config)
        assert not sparse.any()
        assert not mask.any()


def test_full_guidance_is_everything():
    flow = REFERENCE["pieces_flow"](20, 30, 0)
    sparse, mask = sample_guidance(flow, rng(), GuidanceConfig(strategies=["full", "grid"]))
    assert mask.all()
    np.testing.assert_array_equal(sparse, flow)


def test_uniform_single_and_specified():
    flow = np.zeros((50, 40, 2), dtype=np.float32)
    assert len(guidance_points(flow, rng(), GuidanceConfig(strategies=["uniform"], uniform_ratio=0.0121))) == 24
    assert len(guidance_points(flow, rng(), GuidanceConfig(strategies=["single"]))) == 0
    flow[7, 3, 1] = flow[9, 5, 0] = 2
    single = [guidance_points(flow, rng(s), GuidanceConfig(strategies=["single"])).tolist() for s in range(30)]
    assert sorted({tuple(points[0]) for points in single}) == [(3, 7), (5, 9)]
    specified = GuidanceConfig(strategies=["specified"], points=[(3, 7), (39, 49)])
    sparse, mask = sample_guidance(flow, rng(), specified)
    assert sparse[7, 3].tolist() == [0, 2]
    assert mask.sum() == 2
    with pytest.raises(UsageError, match=r"\(40, 2\).*40x50"):
        guidance_points(flow, rng(), GuidanceConfig(strategies=["specified"], points=[(40, 2)]))


def test_gradient_peaks_lie_beside_edges():
    flow = np.zeros((100, 200, 2), dtype=np.float32)
    assert gradient_peaks(flow, 15).shape == (0, 2)
    flow[:, 100:, 0] = 10
    points = gradient_peaks(flow, 15)
    assert len(points) > 0
    assert (np.abs(points[:, 0] - 99.5) < 12).all()


def test_even_windows_are_refused():
    with pytest.raises(UsageError, match=r"odd.*80"):
        watershed_keypoints(np.zeros((9, 9, 2), dtype=np.float32), 80)
    with pytest.raises(ValidationError, match="odd"):
        GuidanceConfig(kernel_size=80)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_flow_that_is_no_number_is_refused(value):
    flow = np.zeros((9, 12, 2), dtype=np.float32)
    flow[4, 7, 1] = value
    for strategies in (["grid"], ["watershed"], ["full"], []):
        with pytest.raises(DataError, match=r"1 NaN or infinite.*component v at x=7, y=4"):
            sample_guidance(flow, rng(), GuidanceConfig(strategies=strategies))
    with pytest.raises(DataError, match="x=7, y=4"):
        watershed_keypoints(flow, 3)


@pytest.mark.parametrize("shape", [(9, 12), (9, 12, 3), (2, 9, 12), (0, 12, 2)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(DataError, match=r"\[H, W, 2\]"):
        sample_guidance(np.zeros(shape, dtype=np.float32), rng(), GuidanceConfig())


@pytest.mark.parametrize(
    "content",
    [
        {"strategies": ["specified"]},
        {"points": [(1, 2)]},
        {"strategies": ["grid", "grid"]},
        {"strategies": ["full"], "max_points": 5},
        {"strategies": ["sometimes"]},
        {"max_points": -2},
        {"grid_stride": 0},
        {"uniform_ratio": 1.5},
        {"windows": 3},
    ],
)
def test_contradictory_settings_are_refused(content):
    with pytest.raises(ValidationError):
        GuidanceConfig(**content)


def test_no_limit_has_one_form():
    assert GuidanceConfig(max_points=-1) == GuidanceConfig(max_points=None) == GuidanceConfig()

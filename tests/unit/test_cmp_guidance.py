"""CMP's guidance: the authors' grid, every strategy, the cap, and what is refused."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ssl_motion.errors import DataError, UsageError
from ssl_motion_methods.cmp.guidance import (
    GuidanceConfig,
    gradient_peaks,
    grid_points,
    guidance_points,
    sample_guidance,
    watershed_keypoints,
)

TESTS = Path(__file__).resolve().parents[1]
REFERENCE = runpy.run_path(str(TESTS / "cmp_reference.py"))
flows = runpy.run_path(str(TESTS / "cmp_guidance_flows.py"))["flows"]


def rng(seed=0):
    return np.random.default_rng(seed)


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

"""Joint augmentation: flow, validity and image stay true to each other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssl_motion.data.augment import augment, crop, flip, pad_to, resize, resize_short_side
from ssl_motion.data.sample import UNKNOWN_LABEL, FlowSample
from ssl_motion.seeding import generator
from ssl_motion.spec import DataSpec


def random_sample(height: int, width: int, seed: int = 0, holes: bool = True) -> FlowSample:
    rng = np.random.default_rng(seed)
    valid = rng.random((height, width)) > 0.2 if holes else np.ones((height, width), bool)
    flow = rng.normal(0, 5, (height, width, 2)).astype(np.float32)
    flow[~valid] = 0
    return FlowSample(rng.integers(0, 256, (height, width, 3), dtype=np.uint8), flow, valid, "clip", 3, 2)


def affine_sample(height: int, width: int, matrix: np.ndarray) -> FlowSample:
    """A sample whose flow is affine in the position of pixel centres relative to the image's corner."""
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    flow = (np.stack([x, y, np.ones_like(x)], -1) @ matrix.T).astype(np.float32)
    image = np.zeros((height, width, 3), np.uint8)
    return FlowSample(image, flow, np.ones((height, width), bool), "clip", 0, 1)


def same(a: FlowSample, b: FlowSample) -> bool:
    pairs = ((a.image, b.image), (a.flow, b.flow), (a.valid, b.valid))
    return all(np.array_equal(left, right) for left, right in pairs) and (a.clip, a.frame) == (b.clip, b.frame)


sides = st.integers(17, 60)


@given(sides, sides, st.integers(0, 99))
def test_flipping_twice_changes_nothing(height: int, width: int, seed: int) -> None:
    sample = random_sample(height, width, seed)
    once = flip(sample)
    assert same(flip(once), sample)
    assert np.array_equal(once.flow[:, 0, 1], sample.flow[:, -1, 1])
    assert np.array_equal(once.flow[:, 0, 0], -sample.flow[:, -1, 0])


@given(st.sampled_from([(64, 96), (96, 64), (60, 60)]), st.sampled_from([2.0, 1.5, 0.5, 1.25]), st.integers(0, 99))
def test_a_resized_affine_field_is_the_field_on_the_new_grid(size: tuple[int, int], scale: float, seed: int) -> None:
    """Where a point moves does not depend on the resolution: p' = s p moves by s flow(p)."""
    matrix = np.random.default_rng(seed).normal(0, 0.05, (2, 3)) * [1, 1, 60]
    height, width = size
    resized = resize_short_side(affine_sample(height, width, matrix), int(min(size) * scale))
    new = resized.size
    assert new == (int(height * scale), int(width * scale))
    # In coordinates of the new grid the linear part is the same and the constant part is scaled.
    expected = affine_sample(*new, np.column_stack([matrix[:, :2], matrix[:, 2] * scale])).flow
    inner = (slice(2, -2), slice(2, -2))  # bilinear interpolation has nothing to go by beyond the border
    assert np.abs(resized.flow[inner] - expected[inner]).max() < 2e-3


def test_long_side_is_truncated_and_one_ratio_scales_both_components() -> None:
    sample = random_sample(30, 50, holes=False)
    sample.flow[:] = (3.0, -2.0)
    resized = resize_short_side(sample, 17)
    assert resized.size == (17, 28)  # 50 * 17 / 30 = 28.33
    assert np.allclose(resized.flow, np.array([3.0, -2.0]) * 17 / 30, atol=1e-6)
    assert resize_short_side(sample, 30) is sample


def test_resizing_spreads_no_unknown_flow() -> None:
    sample = random_sample(40, 40, holes=False)
    sample.flow[:] = (4.0, 0.0)
    sample.valid[10:20, 10:20] = False
    sample.flow[10:20, 10:20] = 0.0
    for side in (20, 63, 80):
        resized = resize_short_side(sample, side)
        assert 0.03 < (~resized.valid).mean() < 0.15
        assert np.allclose(resized.flow[resized.valid], [4.0 * side / 40, 0.0], atol=1e-2)
        assert (resized.flow[~resized.valid] == 0).all()


@given(sides, sides, st.integers(16, 40), st.integers(0, 99))
def test_augmented_content_is_found_in_the_original(height: int, width: int, side: int, seed: int) -> None:
    """Without resizing, an augmented sample is a window of the padded original, possibly mirrored."""
    sample = random_sample(height, width, seed)
    spec = DataSpec(shards=["x"], crop=side, flip=True)
    result = augment(sample, spec, np.random.default_rng(seed))
    assert result.size == (side, side)
    assert result.image.flags.c_contiguous
    assert result.flow.flags.c_contiguous
    padded = pad_to(sample, side)
    assert not padded.valid.all() or same(padded, sample) or sample.valid.all()
    windows = (
        crop(padded, top, left, side, side)
        for top in range(padded.size[0] - side + 1)
        for left in range(padded.size[1] - side + 1)
    )
    assert any(same(window, result) or same(flip(window), result) for window in windows)


def test_padding_is_central_black_and_invalid() -> None:
    sample = random_sample(20, 31, holes=False)
    padded = pad_to(sample, 25)
    assert padded.size == (25, 31)
    assert same(crop(padded, 2, 0, 20, 31), sample)
    outside = np.r_[0:2, 22:25]
    assert not padded.image[outside].any()
    assert not padded.flow[outside].any()
    assert not padded.valid[outside].any()


def test_validation_takes_the_middle_and_never_flips() -> None:
    sample = random_sample(40, 50)
    result = augment(sample, DataSpec(shards=["x"], crop=20, flip=True), None)
    assert same(result, crop(sample, 10, 15, 20, 20))


def test_every_offset_and_both_sides_occur() -> None:
    sample = random_sample(18, 16)
    spec = DataSpec(shards=["x"], crop=16, flip=True)
    seen = {augment(sample, spec, np.random.default_rng(seed)).image.tobytes() for seed in range(100)}
    assert len(seen) == 3 * 2


@pytest.mark.parametrize("short_side", [16, 33])
def test_no_randomness_is_used_where_nothing_is_random(short_side: int) -> None:
    rng = np.random.default_rng(0)
    augment(random_sample(40, 50), DataSpec(shards=["x"], short_side=short_side), rng)
    assert rng.bit_generator.state == np.random.default_rng(0).bit_generator.state


def test_layers_move_with_the_image() -> None:
    """A layer that marks bright pixels marks them still after every geometric step."""
    image = np.zeros((40, 60, 3), np.uint8)
    image[8:24, 12:30] = 200
    layer = (image[..., 0] > 100).astype(np.uint8)
    sample = FlowSample(image, np.zeros((40, 60, 2), np.float32), np.ones((40, 60), bool), "clip", 0, 1, {"m": layer})
    spec = DataSpec(shards=["x"], short_side=80, crop=90, flip=True)
    for number in range(10):
        moved = augment(sample, spec, generator(0, "layers", number)).checked()
        marks, known = moved.layers["m"] == 1, moved.layers["m"] != UNKNOWN_LABEL
        assert np.array_equal(known, moved.valid)
        assert (marks != (moved.image[..., 0] > 100)).sum() <= 200  # a pixel's width along an edge of 100 or so
        assert marks.sum() > 500


@given(before=st.integers(2, 40), after=st.integers(2, 40))
def test_a_resized_layer_takes_the_pixel_under_its_centre(before: int, after: int) -> None:
    # Any other rule shifts labels against their image, which is resized about the same centre.
    layer = np.tile(np.arange(before, dtype=np.uint8), (before, 1))
    sample = FlowSample(
        image=np.zeros((before, before, 3), np.uint8),
        flow=np.zeros((before, before, 2), np.float32),
        valid=np.ones((before, before), np.bool_),
        clip="clip",
        frame=0,
        gap=1,
        layers={"masks": layer},
    )
    resized = resize(sample, after, after).layers["masks"]
    centres = (np.arange(after) + 0.5) * before / after
    on_an_edge = np.isclose(centres, np.round(centres))
    assert np.array_equal(resized[0][~on_an_edge], np.floor(centres).astype(np.uint8)[~on_an_edge])
    assert np.array_equal(resized, np.tile(resized[0], (after, 1)))

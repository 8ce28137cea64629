"""Masks: votes, trimap, what is dropped and why, invalid flow, invariances, and the steps one by one."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ssl_motion.data.sample import UNKNOWN_LABEL, FlowSample
from ssl_motion.errors import DataError
from ssl_motion.flow.background import fit_background
from ssl_motion.masks import MaskSettings, make_mask, motion_votes
from ssl_motion.masks.consensus import neighbour_weights, vote, without_small_blobs
from ssl_motion.masks.regions import find_regions
from ssl_motion.masks.saliency import residual_saliency, unlc_saliency

SIDE = 96
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE].astype(np.float64)
CAMERA = np.stack([2 - 0.05 * (ROWS - 48) + 0.03 * (COLUMNS - 48), -1 + 0.05 * (COLUMNS - 48)], axis=-1)


def scene(inside: np.ndarray, motion: tuple[float, float] = (4, 2)) -> FlowSample:
    """A grey object on a darker ground; it moves on its own beside a turning, zooming camera."""
    flow = CAMERA.copy()
    flow[inside] += motion
    image = np.where(inside[..., None], 150, 90) * np.ones((1, 1, 3))
    return FlowSample(image.astype(np.uint8), flow.astype(np.float32), np.ones((SIDE, SIDE), bool), "clip7", 3, 1)


def disc(radius: float, x: float = 48, y: float = 48) -> np.ndarray:
    return np.asarray(np.hypot(COLUMNS - x, ROWS - y) < radius)


def crowd(inside: np.ndarray) -> FlowSample:
    """Blocks of 8 pixels, each of which moves its own way, 6 px at least."""
    sample = scene(inside)
    block = (ROWS // 8 * 12 + COLUMNS // 8).astype(int)
    rng = np.random.default_rng(3)
    angle, length = rng.uniform(0, 2 * np.pi, 144), rng.uniform(6, 9, 144)
    motion = np.stack([length * np.cos(angle), length * np.sin(angle)], axis=-1)[block]
    return replace(sample, flow=np.where(inside[..., None], CAMERA + motion, CAMERA).astype(np.float32))


def test_a_planted_object_is_found_but_for_single_pixels() -> None:
    inside = disc(22, 52, 45)
    result = make_mask(scene(inside), MaskSettings())
    # One or two pixels in the corner of a cell go with the rest of it.
    assert ((result.layer == 1) != inside).sum() <= 10
    assert (result.layer != UNKNOWN_LABEL).all()
    facts = result.facts
    assert (facts["kept"], facts["reason"], facts["background"]) == (True, "", "quadratic")
    assert facts["foreground"] == (result.layer == 1).mean()
    assert facts["inliers"] == pytest.approx(1 - inside.mean(), abs=0.005)
    assert (facts["border"], facts["ignored"]) == (0.0, 0.0)


RIM = np.minimum(np.minimum(ROWS, 95 - ROWS), np.minimum(COLUMNS, 95 - COLUMNS))


@pytest.mark.parametrize(
    ("sample", "changes", "reason"),
    [
        (scene(disc(0)), {}, "too little foreground"),
        (scene(disc(12)), {}, "too little foreground"),
        (scene(disc(12)), {"min_foreground": 0.02}, ""),
        (crowd(RIM >= 4), {}, "no dominant background motion"),
        (scene(disc(25)), {"max_foreground": 0.2}, "too much foreground"),
        (scene(disc(30, 70)), {}, "foreground at the border"),
        (scene(disc(30, 70)), {"max_border": 0.5}, ""),
        (scene(disc(30, 70)), {"max_scale": 1e-4}, "no dominant background motion"),
    ],
)
def test_masks_are_dropped_for_a_stated_reason(sample: FlowSample, changes: dict[str, float], reason: str) -> None:
    facts = make_mask(sample, MaskSettings(**changes)).facts
    assert (facts["reason"], facts["kept"]) == (reason, not reason)


@pytest.mark.parametrize("margin", [0, 2, 4])
def test_an_object_that_fills_the_image_is_dropped(margin: int) -> None:
    """Rigid, it is itself taken for the background; the rest is nothing, or moves at the border."""
    assert (margin >= RIM).mean() < 0.2
    assert not make_mask(scene(margin <= RIM), MaskSettings()).facts["kept"]


@pytest.mark.parametrize("background", ["quadratic", "translate"])
def test_without_any_valid_flow_nothing_is_stated(background: str) -> None:
    sample = scene(disc(22))
    sample = replace(sample, flow=np.zeros_like(sample.flow), valid=np.zeros((SIDE, SIDE), bool))
    result = make_mask(sample, MaskSettings(background=background))
    assert (result.layer == UNKNOWN_LABEL).all()
    assert result.facts == {"kept": False, "reason": "no valid flow", "background": background}


def test_bad_flow_is_an_error_that_names_the_clip() -> None:
    sample = scene(disc(22))
    sample.flow[4, 4, 0] = np.nan
    with pytest.raises(DataError, match=r"clip 'clip7', frame 3: flow holds NaN"):
        make_mask(sample, MaskSettings())


def test_invalid_pixels_take_the_vote_of_what_they_look_like() -> None:
    """Flow is unknown in a strip across object and ground, and what is written there is nonsense."""
    inside = disc(24)
    strip = (ROWS > 40) & (ROWS < 52)
    sample = replace(scene(inside), valid=~strip)
    sample.flow[strip] = (-30, 30)
    layer = make_mask(sample, MaskSettings()).layer
    told = strip & (layer != UNKNOWN_LABEL)
    assert told.sum() > 0.9 * strip.sum()
    assert ((layer == 1) == inside)[told].mean() > 0.95
    assert ((layer == 1) != inside)[~strip].sum() <= 10
    sample.flow[strip] = (700, 0)
    assert np.array_equal(make_mask(sample, MaskSettings()).layer, layer)


def test_invalid_pixels_beside_an_object_that_look_like_the_ground_are_none_of_it() -> None:
    """As where the object is about to hide the ground."""
    inside = disc(24)
    hidden = disc(24, 53) & ~inside
    layer = make_mask(replace(scene(inside), valid=~hidden), MaskSettings()).layer
    assert (layer[hidden] == 0).mean() > 0.95


@given(st.floats(-20, 20), st.floats(-20, 20))
@settings(max_examples=10, deadline=None)
def test_a_pan_of_the_camera_changes_nothing(right: float, down: float) -> None:
    sample = scene(disc(22, 50, 44))
    panned = replace(sample, flow=np.add(sample.flow, (right, down)).astype(np.float32))
    assert np.array_equal(make_mask(panned, MaskSettings()).layer, make_mask(sample, MaskSettings()).layer)


@pytest.mark.parametrize("background", ["quadratic", "homography"])
def test_a_mirrored_pair_has_the_mirrored_mask_and_the_same_pair_the_same(background: str) -> None:
    sample, mask_settings = scene(disc(22, 58, 40)), MaskSettings(background=background)
    mirrored = replace(sample, image=sample.image[:, ::-1].copy(), flow=sample.flow[:, ::-1] * np.float32([-1, 1]))
    layer = make_mask(sample, mask_settings).layer
    assert np.array_equal(make_mask(mirrored, mask_settings).layer, layer[:, ::-1])
    assert np.array_equal(make_mask(sample, mask_settings).layer, layer)


def test_votes_stay_between_0_and_1_and_make_the_trimap() -> None:
    rng = np.random.default_rng(0)
    sample = scene(disc(25))
    flow = (sample.flow + 0.6 * rng.standard_normal(sample.flow.shape)).astype(np.float32)
    image = rng.integers(0, 256, sample.image.shape, dtype=np.uint8)
    noisy = replace(sample, flow=flow, image=image, valid=rng.random((SIDE, SIDE)) < 0.7)
    mask_settings = MaskSettings(max_scale=1, min_inliers=0)
    votes = motion_votes(noisy, mask_settings).map
    assert votes is not None
    assert votes.min() >= 0
    assert votes.max() <= 1
    expected = np.where(votes >= 0.7, 1, np.where(votes <= 0.4, 0, UNKNOWN_LABEL))
    assert np.array_equal(make_mask(noisy, mask_settings).layer, expected)
    assert len(np.unique(expected)) == 3


@given(st.integers(1, 60), st.integers(1, 20), st.floats(0.05, 30), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_the_consensus_matrix_is_row_stochastic_and_keeps_votes_in_range(
    count: int, neighbours: int, spread: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    descriptors = spread * rng.standard_normal((count, 4))
    number, weights = neighbour_weights(descriptors, descriptors, neighbours)
    assert number.shape == weights.shape == (count, min(neighbours, count))
    assert weights.sum(axis=1) == pytest.approx(np.ones(count))
    # The same by all pairs, in one matrix.
    distances = ((descriptors[:, None] - descriptors) ** 2).sum(axis=-1)
    kernel = np.where(distances <= np.sort(distances, axis=1)[:, [number.shape[1] - 1]], np.exp(-distances / 0.1), 0)
    matrix = kernel / kernel.sum(axis=1, keepdims=True)
    initial = expected = rng.random(count)
    for _ in range(50):
        expected = matrix @ expected
        expected = 0.8 * expected / expected.max()
    votes = vote(initial, number, weights, 0.8)
    assert votes == pytest.approx(expected, abs=1e-6)
    assert votes.min() >= 0
    assert votes.max() == pytest.approx(0.8)


def test_nobody_votes_where_nothing_moves() -> None:
    number, weights = neighbour_weights(np.eye(5), np.eye(5), 3)
    assert not vote(np.zeros(5), number, weights, 1.0).any()


def test_small_blobs_fall_just_below_the_threshold() -> None:
    votes = np.zeros((30, 30))
    votes[2:12, 2:12], votes[20:27, 20:26], votes[20:28, 5:13] = 0.9, 0.8, 0.7  # 100, 42 and 64 pixels
    kept = without_small_blobs(votes, 0.7)
    assert (kept[20:27, 20:26] < 0.7).all()
    assert (kept[20:27, 20:26] > 0.699).all()
    kept[20:27, 20:26] = 0.8
    assert np.array_equal(kept, votes)


def test_cells_are_cut_along_the_motion_edge_and_around_invalid_pixels() -> None:
    inside = disc(22)
    sample = scene(inside)
    valid = ~disc(4, 20, 20)
    saliency = residual_saliency(sample.flow, valid, fit_background(sample.flow, valid))
    regions = find_regions(sample.image, saliency, valid, 12)
    assert np.array_equal(regions.known[regions.labels], valid)
    pixels = np.bincount(regions.labels[valid])
    share = np.bincount(regions.labels[valid], inside[valid]) / np.maximum(pixels, 1)
    mixed = (share > 0) & (share < 1)
    # A part of one or two pixels stays with its cell.
    assert (np.minimum(share, 1 - share) * pixels)[mixed].max(initial=0) < 3 - 1e-9
    cell = (ROWS // 8 * 12 + COLUMNS // 8).astype(int)
    assert all(len(np.unique(cell[regions.labels == label])) == 1 for label in range(regions.labels.max() + 1))


def test_unlc_knows_standing_and_panning_cameras_only() -> None:
    """The background's roll and zoom alone have every direction, so no one holds three quarters of the motion."""
    inside, valid = disc(22), np.ones((SIDE, SIDE), bool)
    still = np.zeros((SIDE, SIDE, 2), np.float32)
    for camera in ((0.0, 0.0), (6.0, 2.0)):
        flow = still + np.float32(camera)
        flow[inside] += np.float32((-3, 6))
        found = unlc_saliency(flow, valid)
        assert found is not None
        assert found.map[disc(16)].min() > 0.9
        assert found.map[~disc(28)].max() < 0.1
    for spin in (np.stack([48 - ROWS, COLUMNS - 48], -1), np.stack([COLUMNS - 48, ROWS - 48], -1)):
        assert unlc_saliency((0.1 * spin).astype(np.float32), valid) is None
        sample = replace(scene(inside), flow=(0.1 * spin).astype(np.float32))
        facts = make_mask(sample, MaskSettings(background="translate")).facts
        assert facts["reason"] == "no dominant background motion"
        assert "inliers" not in facts


@pytest.mark.parametrize(
    "wrong",
    [{"background_vote": 0.7}, {"min_foreground": 0.9}, {"background": "cubic"}, {"foreground_votes": 0.7}],
)
def test_wrong_settings_are_refused(wrong: dict[str, float | str]) -> None:
    with pytest.raises(ValidationError):
        MaskSettings.model_validate(wrong)

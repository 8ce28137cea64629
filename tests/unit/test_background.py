"""The background fit finds planted camera motions beneath objects, noise and holes, and says what it explains."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_motion.errors import DataError, UsageError
from ssl_motion.flow.background import SCALE_FLOOR, BackgroundModel, fit_background

HEIGHT, WIDTH = 72, 96
ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH].astype(np.float64)
X, Y = (COLUMNS - 0.5 * (WIDTH - 1)) / (0.5 * WIDTH), (ROWS - 0.5 * (HEIGHT - 1)) / (0.5 * WIDTH)
ALL = np.ones((HEIGHT, WIDTH), bool)
MODELS = get_args(BackgroundModel)


def homography(k: float, m: float) -> np.ndarray:
    depth = 1 + k * X + m * Y
    return 0.5 * WIDTH * np.stack([X * 1.01 / depth - X, (Y + 0.02 * X) / depth - Y], axis=-1)


PLANTED = {
    "translate": np.stack([0 * X + 3, 0 * X - 2], axis=-1),
    "affine": np.stack([1 + 2 * X - 1.5 * Y, -2 + X + 3 * Y], axis=-1),
    "homography": homography(0.07, -0.05),
    "quadratic": np.stack([1 + X + 3 * X * X - 2 * X * Y, 2 * Y + 1.5 * X * Y - 2 * Y * Y], axis=-1),
}


def with_object(flow: np.ndarray, radius: float = 18) -> tuple[np.ndarray, np.ndarray]:
    disc = np.hypot(COLUMNS - 55, ROWS - 36) < radius
    moved = flow.copy()
    moved[disc] += (4, -3)
    return moved, disc


@pytest.mark.parametrize("model", MODELS)
def test_planted_motion_is_found_beneath_an_object_and_holes(model: BackgroundModel) -> None:
    flow, disc = with_object(PLANTED[model])
    valid = ALL.copy()
    valid[:9], valid[20:30, 10:30] = False, False
    flow[~valid] = 1e6  # never read
    fit = fit_background(flow.astype(np.float32), valid, model)
    assert np.abs(fit.flow - PLANTED[model]).max() < 0.02
    assert fit.inliers == pytest.approx(1 - disc[valid].mean(), abs=0.005)
    assert fit.scale == SCALE_FLOOR
    assert fit.flow.dtype == np.float32


@pytest.mark.parametrize(
    ("model", "holds"),
    [
        ("translate", {"translate"}),
        ("affine", {"translate", "affine"}),
        ("homography", {"translate", "affine", "homography"}),
        ("quadratic", {"translate", "affine", "quadratic"}),
    ],
)
def test_a_model_holds_simpler_motions_and_no_richer_ones(model: BackgroundModel, holds: set[str]) -> None:
    for name, flow in PLANTED.items():
        error = np.abs(fit_background(flow.astype(np.float32), ALL, model).flow - flow).max()
        assert (error < 0.02) == (name in holds), (name, error)


def test_a_quadratic_takes_a_homography_for_one_to_first_order() -> None:
    flow, _ = with_object(homography(0.04, -0.03))
    fit = fit_background(flow.astype(np.float32), ALL)
    error = np.hypot(*np.moveaxis(fit.flow - homography(0.04, -0.03), -1, 0))
    assert np.median(error) < 0.05
    assert error.max() < 0.25
    affine = fit_background(flow.astype(np.float32), ALL, "affine")
    assert np.hypot(*np.moveaxis(affine.flow - homography(0.04, -0.03), -1, 0)).max() > 1


@given(st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_noise_hardly_moves_the_fit_and_shows_as_scale(seed: int) -> None:
    rng = np.random.default_rng(seed)
    flow, _ = with_object(PLANTED["affine"], 14)
    fit = fit_background((flow + rng.normal(0, 0.2, flow.shape)).astype(np.float32), ALL)
    assert np.abs(fit.flow - PLANTED["affine"]).max() < 0.15
    # The length of a two-dimensional normal vector has median 1.177 sigma.
    assert fit.scale == pytest.approx(1.4826 * 1.177 * 0.2, rel=0.12)


@given(st.floats(-20, 20), st.floats(-20, 20), st.sampled_from(["translate", "affine", "quadratic"]))
@settings(max_examples=25, deadline=None)
def test_a_pan_on_top_adds_to_the_fit(right: float, down: float, model: BackgroundModel) -> None:
    flow, _ = with_object(PLANTED["affine"])
    still = fit_background(flow.astype(np.float32), ALL, model)
    panned = fit_background(np.add(flow, (right, down)).astype(np.float32), ALL, model)
    assert np.abs(panned.flow - still.flow - (right, down)).max() < 0.05
    assert panned.inliers == pytest.approx(still.inliers, abs=0.01)


@pytest.mark.parametrize("model", MODELS)
def test_a_rich_model_is_not_drawn_to_an_object_that_reaches_the_border(model: BackgroundModel) -> None:
    """A third of the image and of its border moves on its own."""
    flow = PLANTED["translate"].copy()
    flow[:, 64:] += (3, 2)
    fit = fit_background(flow.astype(np.float32), ALL, model)
    assert np.abs(fit.flow - PLANTED["translate"]).max() < 0.05
    assert fit.inliers == pytest.approx(2 / 3, abs=0.01)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("valid_pixels", [0, 3])
def test_without_enough_valid_pixels_nothing_is_fitted(model: BackgroundModel, valid_pixels: int) -> None:
    valid = np.zeros((HEIGHT, WIDTH), bool)
    valid.reshape(-1)[:valid_pixels] = True
    fit = fit_background(np.full((HEIGHT, WIDTH, 2), 5, np.float32), valid, model)
    assert (fit.inliers, fit.scale) == (0.0, SCALE_FLOOR)
    assert not fit.flow.any()


@pytest.mark.parametrize("model", MODELS)
def test_one_valid_column_still_gives_finite_flow(model: BackgroundModel) -> None:
    """The pixels say nothing about the other direction."""
    valid = np.zeros((HEIGHT, WIDTH), bool)
    valid[:, 48:50] = True
    fit = fit_background(PLANTED["translate"].astype(np.float32), valid, model)
    assert np.isfinite(fit.flow).all()
    assert np.abs(fit.flow - PLANTED["translate"])[valid].max() < 0.02


def test_wrong_input_is_refused() -> None:
    flow = np.zeros((HEIGHT, WIDTH, 2), np.float32)
    flow[5, 5] = np.nan
    with pytest.raises(DataError, match="NaN or infinity"):
        fit_background(flow, ALL)
    with pytest.raises(UsageError, match="expected"):
        fit_background(flow, ALL[1:])
    with pytest.raises(UsageError, match="no background model 'cubic'"):
        fit_background(flow, ALL, "cubic")  # type: ignore[arg-type]

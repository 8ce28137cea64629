"""Panels: every picture at the enlarged size of the image, pixel for pixel, under a title."""

import numpy as np
import pytest

from ssl_motion.panels import CAPTION, GAP, enlargement, full_colour, panel


@pytest.mark.parametrize(("height", "zoom"), [(1, 192), (32, 6), (96, 2), (100, 2), (191, 2), (192, 1), (500, 1)])
def test_small_images_are_enlarged_by_the_least_whole_number(height: int, zoom: int) -> None:
    assert enlargement(np.zeros((height, 7, 3), np.uint8)) == zoom


def test_pictures_of_any_size_are_drawn_pixel_for_pixel() -> None:
    rng = np.random.default_rng(0)
    image, coarse = (rng.integers(0, 255, (side, 2 * side, 3), np.uint8) for side in (96, 24))
    grey = rng.integers(0, 255, (48, 96), np.uint8)
    shown = panel(image, [("image", image), ("coarse", coarse), ("grey", grey)])
    assert shown.shape == (CAPTION + 192, 3 * 384 + 2 * GAP, 3)
    for number, (picture, times) in enumerate(((image, 2), (coarse, 8), (grey[..., None].repeat(3, axis=2), 4))):
        column = shown[:, number * (384 + GAP) :][:, :384]
        assert np.array_equal(column[CAPTION:], picture.repeat(times, axis=0).repeat(times, axis=1))
        assert column[:CAPTION].min() < 100, "the title"
    assert (shown[:, 384 : 384 + GAP] == 255).all()


def test_the_fastest_known_pixel_has_full_colour() -> None:
    flow = np.zeros((2, 4, 4), np.float32)
    flow[:, 0, 0], flow[:, 3, 3] = (6, 8), (60, 80)
    valid = np.ones((4, 4), bool)
    assert full_colour(flow, valid) == 100
    valid[3, 3] = False
    assert full_colour(flow, valid) == 10
    valid[0, 0] = False
    assert full_colour(flow, valid) == 5, "noise on a still scene stays pale"
    assert full_colour(flow, np.zeros((4, 4), bool)) == 5

"""The way from clicks to a mask, with a model whose predictions are known."""

import math
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ssl_motion.annotation.procedure import AnnotationSettings, Annotator, annotate, window_of
from ssl_motion.data.sample import UInt8Array
from ssl_motion.errors import UsageError

planted = runpy.run_path(str(Path(__file__).parents[1] / "planted_motion.py"))["planted"]
FLAT = AnnotationSettings(zoom_factor=None)


def two_boxes(side: int = 64) -> UInt8Array:
    """A red box and a green one that touch, on grey."""
    image = np.full((side, side, 3), 90, np.uint8)
    image[10:30, 8:28] = (200, 30, 30)
    image[10:30, 28:50] = (30, 200, 30)
    return image


def colour(image: UInt8Array, x: int, y: int) -> Any:
    return (image == image[y, x]).all(axis=2)


def test_the_mask_is_what_moves_with_the_clicks_and_not_with_the_others() -> None:
    image, predictor = two_boxes(), planted(64)
    assert np.array_equal(annotate(predictor, image, [(15, 20)], [], FLAT).mask, colour(image, 15, 20))
    both = annotate(predictor, image, [(15, 20), (40, 20)], [], FLAT)
    assert np.array_equal(both.mask, colour(image, 15, 20) | colour(image, 40, 20))
    less = annotate(predictor, image, [(15, 20), (40, 20)], [(45, 12)], FLAT)
    assert np.array_equal(less.mask, colour(image, 15, 20)), "a negative click takes away what it stands on"


@pytest.mark.parametrize("side", [64, 128, 384])
def test_dummy_motion_is_the_authors_at_384_and_in_proportion_elsewhere(side: int) -> None:
    predictor = planted(side)
    annotate(predictor, two_boxes(side), [(15, 20)], [(0, 0)], FLAT)
    (asked,) = predictor.method.asked  # all directions in one batch
    given_at = asked.abs().sum(dim=1).nonzero()
    assert given_at[:, 0].tolist() == [0, 1, 2, 3]
    assert {tuple(each[1:].tolist()) for each in given_at} == {(20, 15)}, "the still point has no motion"
    length = 10 * side / 384
    vectors = [tuple(round(value, 4) for value in each.tolist()) for each in asked[:, :, 20, 15]]
    expected = [(length, 0), (0, length), (-length, 0), (0, -length)]
    assert vectors == [tuple(round(value, 4) for value in pair) for pair in expected]


def test_motion_directions_and_threshold_are_settings() -> None:
    image, predictor = two_boxes(384), planted(384)
    settings = AnnotationSettings(motion=30, directions=3, zoom_factor=None)
    annotate(predictor, image, [(15, 20)], [], settings)
    vectors = predictor.method.asked[0][:, :, 20, 15].numpy()
    angles = [2 * math.pi * number / 3 for number in range(3)]
    assert np.allclose(vectors, [[30 * math.cos(each), 30 * math.sin(each)] for each in angles], atol=1e-5)
    for wrong in ({"motion": 0}, {"directions": 0}, {"threshold": 1}, {"zoom_factor": 0.5}, {"moton": 3}):
        with pytest.raises(ValidationError):
            AnnotationSettings.model_validate(wrong)


class Ramp:
    """A look that says: motion grows from left to right, whatever is asked."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.inner, self.size = size, size

    def flows(self, guidances: list[Any]) -> Any:
        ramp = np.linspace(0, 7, self.size[1], dtype=np.float32)[None, None, :, None]
        sign = np.where(np.arange(len(guidances)) % 2, -1.0, 1.0).astype(np.float32)[:, None, None, None]
        yield from sign * np.broadcast_to(ramp, (len(guidances), *self.size, 2))


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.9])
def test_the_score_is_the_mean_response_by_its_largest_and_the_threshold_a_share_of_it(
    threshold: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = planted(64)
    monkeypatch.setattr(predictor, "look", lambda image: Ramp(image.shape[:2]))
    settings = AnnotationSettings(threshold=threshold, zoom_factor=None)
    found = annotate(predictor, two_boxes(), [(1, 1)], [], settings)
    expected = np.broadcast_to(np.linspace(0, 1, 64), (64, 64))
    assert np.allclose(found.score, expected, atol=1e-6)
    assert np.array_equal(found.mask, found.score > threshold)
    assert found.mask.mean() == pytest.approx(1 - threshold, abs=0.02)


def test_nothing_moves_nothing_is_found() -> None:
    found = annotate(planted(64), two_boxes(), [(15, 20)], [(16, 21)], FLAT)
    assert not found.mask.any()
    assert not found.score.any()


def test_two_clicks_zoom_and_what_is_outside_stays_out() -> None:
    image, predictor = np.full((256, 256, 3), 90, np.uint8), planted(64)
    image[40:60, 40:60] = (200, 30, 30)
    image[200:220, 200:220] = (200, 30, 30)  # of the same colour, and far away
    annotator = Annotator(predictor, image)
    whole = annotator.annotate([(50, 50)])
    assert (whole.window.width, whole.window.height) == (256, 256)
    assert whole.mask[210, 210]
    close = annotator.annotate([(45, 45), (55, 53)])
    assert (close.window.width, close.window.height) == (40, 40)
    assert (close.window.left, close.window.top) == (30, 29)
    assert not close.mask[210, 210]
    assert close.score[29:69, 30:70].max() == 1.0
    close_up = np.zeros((256, 256), np.bool_)
    close_up[40:60, 40:60] = True
    assert (close.mask ^ close_up).sum() <= 4 * 20, "a pixel at most along the border"
    looks = predictor.method.looks
    annotator.annotate([(45, 45), (55, 53)], [(46, 50)])
    annotator.annotate([(50, 50)])
    assert predictor.method.looks == looks, "the same parts of the image are looked at once"


@given(st.data())
def test_every_click_lies_in_the_window_and_the_window_in_the_image(data: Any) -> None:
    height, width = data.draw(st.integers(1, 300)), data.draw(st.integers(1, 300))
    coordinate = [st.floats(-0.5, side - 0.5, exclude_max=True) for side in (width, height)]
    points = data.draw(st.lists(st.tuples(*coordinate), min_size=1, max_size=5))
    factor = data.draw(st.none() | st.floats(1, 10))
    window = window_of(points, (height, width), factor)
    assert window.left >= 0
    assert window.top >= 0
    assert window.left + window.width <= width
    assert window.top + window.height <= height
    for x, y in points:
        assert -0.5 <= x - window.left < window.width - 0.5
        assert -0.5 <= y - window.top < window.height - 0.5
    extent = max(np.ptp([x for x, _ in points]), np.ptp([y for _, y in points]))
    if factor is None or len(points) < 2 or extent < 1:
        assert (window.width, window.height) == (width, height)
    else:
        side = max(round(factor * extent), math.ceil(extent) + 2)
        assert (window.width, window.height) == (min(side, width), min(side, height))


def test_clicks_must_be_there_and_in_the_image() -> None:
    predictor = planted(64)
    with pytest.raises(UsageError, match="no positive point"):
        annotate(predictor, two_boxes(), [], [(3, 3)])
    with pytest.raises(UsageError, match=r"\(64, 3\) lies outside the image, which is 64 x 64"):
        annotate(predictor, two_boxes(), [(3, 3)], [(64, 3)])

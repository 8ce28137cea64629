"""Where Pathak's method looks: the largest object in the middle, jittered in training, unknown beyond the image."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssl_motion.data.sample import FlowSample
from ssl_motion.seeding import generator
from ssl_motion_methods.pathak import PathakConfig
from ssl_motion_methods.pathak.crops import LEAST_SIDE, Window, largest_object, look_at, object_crop, window_around


def planted(shape: tuple[int, int], *boxes: tuple[int, int, int, int]) -> FlowSample:
    """Objects of (top, left, height, width): white, moving by (3, -2), on black that stands still."""
    mask = np.zeros(shape, np.uint8)
    for top, left, height, width in boxes:
        mask[top : top + height, left : left + width] = 1
    image = np.repeat(mask[..., None] * np.uint8(255), 3, axis=2)
    flow = mask[..., None] * np.array([3, -2], np.float32)
    return FlowSample(image, flow, np.ones(shape, bool), "planted", 0, 1, {"masks": mask}).checked()


def settings(**changes: Any) -> PathakConfig:
    return PathakConfig.model_validate({"image_size": 64} | changes)


def test_the_largest_object_is_the_one_of_most_pixels_not_of_the_largest_box() -> None:
    sample = planted((80, 90), (2, 3, 20, 20), (50, 5, 2, 80))
    assert largest_object(sample.layers["masks"]) == Window(2, 3, 20, 20)
    ignored = np.where(sample.layers["masks"] == 1, np.uint8(255), np.uint8(0))
    assert largest_object(ignored) is None
    diagonal = np.zeros((9, 9), np.uint8)
    diagonal[[2, 3, 4], [2, 3, 4]] = 1
    assert largest_object(diagonal) == Window(2, 2, 3, 3), "touching corners belong together"


def test_in_validation_the_object_is_in_the_middle_at_a_fixed_scale() -> None:
    sample = planted((200, 240), (70, 100, 40, 20))
    seen = object_crop(sample, settings(context=2.0), None)
    assert seen.size == (64, 64)
    rows, columns = np.nonzero(seen.layers["masks"] == 1)
    # A window of 80 pixels becomes 64: the object is 32 x 16 around the centre.
    assert (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1) == (16, 48, 24, 40)
    middle = seen.flow[32, 32]
    np.testing.assert_allclose(middle, [3 * 0.8, -2 * 0.8], rtol=1e-6)
    assert seen.image[32, 32].tolist() == [255] * 3
    assert seen.valid.all()


def test_beyond_the_image_all_is_black_unknown_and_without_motion() -> None:
    sample = planted((100, 100), (0, 0, 40, 40))
    seen = look_at(sample, Window(-20, -20, 80, 80), (80, 80))
    assert (seen.layers["masks"][:20] == 255).all()
    assert (seen.layers["masks"][:, :20] == 255).all()
    assert (seen.layers["masks"][20:60, 20:60] == 1).all()
    assert (seen.layers["masks"][60:, 60:] == 0).all()
    for array in (seen.image, seen.flow, seen.valid):
        assert not array[:20].any()
    assert seen.valid[20:, 20:].all()


@given(
    box=st.tuples(*[st.integers(0, 60)] * 2, *[st.integers(1, 60)] * 2),
    jitter=st.tuples(st.floats(0, 1), st.floats(0, 0.3)),
    wide=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_windows_stay_within_the_jitter(
    box: tuple[int, int, int, int], jitter: tuple[float, float], wide: bool, seed: int
) -> None:
    config = settings(scale_jitter=jitter[0], shift_jitter=jitter[1])
    shape = (64, 96) if wide else (64, 64)
    window = window_around(Window(*box), (120, 150), shape, config, generator(seed, "test"))
    top, left, height, width = box
    side = max(max(height, width) * config.context, LEAST_SIDE * 120)
    assert side * 2 ** -jitter[0] - 0.51 <= window.height <= side * 2 ** jitter[0] + 0.51
    assert window.width == pytest.approx(window.height * shape[1] / shape[0], abs=1.3)
    for start, length, centre in (
        (window.top, window.height, top + height / 2),
        (window.left, window.width, left + width / 2),
    ):
        assert abs(start + length / 2 - centre) <= jitter[1] * length + 0.51


def test_jitter_reaches_both_its_ends_and_depends_on_the_generator_alone() -> None:
    config = settings()
    box = Window(400, 400, 200, 200)
    windows = [window_around(box, (1000, 1000), (64, 64), config, generator(0, "t", n)) for n in range(400)]
    scales = np.log2([window.height / 350 for window in windows])
    shifts = np.array([(window.top + window.height / 2 - 500) / window.height for window in windows])
    assert -0.25 <= scales.min() + 0.003 < -0.22
    assert 0.22 < scales.max() - 0.003 <= 0.25
    assert -1 / 14 <= shifts.min() + 0.002 < -0.06
    assert 0.06 < shifts.max() - 0.002 <= 1 / 14
    assert abs(shifts.mean()) < 0.01
    again = [window_around(box, (1000, 1000), (64, 64), config, generator(0, "t", n)) for n in range(400)]
    assert again == windows


@pytest.mark.parametrize("shape", [(70, 90), (64, 64), (40, 130)])
def test_every_image_becomes_one_size_with_or_without_an_object(shape: tuple[int, int]) -> None:
    for boxes in ([], [(10, 20, 20, 8)]):
        seen = object_crop(planted(shape, *boxes), settings(), generator(1, "t"))
        assert seen.size == (64, 64)
        assert seen.checked().image.flags.writeable
        kept = object_crop(planted(shape, *boxes), settings(image_size=None), None)
        assert kept.size == shape


def test_a_few_pixels_of_an_object_are_not_blown_up() -> None:
    window = window_around(Window(50, 50, 1, 2), (120, 160), (64, 64), settings(), None)
    assert window.height == round(LEAST_SIDE * 120)

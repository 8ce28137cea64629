"""Colours of known directions, warping of known motions, errors of known differences."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from ssl_motion.errors import UsageError
from ssl_motion.flow.colour import colour_wheel, colour_wheel_legend, flow_to_colour
from ssl_motion.flow.formats import read_flo
from ssl_motion.flow.metrics import end_point_error
from ssl_motion.flow.warp import backward_warp, photometric_error, stays_inside


def hue(colour: np.ndarray) -> float:
    """Hue in degrees: red 0, yellow 60, green 120, cyan 180, blue 240, magenta 300."""
    return 2 * float(cv2.cvtColor(colour.reshape(1, 1, 3), cv2.COLOR_RGB2HSV)[0, 0, 0])


@pytest.mark.parametrize(
    ("direction", "expected"),
    [((1, 0), 0), ((0, 1), 54), ((-1, 0), 191), ((0, -1), 261), ((1, 1), 27), ((-1, 1), 115)],
)
def test_hue_is_direction(direction: tuple[int, int], expected: float) -> None:
    colour = flow_to_colour(np.array([[direction]], np.float32) * 3)[0, 0]
    assert hue(colour) == pytest.approx(expected, abs=3)


def test_wheel_has_the_published_55_colours() -> None:
    wheel = colour_wheel()
    assert wheel.shape == (55, 3)
    corners = {
        0: (255, 0, 0),
        15: (255, 255, 0),
        21: (0, 255, 0),
        25: (0, 255, 255),
        36: (0, 0, 255),
        49: (255, 0, 255),
    }
    for place, colour in corners.items():
        assert tuple(wheel[place]) == colour


def test_saturation_is_speed() -> None:
    flow = np.array([[[0, 0], [1, 0], [2, 0], [4, 0], [8, 0]]], np.float32)
    red, green, blue = flow_to_colour(flow, max_radius=4)[0].T.astype(int)
    assert green.tolist() == blue.tolist() == [255, 191, 127, 0, 0]
    assert red.tolist() == [255, 255, 255, 255, 191]  # beyond the scale: darker
    assert flow_to_colour(flow)[0, 4].tolist() == [255, 0, 0]  # scaled by the largest speed
    assert (flow_to_colour(np.zeros((2, 3, 2))) == 255).all()


def test_unknown_flow_is_black_and_does_not_scale_the_rest() -> None:
    flow = np.array([[[1, 0], [100, 0], [np.nan, 0]]], np.float32)
    picture = flow_to_colour(flow, valid=np.array([[True, False, True]]))
    assert picture[0].tolist() == [[255, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_legend_shows_each_direction_where_it_points() -> None:
    legend = colour_wheel_legend(101)
    assert legend.shape == (101, 101, 3)
    assert legend[0, 0].tolist() == [255, 255, 255]
    assert legend[50, 50].min() > 250
    for (row, column), expected in {(50, 98): 0, (98, 50): 54, (50, 2): 191, (2, 50): 261}.items():
        assert hue(legend[row, column]) == pytest.approx(expected, abs=4)


def test_colours_equal_the_published_picture_of_sintel(sample_data: Path) -> None:
    folder = sample_data / "flow" / "sintel_alley_1"
    published = cv2.cvtColor(cv2.imread(str(folder / "frame_0001.flo.png")), cv2.COLOR_BGR2RGB)
    ours = flow_to_colour(read_flo(folder / "frame_0001.flo")[0])
    assert np.abs(ours.astype(int) - published).max() <= 1


@pytest.mark.parametrize("shape", [(17, 23, 3), (17, 23), (5, 4, 1)])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_zero_flow_returns_the_image_exactly(shape: tuple[int, ...], kind: type) -> None:
    image = np.random.default_rng(0).integers(0, 255, shape).astype(kind)
    warped = backward_warp(image, np.zeros((*shape[:2], 2), np.float32))
    np.testing.assert_array_equal(warped, image)
    assert warped.dtype == kind


def test_warp_undoes_a_shift() -> None:
    frame0 = np.random.default_rng(1).integers(0, 255, (30, 40, 3), dtype=np.uint8)
    frame1 = np.roll(frame0, (2, 5), axis=(0, 1))  # content moves down by 2 and right by 5
    flow = np.full((30, 40, 2), (5, 2), np.float32)
    warped = backward_warp(frame1, flow)
    inside = stays_inside(flow)
    np.testing.assert_array_equal(warped[inside], frame0[inside])
    assert inside.sum() == 28 * 35
    assert photometric_error(frame0, frame1, flow) == 0
    assert photometric_error(frame0, frame1, -flow) > 50
    assert photometric_error(frame0, frame1, flow * 100) == float("inf")


def test_warp_interpolates_bilinearly() -> None:
    y, x = np.mgrid[:20, :30].astype(np.float32)
    rng = np.random.default_rng(2)
    flow = rng.uniform(-2, 2, (20, 30, 2)).astype(np.float32)
    plane = 3 * x - 2 * y
    inside = stays_inside(flow)
    expected = plane + 3 * flow[..., 0] - 2 * flow[..., 1]
    # OpenCV may round positions to 1/32 px: at most 5 grey levels a pixel of slope / 64 each way.
    assert np.abs(backward_warp(plane, flow) - expected)[inside].max() < 5 / 64 + 1e-3


def test_borders() -> None:
    image = np.full((4, 4), 9, np.uint8)
    flow = np.full((4, 4, 2), (3, 0), np.float32)
    assert backward_warp(image, flow)[0].tolist() == [9, 9, 9, 9]
    assert backward_warp(image, flow, border="zero")[0].tolist() == [9, 0, 0, 0]
    with pytest.raises(UsageError, match="must agree"):
        backward_warp(image, flow[:3])


def test_end_point_error_by_hand() -> None:
    truth = np.zeros((1, 3, 2), np.float32)
    flow = np.array([[[3, 4], [0, 0], [np.nan, 0]]], np.float32)
    assert end_point_error(flow, truth, np.array([[True, True, False]])) == 2.5
    assert end_point_error(truth, truth) == 0
    assert np.isnan(end_point_error(truth, truth, np.zeros((1, 3), bool)))
    with pytest.raises(UsageError, match="cannot compare"):
        end_point_error(truth, truth[:, :2])

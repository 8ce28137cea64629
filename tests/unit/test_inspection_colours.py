"""Feature maps of planted trunks: their features, where their cells lie, and their colours by two projections."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ssl_motion.data.sample import FlowSample
from ssl_motion.inspection.colours import component_colours, principal_components, random_colours, random_directions
from ssl_motion.inspection.figures import component_figure, embedding_figure
from ssl_motion.inspection.maps import FeatureMap, grid_points, spread
from ssl_motion.inspection.models import Inspected
from ssl_motion.inspection.pictures import Shown

LinearTrunk = runpy.run_path(str(Path(__file__).parents[1] / "linear_trunk.py"))["LinearTrunk"]
RNG = np.random.default_rng(5)


def shown(image: np.ndarray, name: str = "picture") -> Shown:
    size = image.shape[:2]
    sample = FlowSample(image, np.zeros((*size, 2), np.float32), np.zeros(size, np.bool_), name, 0, 1)
    return Shown(name, sample, size)


def noise(height: int, width: int) -> np.ndarray:
    return RNG.integers(0, 256, (height, width, 3)).astype(np.uint8)


def by_percentiles(values: list[np.ndarray]) -> list[np.ndarray]:
    """The scale of colours, written down plainly: one for all images, channel by channel."""
    together = np.concatenate([each.reshape(-1, 3) for each in values])
    low, high = np.percentile(together, 2, axis=0), np.percentile(together, 98, axis=0)
    return [255 * np.clip((each - low) / (high - low), 0, 1) for each in values]


def test_a_linear_trunk_gives_its_planted_features_and_their_known_projection() -> None:
    mixing = RNG.standard_normal((7, 3))
    model = Inspected("planted", LinearTrunk(torch.from_numpy(mixing).float()[..., None, None]))
    images = [noise(10, 14), noise(9, 6)]
    normal = [(image - np.array(model.mean)) / np.array(model.std) for image in images]
    maps = [model.look(image, "filters") for image in images]
    for each, pixels in zip(maps, normal, strict=True):
        np.testing.assert_allclose(each.values.numpy(), np.einsum("cd,hwd->chw", mixing, pixels), atol=2e-5)
    directions = random_directions(7, seed=3)
    np.testing.assert_allclose(directions.T @ directions, np.eye(3), atol=1e-12)
    expected = by_percentiles([pixels @ mixing.T @ directions for pixels in normal])
    drawn = random_colours([each.values.numpy() for each in maps], seed=3)
    for picture, wanted in zip(drawn, expected, strict=True):
        assert np.abs(picture - wanted).max() <= 1.01  # rounding down
    sheet = embedding_figure([model], [shown(image) for image in images], None, seed=3)
    for cell, picture in zip(sheet.rows[1].cells, drawn, strict=True):
        assert np.array_equal(cell.picture, picture)


def test_one_projection_and_one_scale_serve_all_images_of_a_figure() -> None:
    maps = [RNG.standard_normal((5, 6, 4)).astype(np.float32) for _ in range(3)]
    maps[2] = np.concatenate([maps[0][:, :3], 9 * maps[1][:, :3]], axis=1)
    first, second, third = random_colours(maps)
    assert np.array_equal(third[:3], first[:3])
    again = random_colours(maps)
    assert all(np.array_equal(a, b) for a, b in zip(again, (first, second, third), strict=True))
    assert not np.array_equal(random_colours(maps, seed=1)[0], first)


def planted_components(cells: int, variances: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features [C, cells] with exactly these variances along exactly these directions [C, C] around this mean."""
    channels = len(variances)
    centred = RNG.standard_normal((cells, channels))
    centred -= centred.mean(axis=0)
    white = np.linalg.qr(centred)[0] * np.sqrt(cells - 1)
    directions = np.linalg.qr(RNG.standard_normal((channels, channels)))[0]
    mean = RNG.standard_normal(channels)
    return directions @ (white * np.sqrt(variances)).T + mean[:, None], directions, mean


def test_principal_components_are_the_planted_ones_over_all_images() -> None:
    variances = (9.0, 4.0, 1.0, 0.25, 0.05)
    features, directions, mean = planted_components(6 * 7 + 6 * 5, variances)
    maps = [features[:, :42].reshape(5, 6, 7), features[:, 42:].reshape(5, 6, 5)]
    found = principal_components(maps)
    np.testing.assert_allclose(found.mean, mean, atol=1e-12)
    np.testing.assert_allclose(np.abs(np.einsum("cd,cd->d", found.directions, directions[:, :3])), 1, atol=1e-9)
    np.testing.assert_allclose(found.shares, np.array(variances[:3]) / sum(variances), rtol=1e-9)
    assert (np.take_along_axis(found.directions, np.abs(found.directions).argmax(axis=0)[None], axis=0) > 0).all()
    planted = [np.einsum("chw,cd->hwd", each - mean[:, None, None], found.directions) for each in maps]
    for picture, wanted in zip(component_colours(maps, found), by_percentiles(planted), strict=True):
        assert np.abs(picture - wanted).max() <= 1.01


def test_fewer_than_three_channels_leave_a_colour_out() -> None:
    maps = [RNG.standard_normal((2, 5, 5)).astype(np.float32)]
    for (picture,) in (random_colours(maps), component_colours(maps, principal_components(maps))):
        assert picture[..., :2].any()
        assert not picture[..., 2].any()


def test_the_figure_of_components_says_how_much_they_explain() -> None:
    model = Inspected("planted", LinearTrunk(torch.eye(3)[..., None, None]))
    grey = np.repeat(RNG.integers(0, 256, (8, 8, 1)), 3, axis=2).astype(np.uint8)
    sheet = component_figure([model], [shown(grey)], None)
    assert "3 channels, 100, 0, 0 % of the variance" in sheet.rows[1].heading


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 9))
def test_every_pixel_takes_its_nearest_cell(height: int, width: int, stride: int) -> None:
    cells = np.arange(-(-height // stride) * -(-width // stride)).reshape(-(-height // stride), -1)
    found = spread(cells, stride, (height, width))
    assert found.shape == (height, width)
    for (row, column), value in np.ndenumerate(found):
        at = np.argwhere(cells == value)[0]
        nearest = min(
            np.hypot(row - stride * down, column - stride * across) for down, across in np.ndindex(*cells.shape)
        )
        assert np.hypot(row - stride * at[0], column - stride * at[1]) == pytest.approx(nearest)


@given(st.integers(1, 500), st.integers(1, 300))
def test_the_grid_covers_the_image_with_few_cells(height: int, width: int) -> None:
    points, (rows, columns), step = grid_points(height, width)
    assert len(points) == rows * columns <= 128 * 128
    assert (rows - 1) * step < height <= rows * step
    assert points[-1].tolist() == [(columns - 1) * step, (rows - 1) * step]


def test_features_are_read_where_their_cells_lie() -> None:
    values = torch.from_numpy(RNG.standard_normal((4, 5, 6))).float()
    points = torch.tensor([[0.0, 0.0], [24.0, 8.0], [40.0, 32.0], [12.0, 0.0]])
    read = FeatureMap(values, 8).at(points)
    expected = torch.stack([values[:, 0, 0], values[:, 1, 3], values[:, 4, 5], values[:, 0, 1:3].mean(1)])
    torch.testing.assert_close(read, expected, atol=1e-5, rtol=0)

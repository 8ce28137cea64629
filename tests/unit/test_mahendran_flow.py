"""Normalised flow, and the points at which it is looked at."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_motion.data.augment import flip
from ssl_motion.data.sample import FlowSample
from ssl_motion.seeding import generator
from ssl_motion.similarity import normalise_flow
from ssl_motion_methods.mahendran.direct import bin_centres, to_bin
from ssl_motion_methods.mahendran.flow import grid_axes, grid_flow, restore_flow, sample_points


def sample(height: int = 12, width: int = 20, known: int | None = None) -> FlowSample:
    """Flow that tells where it was read: u is the column and v the row."""
    rows, columns = np.mgrid[:height, :width]
    valid = np.ones((height, width), np.bool_)
    if known is not None:
        valid[:] = False
        valid.ravel()[generator(0, "known").permutation(valid.size)[:known]] = True
    flow = np.stack([columns, rows], axis=-1).astype(np.float32) * valid[..., None]
    return FlowSample(np.zeros((height, width, 3), np.uint8), flow, valid, "clip", 0, 1).checked()


def test_values_of_the_formula() -> None:
    flow = torch.tensor([0.0, 1.0, -1.0, 56.0, -56.0, 400.0, -400.0])
    one = math.log(2) / math.log(57)
    torch.testing.assert_close(normalise_flow(flow, 56), torch.tensor([0.0, one, -one, 1.0, -1.0, 1.0, -1.0]))


@settings(deadline=None)
@given(flow=st.floats(-200, 200), saturation=st.floats(1, 200))
def test_normalised_flow_is_odd_bounded_and_can_be_taken_back(flow: float, saturation: float) -> None:
    value = torch.tensor(flow, dtype=torch.float64)
    normalised = normalise_flow(value, saturation)
    assert -1 <= normalised <= 1
    assert normalise_flow(-value, saturation) == -normalised
    back = restore_flow(normalised, saturation).item()
    assert back == pytest.approx(max(-saturation, min(saturation, flow)), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("known", [None, 100, 64])
def test_points_are_distinct_known_pixels_with_their_own_flow(known: int | None) -> None:
    source = sample(known=known)
    got = sample_points(source, 64, generator(0, "points"))
    x, y = got["points"].long().unbind(1)
    assert len({*zip(x.tolist(), y.tolist(), strict=True)}) == 64
    assert source.valid[y, x].all()
    assert torch.equal(got["flow"], got["points"])  # u is the column, v the row
    assert got["weight"] == 1


def test_points_are_spread_evenly() -> None:
    source = sample(4, 4, known=8)
    counts = np.zeros((4, 4))
    for draw in range(400):
        x, y = sample_points(source, 2, generator(draw, "points"))["points"].long().unbind(1)
        counts[y, x] += 1
    assert (counts[~source.valid] == 0).all()
    # 800 points on 8 pixels: 100 each, with a standard deviation below 10.
    assert np.abs(counts[source.valid] - 100).max() < 45


def test_too_few_known_pixels_are_drawn_again_and_none_at_all_count_for_nothing() -> None:
    few = sample_points(sample(known=3), 64, generator(0, "points"))
    assert len({tuple(point) for point in few["points"].tolist()}) == 3
    assert few["weight"] == 1
    none = sample_points(sample(known=0), 64, generator(0, "points"))
    assert none["points"].shape == (64, 2)
    assert none["flow"].abs().sum() == 0
    assert none["weight"] == 0


def test_mirrored_samples_mirror_their_flow() -> None:
    got = sample_points(flip(sample()), 64, generator(0, "points"))
    assert torch.equal(got["flow"][:, 0], -(19 - got["points"][:, 0]))
    assert torch.equal(got["flow"][:, 1], got["points"][:, 1])


@pytest.mark.parametrize("size", [(1, 1), (12, 20), (64, 64), (65, 64), (384, 200)])
def test_the_grid_of_pictures(size: tuple[int, int]) -> None:
    rows, columns = grid_axes(*size)
    assert 1 <= len(rows) <= 64
    assert 1 <= len(columns) <= 64
    assert rows[-1] < size[0]
    assert columns[-1] < size[1]
    got = grid_flow(sample(*size))
    assert got["grid_valid"].shape == (len(rows), len(columns))
    assert torch.equal(got["grid_flow"][0, 0], torch.tensor(columns).float())
    assert torch.equal(got["grid_flow"][1, :, 0], torch.tensor(rows).float())


@settings(deadline=None)
@given(value=st.floats(-1, 1), bins=st.integers(2, 40))
def test_a_value_lies_in_its_bin(value: float, bins: int) -> None:
    index = int(to_bin(torch.tensor(value, dtype=torch.float64), bins))
    assert 0 <= index < bins
    assert abs(float(bin_centres(bins)[index]) - value) <= 1 / bins + 1e-6


def test_bins_of_the_paper() -> None:
    centres = bin_centres(16)
    assert torch.equal(to_bin(centres, 16), torch.arange(16))
    torch.testing.assert_close(centres.diff(), torch.full((15,), 0.125))
    assert to_bin(torch.tensor([-1.0, 1.0]), 16).tolist() == [0, 15]


@pytest.mark.parametrize(("saturation", "pixels"), [(24.0, 0.22), (56.0, 0.29)])
def test_exact_stillness_goes_to_the_upper_of_the_middle_bins_and_is_read_as_a_little_motion(
    saturation: float, pixels: float
) -> None:
    index = to_bin(normalise_flow(torch.tensor([0.0, -0.0]), saturation), 16)
    assert index.tolist() == [8, 8]
    read = restore_flow(bin_centres(16)[index], saturation)
    torch.testing.assert_close(read, torch.full((2,), pixels), atol=0.005, rtol=0)

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ssl_motion.errors import UsageError
from ssl_motion_methods.cmp.bins import FlowBins

PUBLISHED = {-80: 0, -50: 0, -49.5: 0, -1: 48, -0.51: 48, -0.5: 49, 0: 49, 0.5: 49, 0.51: 50, 1: 50, 49.5: 98, 80: 98}


@pytest.mark.parametrize(("pixels", "index"), PUBLISHED.items())
def test_bins_are_the_authors(pixels, index):
    bins = FlowBins()
    for dtype in (torch.float32, torch.float64):
        assert bins.to_index(torch.tensor(float(pixels), dtype=dtype)).item() == index
    assert bins.to_index(np.array(float(pixels))) == index


def test_jpeg_levels_beside_zero_share_its_bin():
    levels = np.array([127, 128]) / 255 * 100 - 50
    assert FlowBins().to_index(levels).tolist() == [49, 49]


def test_centres():
    centres = FlowBins().centres
    assert centres.shape == (99,)
    assert centres[49].item() == pytest.approx(0, abs=1e-6)
    assert centres[98].item() == pytest.approx(49.4949, abs=1e-4)
    assert FlowBins().to_index(centres).tolist() == list(range(99))


@given(count=st.integers(1, 60).map(lambda n: 2 * n + 1), boundary=st.floats(0.5, 500), value=st.floats(-1e4, 1e4))
def test_a_value_lies_in_its_bin(count, boundary, value):
    bins = FlowBins(count, boundary)
    index = int(bins.to_index(np.array(value)))
    assert 0 <= index < count
    clipped = min(max(value, -boundary), boundary)
    assert abs(clipped - (index + 0.5) * bins.width + boundary) <= bins.width / 2 + 0.0011


def test_expectation_of_certain_and_undecided_logits():
    bins = FlowBins(5, 10.0)
    logits = torch.zeros(1, 10, 1, 2)
    logits[0, 4, 0, 0] = 100  # x: last bin
    logits[0, 5, 0, 0] = 100  # y: first bin
    flow = bins.expectation(logits)
    assert flow.shape == (1, 2, 1, 2)
    assert flow[0, :, 0, 0].tolist() == pytest.approx([8, -8])
    assert flow[0, :, 0, 1].tolist() == pytest.approx([0, 0], abs=1e-6)


def test_expectation_is_float32_under_autocast_and_keeps_float64():
    bins = FlowBins()
    logits = torch.randn(1, 198, 2, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = bins.expectation(logits.bfloat16())
    assert half.dtype == torch.float32
    assert torch.allclose(half, bins.expectation(logits.bfloat16().float()), atol=1e-4)
    assert bins.expectation(logits.double()).dtype == torch.float64


@pytest.mark.parametrize("arguments", [(98,), (1,), (-3,), (99, 0.0), (99, float("nan"))])
def test_impossible_bins_are_refused(arguments):
    with pytest.raises(UsageError, match="flow bins"):
        FlowBins(*arguments)


def test_logits_of_another_depth_are_refused():
    with pytest.raises(UsageError, match=r"\[B, 198, H, W\].*\[1, 99, 2, 2\]"):
        FlowBins().expectation(torch.zeros(1, 99, 2, 2))

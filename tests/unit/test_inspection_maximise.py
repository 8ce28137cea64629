"""Activation maximisation on planted filters, whose best images are known; total variation against a plain loop."""

import math
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ssl_motion.errors import UsageError
from ssl_motion.inspection.figures import neuron_figure
from ssl_motion.inspection.maximise import Ascent, maximise, total_variation
from ssl_motion.inspection.models import Inspected

LinearTrunk = runpy.run_path(str(Path(__file__).parents[1] / "linear_trunk.py"))["LinearTrunk"]
SIDE, KERNEL = 32, 11
MARGIN = (SIDE // 2 - KERNEL // 2, SIDE // 2 + KERNEL // 2 + 1)  # rows and columns that the middle unit sees
PLAIN = Ascent(jitter=0, total_variation=0.0, side=SIDE)


def waves(wavelength: float = 9.0) -> Tensor:
    """Three filters, [3, 3, KERNEL, KERNEL]: oriented waves under a bell, flat enough for the range of pixels."""
    axis = np.arange(KERNEL) - KERNEL // 2
    y, x = np.meshgrid(axis, axis, indexing="ij")
    bell = np.exp(-(x**2 + y**2) / 100)
    filters = [
        np.array(colour)[:, None, None]
        * bell
        * np.cos(2 * math.pi * (x * math.cos(turn) + y * math.sin(turn)) / wavelength)
        for turn, colour in ((0.0, (1, 0.9, 0.8)), (1.1, (1, -0.9, 0.8)), (2.2, (-1, 0.9, 0.8)))
    ]
    return torch.tensor(np.array(filters), dtype=torch.float32)


def planted(filters: Tensor, **options: float) -> Inspected:
    return Inspected("planted", LinearTrunk(filters, stride=4, **options).requires_grad_(False))


def seen(image_3HW: Tensor) -> Tensor:
    """The part of an image that the unit in the middle sees."""
    return image_3HW[:, slice(*MARGIN), slice(*MARGIN)]


def correlation(first: Tensor, second: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1])


def test_the_ascent_converges_to_a_planted_linear_filter() -> None:
    filters = waves()
    found = maximise(planted(filters), "filters", [2, 0], PLAIN)
    for image, channel, response in zip(found.inputs, (2, 0), found.responses, strict=True):
        truth = filters[channel] / filters[channel].square().mean().sqrt()
        assert (seen(image) - truth).abs().max() < 0.02
        outside = image.clone()
        seen(outside).zero_()
        assert outside.abs().max() < 0.02  # what it does not see is grey
        assert response == pytest.approx(float((truth * filters[channel]).sum()), rel=0.01)


def test_the_pictures_are_the_inputs_in_colours() -> None:
    model = planted(waves())
    found = maximise(model, "filters", [1], PLAIN)
    expected = found.inputs[0].double() * torch.tensor(model.std).view(3, 1, 1) + torch.tensor(model.mean).view(3, 1, 1)
    assert np.abs(np.moveaxis(found.pictures[0], -1, 0) - expected.numpy()).max() <= 0.51


def test_with_jitter_it_converges_to_the_mean_of_the_shifted_filter() -> None:
    filters = waves()
    found = maximise(planted(filters), "filters", [0], Ascent(jitter=1, total_variation=0.0, side=SIDE, steps=400))
    canvas = torch.zeros(3, SIDE, SIDE)
    seen(canvas).copy_(filters[0])
    shifts = [(down, across) for down in (-1, 0, 1) for across in (-1, 0, 1)]
    mean = torch.stack([canvas.roll(shift, (1, 2)) for shift in shifts]).mean(0)
    assert correlation(found.inputs[0], mean) > 0.99
    assert correlation(seen(found.inputs[0]), filters[0]) > 0.95


def test_the_prior_smooths() -> None:
    # A filter with noise on it: the prior takes the noise out and leaves the wave.
    noise = 0.5 * torch.randn(1, 3, KERNEL, KERNEL, generator=torch.Generator().manual_seed(0))
    wave = waves()[:1]
    model = planted(wave + noise)
    rough, smooth = (
        maximise(model, "filters", [0], Ascent(jitter=0, total_variation=weight, side=SIDE)).inputs
        for weight in (0.0, 0.3)
    )
    assert total_variation(smooth).item() < 0.6 * total_variation(rough).item()
    assert correlation(seen(smooth[0]), wave[0]) > correlation(seen(rough[0]), wave[0])


def test_the_seed_decides_all() -> None:
    model = planted(waves())
    jittered = Ascent(jitter=2, side=SIDE, steps=12)
    first, again, other = (maximise(model, "filters", [0, 1, 2], jittered, seed).inputs for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_more_units_than_one_batch_takes_come_in_order() -> None:
    filters = torch.cat([waves(6.0), waves(), waves(14.0)] * 2)
    found = maximise(planted(filters), "filters", list(range(18)), PLAIN)
    fits = [[correlation(seen(image), each) for each in filters] for image in found.inputs]
    assert [int(np.argmax(row)) % 9 for row in fits] == [number % 9 for number in range(18)]


def test_a_unit_that_nothing_wakes_is_silent_and_grey() -> None:
    model = planted(waves(), bias=-1e4)
    found = maximise(model, "filters", [0], PLAIN)
    assert found.responses == [0.0]
    assert found.inputs.abs().max() < 0.02
    (row,) = neuron_figure([model], None, [0], ascent=PLAIN).rows
    assert row.cells[0].caption == "filters 0: silent"


def test_a_unit_behind_a_relu_is_woken_by_noise() -> None:
    found = maximise(planted(waves(), bias=-3.0), "filters", [0, 1, 2], PLAIN)
    for image, each, response in zip(found.inputs, waves(), found.responses, strict=True):
        assert correlation(seen(image), each) > 0.99
        assert response == pytest.approx(float((seen(image) * each).sum()) - 3.0, rel=1e-4)


def test_neither_prior_nor_jitter_silences_a_unit_that_noise_only_just_wakes() -> None:
    # Without a step it is the response to the noise that comes back.
    starts = maximise(planted(waves()), "filters", [0, 1, 2], Ascent(side=SIDE, steps=0)).responses
    for channel, start in enumerate(starts):
        found = maximise(planted(waves(), bias=3 - start), "filters", [channel], Ascent(side=SIDE))
        assert found.responses[0] > 20


def test_the_figure_names_units_and_refuses_others() -> None:
    model = planted(waves().repeat(7, 1, 1, 1))
    ascent = Ascent(side=SIDE, steps=2)
    sheet = neuron_figure([model, model], "filters", count=9, ascent=ascent)
    assert [row.heading for row in sheet.rows] == ["planted", "", "planted", ""]
    captions = [cell.caption.split(":")[0] for row in sheet.rows[:2] for cell in row.cells]
    assert captions == [f"filters {unit}" for unit in (0, 2, 5, 8, 10, 12, 15, 18, 20)]
    assert "jitter and a total-variation prior (weight 0.3, 2 steps, 32 px, jitter 1 px, seed 0)" in sheet.description
    with pytest.raises(UsageError, match="--channel 21: filters of planted has channels 0 to 20"):
        neuron_figure([model], None, [21], ascent=ascent)
    with pytest.raises(UsageError, match=r"linear has no stage 'filtres'.*filters"):
        neuron_figure([model], "filtres", ascent=ascent)


def naive_total_variation(image_CHW: np.ndarray, corner: float) -> float:
    channels, height, width = image_CHW.shape
    total = 0.0
    for c in range(channels):
        for y in range(height):
            for x in range(width):
                across = image_CHW[c, y, x + 1] - image_CHW[c, y, x] if x + 1 < width else 0.0
                down = image_CHW[c, y + 1, x] - image_CHW[c, y, x] if y + 1 < height else 0.0
                total += math.sqrt(across**2 + down**2 + corner**2) - corner
    return total


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**31), st.sampled_from([0.0, 0.05, 1.0]))
def test_total_variation_equals_the_sum_pixel_by_pixel(height: int, width: int, seed: int, corner: float) -> None:
    images = np.random.default_rng(seed).standard_normal((2, 3, height, width))
    found = total_variation(torch.from_numpy(images), corner)
    for value, image in zip(found.tolist(), images, strict=True):
        assert value == pytest.approx(naive_total_variation(image, corner), rel=1e-12, abs=1e-12)


def test_total_variation_of_a_flat_image_has_a_gradient() -> None:
    flat = torch.full((1, 3, 5, 5), 0.3, requires_grad=True)
    total = total_variation(flat, 0.05)
    total.sum().backward()
    assert total.item() == pytest.approx(0, abs=1e-6)
    assert flat.grad is not None
    assert (flat.grad == 0).all()

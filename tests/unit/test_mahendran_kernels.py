"""Mahendran's loss against a naive float64 computation, its known values, and its gradients."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ssl_motion_methods.mahendran.kernels import Comparison, KernelWidth, compare


def naive(phi: Tensor, flow: Tensor, sigma: float) -> tuple[float, float]:
    """Cross-entropy and entropy of one image, mean over columns, pair by pair as the paper's equations read."""
    points = len(phi)
    numerator_f, numerator_phi = np.zeros((points, points)), np.zeros((points, points))
    for p in range(points):
        for q in range(points):
            a, b = phi[p].double().numpy(), phi[q].double().numpy()
            cosine = a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
            distance = ((flow[p].double().numpy() - flow[q].double().numpy()) ** 2).sum()
            numerator_f[p, q] = 1 if p == q else math.exp(math.exp(-distance / (2 * sigma**2)))
            numerator_phi[p, q] = math.exp(-3 / 4) if p == q else math.exp(cosine / 4)
    s_f = numerator_f / numerator_f.sum(axis=0)
    s_phi = numerator_phi / numerator_phi.sum(axis=0)
    return -(s_f * np.log(s_phi)).sum() / points, -(s_f * np.log(s_f)).sum() / points


@pytest.mark.parametrize("sigma", [0.02, 0.06, 0.5])
def test_equals_the_equations_pair_by_pair(sigma: float) -> None:
    torch.manual_seed(0)
    phi, flow = torch.randn(2, 40, 5) * 3, torch.rand(2, 40, 2) * 0.4
    got = compare(phi, flow, torch.tensor(sigma))
    exact = compare(phi.double(), flow.double(), torch.tensor(sigma, dtype=torch.float64))
    for image in range(2):
        expected = naive(phi[image], flow[image], sigma)
        assert (exact.cross_entropy[image].item(), exact.entropy[image].item()) == pytest.approx(expected, abs=1e-10)
        assert (got.cross_entropy[image].item(), got.entropy[image].item()) == pytest.approx(expected, abs=2e-6)


def four_groups(embedding_4D: Tensor) -> Comparison:
    """512 points in four equal groups of well separated flows, each group with one embedding; the paper's sigma."""
    group = torch.arange(512) % 4
    flow = torch.tensor([[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]])[group]
    return compare(embedding_4D[group][None], flow[None], torch.tensor(math.sqrt(0.0036)))


def test_known_values_of_four_groups() -> None:
    one_hot = torch.eye(4)
    simplex = one_hot - 1 / 4
    for embedding, value in ((torch.ones(4, 4), 6.2385), (one_hot, 6.1883), (simplex, 6.1744)):
        got = four_groups(embedding)
        assert got.cross_entropy.item() == pytest.approx(value, abs=5e-5)
        assert got.entropy.item() == pytest.approx(6.1206, abs=5e-5)
        assert got.constant.item() == pytest.approx(6.2385, abs=5e-5)
    torch.manual_seed(0)
    group = torch.arange(512) % 4
    flow = torch.tensor([[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]])[group]
    # Every point an embedding of its own.
    got = compare(torch.randn(1, 512, 16), flow[None], torch.tensor(0.06))
    assert got.cross_entropy.item() == pytest.approx(6.240, abs=5e-4)
    assert got.cross_entropy.item() > 6.2385


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), points=st.integers(2, 30), sigma=st.floats(0.01, 1.0))
def test_bounds_and_symmetries(seed: int, points: int, sigma: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    phi = torch.randn(1, points, 4, generator=generator, dtype=torch.float64)
    flow = torch.rand(1, points, 2, generator=generator, dtype=torch.float64) * 2 - 1
    width = torch.tensor(sigma, dtype=torch.float64)
    got = compare(phi, flow, width)
    assert got.cross_entropy.item() >= got.entropy.item() - 1e-12
    assert got.entropy.item() <= math.log(points) + 1e-12
    # The constant's value is what a constant embedding gets.
    same = compare(torch.ones_like(phi), flow, width)
    assert same.cross_entropy.item() == pytest.approx(got.constant.item(), abs=1e-10)
    # Only differences of flow, directions of embeddings and no order count.
    order = torch.randperm(points, generator=generator)
    other = compare(phi[:, order] * 7, flow[:, order] + 0.3, width)
    assert other.cross_entropy.item() == pytest.approx(got.cross_entropy.item(), abs=1e-10)


def test_gradients_of_embedding_and_of_log_sigma_equal_finite_differences() -> None:
    torch.manual_seed(1)
    phi, flow = torch.randn(2, 20, 4, dtype=torch.float64), torch.rand(2, 20, 2, dtype=torch.float64) * 0.3
    width = KernelWidth(0.1, (0.01, 1.0)).double()

    def loss(moved: Tensor, shift: float = 0.0) -> Tensor:
        with torch.no_grad():
            width.log_sigma += shift
        value = compare(moved, flow, width()).cross_entropy.mean()
        with torch.no_grad():
            width.log_sigma -= shift
        return value

    phi.requires_grad_()
    loss(phi).backward()
    assert width.log_sigma.grad is not None
    step = 1e-5
    numeric = (loss(phi.detach(), step) - loss(phi.detach(), -step)).item() / (2 * step)
    assert abs(numeric) > 1e-4  # something to compare
    assert width.log_sigma.grad.item() == pytest.approx(numeric, rel=1e-5)
    assert phi.grad is not None
    for place in ((0, 0, 0), (1, 7, 3)):
        moved = torch.zeros_like(phi)
        moved[place] = step
        numeric = (loss(phi.detach() + moved) - loss(phi.detach() - moved)).item() / (2 * step)
        assert phi.grad[place].item() == pytest.approx(numeric, rel=1e-4, abs=1e-9)


@pytest.mark.parametrize("log_sigma", [-40.0, -5.0, 0.0, 3.0, 40.0])
@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_the_gradient_of_log_sigma_is_always_finite(log_sigma: float, spread: float) -> None:
    torch.manual_seed(0)
    width = KernelWidth(0.1, (0.01, 1.0))
    torch.nn.init.constant_(width.log_sigma, log_sigma)
    got = compare(torch.randn(1, 30, 4), torch.rand(1, 30, 2) * spread, width())
    got.cross_entropy.mean().backward()
    assert torch.isfinite(got.cross_entropy).all()
    assert width.log_sigma.grad is not None
    assert torch.isfinite(width.log_sigma.grad)


@pytest.mark.parametrize(("start", "wanted", "ends"), [(0.1, 50.0, 1.0), (0.1, 1e-4, 0.01), (0.1, 0.3, 0.3)])
def test_sigma_stays_in_its_bounds_and_comes_back(start: float, wanted: float, ends: float) -> None:
    width = KernelWidth(start, (0.01, 1.0))
    optimiser = torch.optim.SGD(width.parameters(), lr=0.1)

    def descend(aim: float) -> None:
        for _ in range(100):
            optimiser.zero_grad()
            (width().log() - math.log(aim)).square().backward()
            optimiser.step()
            assert 0.01 - 1e-6 <= width().item() <= 1 + 1e-6

    descend(wanted)
    assert width().item() == pytest.approx(ends, rel=1e-4)
    torch.nn.init.constant_(width.log_sigma, math.log(wanted))  # far outside, as after a large step
    descend(0.2)
    assert width().item() == pytest.approx(0.2, rel=1e-3)


def test_half_precision_around_it_changes_nothing() -> None:
    torch.manual_seed(0)
    phi, flow = torch.randn(2, 64, 16), torch.rand(2, 64, 2)
    expected = compare(phi, flow, torch.tensor(0.06)).cross_entropy
    with torch.autocast("cpu", torch.bfloat16):
        got = compare(phi, flow, torch.tensor(0.06)).cross_entropy
    assert torch.equal(got, expected)

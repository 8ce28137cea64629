"""How CMP's loss is computed: in blocks that cover every pixel, in full precision, without what is not asked for."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from ssl_motion_methods.cmp import loss as loss_module
from ssl_motion_methods.cmp.bins import FlowBins
from ssl_motion_methods.cmp.full_precision import exact_float32_matmul
from ssl_motion_methods.cmp.interpolation import axis_weights, support
from ssl_motion_methods.cmp.loss import flow_cross_entropy

TESTS = Path(__file__).resolve().parents[1]
_reference, _problem = (runpy.run_path(str(TESTS / name)) for name in ("cmp_reference.py", "cmp_loss_problem.py"))
plain_loss, gradient_of = _reference["plain_loss"], _reference["gradient_of"]
problem, assert_equal_to_plain, SMALL = (_problem[name] for name in ("problem", "assert_equal_to_plain", "SMALL"))


class Sizes(TorchDispatchMode):
    """Records the largest tensor that any operation gives back."""

    largest = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else [result]:
            if isinstance(tensor, torch.Tensor):
                self.largest = max(self.largest, tensor.numel())
        return result


def test_logits_are_never_held_at_full_resolution():
    logits, flow = problem(6, (12, 12), (192, 192), FlowBins())
    logits.requires_grad_()
    with Sizes() as sizes:
        sum(flow_cross_entropy(logits, flow, FlowBins())).backward()
    assert sizes.largest <= loss_module.CPU_TILE
    assert 40 * loss_module.CPU_TILE < 6 * 198 * 192 * 192
    with Sizes() as sizes:
        plain_loss(logits, flow, FlowBins())
    assert sizes.largest == 6 * 198 * 192 * 192


def test_without_gradients_none_is_computed():
    logits, flow = problem(2, (5, 5), (30, 30), SMALL)
    expected = flow_cross_entropy(logits.clone().requires_grad_(), flow, SMALL)

    class NoScatter(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            # Only the gradient writes at an index.
            assert "scatter" not in func.__name__, "the gradient was computed"
            return func(*args, **(kwargs or {}))

    with NoScatter():
        with torch.no_grad():
            losses = [flow_cross_entropy(logits.clone().requires_grad_(), flow, SMALL)]
        with torch.inference_mode():
            losses.append(flow_cross_entropy(logits.clone(), flow, SMALL))
        losses.append(flow_cross_entropy(logits, flow, SMALL))
    for loss_x, loss_y in losses:
        assert not loss_x.requires_grad
        assert (loss_x.item(), loss_y.item()) == (expected[0].item(), expected[1].item())
    with pytest.raises(AssertionError, match="gradient was computed"), NoScatter():
        flow_cross_entropy(logits.clone().requires_grad_(), flow, SMALL)


def test_compiled_graphs_leave_it_alone():
    logits, flow = problem(2, (5, 5), (30, 30), SMALL)
    compiled = torch.compile(lambda x, y: flow_cross_entropy(2 * x, y, SMALL), backend="eager")
    expected = gradient_of(lambda x, y: flow_cross_entropy(2 * x, y, SMALL), logits, flow)
    for value, truth in zip(gradient_of(compiled, logits, flow), expected, strict=True):
        assert torch.equal(value, truth)


@pytest.fixture
def _matmul_settings():
    """Put torch's settings of float32 precision back, the newer ones first."""
    matmuls = [m for m in (torch.backends.cuda.matmul, torch.backends.mkldnn) if hasattr(m, "fp32_precision")]
    yield
    for matmul in matmuls:
        matmul.fp32_precision = "none"
    torch.set_float32_matmul_precision("highest")


@pytest.mark.usefixtures("_matmul_settings")
@pytest.mark.parametrize("setting", ["high", "medium"])
def test_allowed_shortcuts_of_matmul_are_not_taken_and_come_back(setting):
    logits, flow = problem(2, (6, 7), (40, 50), SMALL)
    torch.set_float32_matmul_precision(setting)
    with exact_float32_matmul():
        assert torch.get_float32_matmul_precision() == "highest"
        assert not torch.backends.cuda.matmul.allow_tf32
    assert_equal_to_plain(logits, flow, SMALL)
    assert torch.get_float32_matmul_precision() == setting


@pytest.mark.usefixtures("_matmul_settings")
@pytest.mark.skipif(not hasattr(torch.backends.cuda.matmul, "fp32_precision"), reason="torch before 2.9")
def test_shortcuts_allowed_by_the_newer_setting():
    logits, flow = problem(2, (6, 7), (40, 50), SMALL)
    matmul = torch.backends.cuda.matmul
    matmul.fp32_precision = "tf32"
    with exact_float32_matmul():
        assert matmul.fp32_precision == "ieee"
    assert_equal_to_plain(logits, flow, SMALL)
    assert matmul.fp32_precision == "tf32"


@given(source=st.integers(1, 40), target=st.integers(1, 80))
def test_axis_weights_are_torchs_interpolation(source, target):
    weights = axis_weights(source, target, dtype=torch.float64, device=torch.device("cpu"))
    values = torch.from_numpy(np.random.default_rng(source).standard_normal(source))
    expected = F.interpolate(values.view(1, 1, 1, -1), (1, target), mode="bilinear", align_corners=True).view(-1)
    assert torch.allclose(weights @ values, expected, rtol=1e-9, atol=1e-9)
    assert torch.allclose(weights.sum(dim=1), torch.ones(target, dtype=torch.float64))


@given(source=st.integers(1, 60), target=st.integers(1, 120), data=st.data())
def test_support_holds_every_weight(source, target, data):
    start = data.draw(st.integers(0, target - 1))
    stop = data.draw(st.integers(start + 1, target))
    first, last = support(source, target, start, stop)
    weights = axis_weights(source, target, dtype=torch.float64, device=torch.device("cpu"))[start:stop]
    assert 0 <= first < last <= source
    assert torch.allclose(weights[:, first:last].sum(dim=1), torch.ones(stop - start, dtype=torch.float64))


@given(
    batch=st.integers(1, 5),
    source=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    size=st.tuples(st.integers(1, 50), st.integers(1, 50)),
    budget=st.integers(1, 20000),
)
def test_tiles_cover_every_pixel_once(batch, source, size, budget):
    seen = np.zeros((batch, *size), dtype=int)
    for tile in loss_module._tiles((batch, 6, *source), size, budget):
        seen[tile.images, tile.rows, tile.columns] += 1
        count = seen[tile.images, tile.rows, tile.columns]
        assert 6 * count.size <= budget or count.shape[:2] == (1, 1)
    assert (seen == 1).all()

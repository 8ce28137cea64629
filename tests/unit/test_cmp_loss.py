"""CMP's loss and its gradient against plain formulas, and what is refused."""

import runpy
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ssl_motion.errors import DataError, UsageError
from ssl_motion_methods.cmp import loss as loss_module
from ssl_motion_methods.cmp.bins import FlowBins
from ssl_motion_methods.cmp.loss import flow_cross_entropy

TESTS = Path(__file__).resolve().parents[1]
_reference, _problem = (runpy.run_path(str(TESTS / name)) for name in ("cmp_reference.py", "cmp_loss_problem.py"))
plain_loss, gradient_of = _reference["plain_loss"], _reference["gradient_of"]
problem, assert_equal_to_plain, SMALL = (_problem[name] for name in ("problem", "assert_equal_to_plain", "SMALL"))
SIZES = [
    ((1, 1), (1, 1)),
    ((1, 1), (7, 9)),
    ((3, 4), (1, 1)),
    ((3, 1), (8, 5)),
    ((3, 5), (31, 46)),
    ((12, 12), (96, 96)),
    ((6, 40), (11, 83)),
    ((40, 30), (40, 30)),
    ((9, 8), (4, 3)),
    ((30, 41), (13, 5)),
]


@pytest.mark.parametrize("tile", [None, 1, 700])
@pytest.mark.parametrize(("source", "size"), SIZES)
def test_loss_and_gradient_are_the_plain_formulas(source, size, tile, monkeypatch):
    if tile is not None:
        monkeypatch.setattr(loss_module, "CPU_TILE", tile)
        monkeypatch.setattr(loss_module, "TILE_SOURCE_COLUMNS", 3)
    logits, flow = problem(3, source, size, SMALL)
    assert_equal_to_plain(logits, flow, SMALL)


def test_published_shape():
    logits, flow = problem(1, (12, 12), (384, 384), FlowBins())
    assert_equal_to_plain(logits, flow, FlowBins())


@given(
    source=st.tuples(st.integers(1, 9), st.integers(1, 30)),
    size=st.tuples(st.integers(1, 20), st.integers(1, 40)),
    batch=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_any_size(source, size, batch, seed):
    logits, flow = problem(batch, source, size, SMALL, seed=seed)
    assert_equal_to_plain(logits, flow, SMALL)


@pytest.mark.parametrize("scale", [30.0, 300.0, 1e4])
def test_certain_logits_neither_overflow_nor_underflow(scale):
    logits, flow = problem(2, (4, 5), (20, 30), SMALL, scale=scale)
    assert_equal_to_plain(logits, flow, SMALL)


def test_shift_does_not_matter():
    logits, flow = problem(1, (4, 5), (20, 30), SMALL)
    loss_x, loss_y = flow_cross_entropy(logits + 500, flow, SMALL)
    expected = plain_loss(logits.double(), flow, SMALL)
    assert loss_x.item() == pytest.approx(expected[0].item(), rel=1e-4)
    assert loss_y.item() == pytest.approx(expected[1].item(), rel=1e-4)


def test_loss_at_the_start_is_two_ln_99():
    loss_x, loss_y = flow_cross_entropy(torch.zeros(1, 198, 3, 3), torch.zeros(1, 2, 20, 20), FlowBins())
    assert (loss_x + loss_y).item() == pytest.approx(9.19024, abs=1e-5)


def test_axes_do_not_mix():
    logits, flow = problem(1, (4, 5), (20, 30), SMALL)
    loss_x, _, gradient = gradient_of(flow_cross_entropy, logits, flow, SMALL, weights=(1.0, 0.0))
    assert gradient[:, :5].abs().max() > 0
    assert not gradient[:, 5:].any()
    swapped = flow_cross_entropy(logits.roll(5, dims=1), flow.flip(1), SMALL)
    assert torch.allclose(swapped[1], loss_x)
    alone = logits.clone().requires_grad_()
    flow_cross_entropy(alone, flow, SMALL)[0].backward()
    assert torch.equal(alone.grad, gradient)


@pytest.mark.parametrize(("source", "size"), [((2, 3), (5, 4)), ((1, 1), (3, 2)), ((3, 2), (3, 2)), ((4, 3), (2, 2))])
def test_gradcheck(source, size):
    bins = FlowBins(3, 5.0)
    logits, flow = problem(2, source, size, bins, scale=1.0, dtype=torch.float64)
    logits.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: flow_cross_entropy(x, flow, bins), (logits,))
    loss_x, loss_y = flow_cross_entropy(logits, flow, bins)
    assert loss_x.dtype == loss_y.dtype == torch.float64


def test_second_derivatives_are_refused():
    logits, flow = problem(1, (2, 2), (4, 4), SMALL)
    logits.requires_grad_()
    loss_x, _ = flow_cross_entropy(logits, flow, SMALL)
    with pytest.raises(UsageError, match="second derivatives"):
        torch.autograd.grad(loss_x, logits, create_graph=True)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_logits_are_computed_in_float32(dtype):
    logits, flow = problem(2, (6, 7), (40, 50), SMALL)
    half = logits.to(dtype)
    expected = gradient_of(plain_loss, half.double(), flow, SMALL)
    with torch.autocast("cpu", dtype=dtype):
        leaf = half.clone().requires_grad_()
        loss_x, loss_y = flow_cross_entropy(leaf, flow, SMALL)
        (loss_x + loss_y).backward()
    assert loss_x.dtype == torch.float32
    assert leaf.grad.dtype == dtype
    assert torch.allclose(torch.stack([loss_x, loss_y]).detach().double(), torch.stack(expected[:2]), rtol=1e-6)
    step = torch.finfo(dtype).eps
    assert (leaf.grad.double() - expected[2]).abs().max() <= step * expected[2].abs().max()


def test_gradient_under_autocast_reaches_the_layers_below():
    logits, flow = problem(2, (6, 7), (40, 50), SMALL)
    layer = torch.nn.Conv2d(10, 10, 1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = layer(logits)
        assert output.dtype == torch.bfloat16
        loss_x, loss_y = flow_cross_entropy(output, flow, SMALL)
    (loss_x + loss_y).backward()
    got = layer.weight.grad.clone()
    layer.zero_grad()
    sum(plain_loss(layer(logits), flow, SMALL)).backward()
    assert (got - layer.weight.grad).abs().max() <= 0.03 * layer.weight.grad.abs().max()


def test_layout_does_not_matter():
    logits, flow = problem(3, (6, 7), (40, 50), SMALL)
    expected = gradient_of(flow_cross_entropy, logits, flow, SMALL)
    strided = torch.zeros(3, 20, 7, 12)[:, ::2, :, ::2].transpose(2, 3)
    strided.copy_(logits)
    wide_flow = torch.zeros(3, 40, 50, 3)[..., :2].permute(0, 3, 1, 2)
    wide_flow.copy_(flow)
    assert not strided.is_contiguous()
    for variant in (strided, logits.contiguous(memory_format=torch.channels_last)):
        got = gradient_of(flow_cross_entropy, variant, wide_flow, SMALL)
        for value, truth in zip(got, expected, strict=True):
            assert torch.allclose(value, truth, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_flow_that_is_no_number_is_refused(value):
    logits, flow = problem(1, (2, 2), (6, 6), SMALL)
    flow[0, 1, 3, 2] = value
    with pytest.raises(DataError, match="NaN or infinity"):
        flow_cross_entropy(logits, flow, SMALL)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_flow_that_is_no_number_shows_where_it_is_not_looked_for(value):
    logits, flow = problem(1, (2, 2), (6, 6), SMALL)
    flow[0, 1, 3, 2] = value
    losses, gradient = loss_module._loss_and_gradient(logits, flow, SMALL, True)  # as on a GPU
    assert losses.isnan().all()
    assert gradient.isnan().all()


def test_logits_that_are_no_number_show_in_the_loss():
    logits, flow = problem(1, (2, 2), (6, 6), SMALL)
    logits[0, 1, 1, 0] = float("nan")
    loss_x, loss_y = flow_cross_entropy(logits, flow, SMALL)
    assert loss_x.isnan()
    assert loss_y.isfinite()


@pytest.mark.parametrize(
    ("logits", "flow", "message"),
    [
        ((1, 198, 2, 2), (1, 2, 6, 6), r"\[B, 10, H, W\]"),
        ((2, 10, 2, 2), (1, 2, 6, 6), r"\[2, 2, H, W\]"),
        ((1, 10, 2, 2), (1, 3, 6, 6), r"\[1, 2, H, W\]"),
        ((1, 10, 2, 2), (2, 6, 6), r"\[1, 2, H, W\]"),
        ((0, 10, 2, 2), (0, 2, 6, 6), "empty"),
        ((1, 10, 2, 0), (1, 2, 6, 6), "empty"),
        ((1, 10, 2, 2), (1, 2, 6, 0), "empty"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(logits, flow, message):
    with pytest.raises(UsageError, match=message):
        flow_cross_entropy(torch.zeros(logits), torch.zeros(flow), SMALL)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["highest", "high"])
@pytest.mark.parametrize(("source", "size"), [*SIZES, ((12, 12), (384, 384)), ((48, 48), (384, 384))])
def test_on_a_gpu(source, size, precision):
    logits, flow = problem(3, source, size, SMALL)
    expected = gradient_of(plain_loss, logits.double(), flow, SMALL)
    torch.set_float32_matmul_precision(precision)
    try:
        got = gradient_of(flow_cross_entropy, logits.cuda(), flow.cuda(), SMALL)
    finally:
        torch.set_float32_matmul_precision("highest")
    for value, truth in zip(got, expected, strict=True):
        assert (value.cpu().double() - truth).abs().max() <= 1e-5 * truth.abs().max() + 1e-7

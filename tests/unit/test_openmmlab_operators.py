"""The operators that stand in for mmcv's compiled ones, against plain float64 formulas."""

import math
import subprocess
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ssl_motion.openmmlab import operators, plain_ops
from ssl_motion.openmmlab.operators import OperatorMissing, install_operators, operator_source


def reference_nms(boxes: np.ndarray, scores: np.ndarray, threshold: float, offset: int) -> list[int]:
    """The definition, box by box, in float64."""
    kept: list[int] = []
    areas = (boxes[:, 2] - boxes[:, 0] + offset) * (boxes[:, 3] - boxes[:, 1] + offset)
    for index in np.argsort(-scores, kind="stable"):
        beaten = False
        for other in kept:
            width = max(0.0, min(boxes[index, 2], boxes[other, 2]) - max(boxes[index, 0], boxes[other, 0]) + offset)
            height = max(0.0, min(boxes[index, 3], boxes[other, 3]) - max(boxes[index, 1], boxes[other, 1]) + offset)
            union = areas[index] + areas[other] - width * height
            beaten = beaten or (union != 0 and width * height / union > threshold)
        if not beaten:
            kept.append(int(index))
    return kept


def random_boxes(seed: int, count: int, degenerate: bool) -> Tensor:
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 50, (count, 2))
    sizes = rng.uniform(1, 30, (count, 2))
    if degenerate:
        # Whole numbers make equal boxes and overlaps exactly at the threshold; zero sizes make 0/0.
        corners, sizes = np.floor(corners / 5), np.floor(sizes / 10)
    return torch.tensor(np.concatenate([corners, corners + sizes], axis=1), dtype=torch.float32)


@given(
    st.integers(0, 10_000), st.integers(0, 60), st.sampled_from([0.0, 0.3, 0.5, 0.9]), st.booleans(), st.integers(0, 1)
)
@settings(max_examples=60, deadline=None)
def test_nms_follows_its_definition(seed: int, count: int, threshold: float, degenerate: bool, offset: int) -> None:
    boxes = random_boxes(seed, count, degenerate)
    scores = torch.rand(count, generator=torch.Generator().manual_seed(seed))
    kept = plain_ops.nms(boxes, scores, threshold, offset)
    assert kept.dtype == torch.int64
    expected = reference_nms(boxes.double().numpy(), scores.double().numpy(), threshold, offset)
    assert kept.tolist() == expected


def test_nms_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    boxes, scores = random_boxes(1, 400, False), torch.rand(400, generator=torch.Generator().manual_seed(1))
    whole = plain_ops.nms(boxes, scores, 0.4)
    assert 10 < len(whole) < 400
    monkeypatch.setattr(plain_ops, "_BLOCK", 7)
    assert torch.equal(plain_ops.nms(boxes, scores, 0.4), whole)


def reference_roi_align(
    features: np.ndarray, rois: np.ndarray, size: tuple[int, int], scale: float, sampling: int, aligned: bool
) -> np.ndarray:
    """Sample by sample, in float64 (He et al. 2017; borders as in Detectron)."""
    channels, height, width = features.shape[1:]
    output = np.zeros((len(rois), channels, *size))
    shift = 0.5 if aligned else 0.0
    for region, (image, *corners) in enumerate(rois):
        x1, y1, x2, y2 = (corner * scale - shift for corner in corners)
        w, h = x2 - x1, y2 - y1
        if not aligned:
            w, h = max(w, 1.0), max(h, 1.0)
        bin_h, bin_w = h / size[0], w / size[1]
        count_y, count_x = (sampling or math.ceil(bin_h)), (sampling or math.ceil(bin_w))
        for p in range(size[0]):
            for q in range(size[1]):
                total = np.zeros(channels)
                for iy in range(count_y):
                    for ix in range(count_x):
                        y = y1 + p * bin_h + (iy + 0.5) * bin_h / count_y
                        x = x1 + q * bin_w + (ix + 0.5) * bin_w / count_x
                        if not (-1 <= y <= height and -1 <= x <= width):
                            continue
                        y, x = min(max(y, 0.0), height - 1.0), min(max(x, 0.0), width - 1.0)
                        top, left = int(y), int(x)
                        bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
                        cell = features[int(image)]
                        upper = cell[:, top, left] * (1 - (x - left)) + cell[:, top, right] * (x - left)
                        lower = cell[:, bottom, left] * (1 - (x - left)) + cell[:, bottom, right] * (x - left)
                        total += upper * (1 - (y - top)) + lower * (y - top)
                output[region, :, p, q] = total / max(count_y * count_x, 1)
    return output


ROIS = torch.tensor(
    [
        [0, 3.0, 4.0, 30.0, 25.0],
        [1, -20.3, -9.1, 60.0, 70.0],  # beyond every border
        [1, 10.0, 10.0, 10.0, 10.0],  # empty
        [0, 5.0, 8.0, 5.0, 30.0],  # no width
        [1, 39.0, 31.0, 39.5, 31.5],  # less than a cell, at the last one
        [0, 200.0, 200.0, 230.0, 240.0],  # wholly outside
        [0, 0.0, 0.0, 40.0, 32.0],  # everything
    ]
)


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("sampling", [0, 2])
@pytest.mark.parametrize("size", [(7, 7), (3, 2)])
def test_roi_align_follows_its_definition(aligned: bool, sampling: int, size: tuple[int, int]) -> None:
    features = torch.randn(2, 3, 16, 20, generator=torch.Generator().manual_seed(2))
    expected = reference_roi_align(features.double().numpy(), ROIS.double().numpy(), size, 0.5, sampling, aligned)
    single = plain_ops.roi_align(features, ROIS, size, 0.5, sampling, aligned)
    double = plain_ops.roi_align(features.double(), ROIS.double(), size, 0.5, sampling, aligned)
    np.testing.assert_allclose(double.numpy(), expected, atol=1e-12)
    np.testing.assert_allclose(single.numpy(), expected, atol=2e-5)


@pytest.mark.parametrize("aligned", [True, False])
def test_roi_align_backward_is_its_adjoint(aligned: bool) -> None:
    generator = torch.Generator().manual_seed(3)
    features = torch.randn(2, 3, 16, 20, generator=generator, dtype=torch.float64)
    gradient = torch.randn(len(ROIS), 3, 4, 5, generator=generator, dtype=torch.float64)
    rois = ROIS.double()
    forward = plain_ops.roi_align(features, rois, (4, 5), 0.5, 0, aligned)
    backward = plain_ops.roi_align_backward(gradient, rois, (2, 3, 16, 20), 0.5, 0, aligned)
    assert float((forward * gradient).sum()) == pytest.approx(float((features * backward).sum()), rel=1e-12)
    assert backward.abs().sum() > 0


def test_roi_align_in_half_precision_and_without_regions() -> None:
    features = torch.randn(1, 2, 8, 8, generator=torch.Generator().manual_seed(4)).half()
    found = plain_ops.roi_align(features, ROIS[:1], (2, 2), 0.25, 0, True)
    assert found.dtype == torch.float16
    assert plain_ops.roi_align(features, ROIS[:0], (2, 2), 0.25, 0, True).shape == (0, 2, 2, 2)
    assert plain_ops.roi_align_backward(torch.zeros(0, 2, 2, 2), ROIS[:0], (1, 2, 8, 8), 0.25, 0, True).sum() == 0


@pytest.mark.parametrize("corner", [2.0, float("nan")])
def test_roi_align_refuses_negative_sizes(corner: float) -> None:
    rois = torch.tensor([[0.0, 9.0, 9.0, corner, 12.0]])
    with pytest.raises(ValueError, match="negative size"):
        plain_ops.roi_align(torch.ones(1, 1, 8, 8), rois, (2, 2), 1.0, 0, True)


def test_mmcv_finds_the_operators() -> None:
    install_operators()
    if operator_source() == "a compiled mmcv":
        pytest.skip("a compiled mmcv is installed and wins")
    from mmcv.ops import RoIAlign, batched_nms, nms, softmax_focal_loss
    from mmcv.utils.ext_loader import check_ops_exist

    assert check_ops_exist()
    boxes, scores = random_boxes(5, 50, False), torch.rand(50, generator=torch.Generator().manual_seed(5))
    kept = nms(boxes, scores, 0.5)[1]
    assert kept.tolist() == reference_nms(boxes.double().numpy(), scores.double().numpy(), 0.5, 0)
    per_class = batched_nms(boxes, scores, torch.arange(50) % 2, {"type": "nms", "iou_threshold": 0.5})[1]
    assert len(per_class) >= len(kept)
    layer = RoIAlign(output_size=7, spatial_scale=0.5, sampling_ratio=0, aligned=True)
    features = torch.randn(2, 3, 16, 20, generator=torch.Generator().manual_seed(6), requires_grad=True)
    layer(features, ROIS).square().sum().backward()
    assert features.grad is not None
    numeric = torch.autograd.functional.jvp(
        lambda x: layer_free(x).square().sum(), features.detach(), torch.ones_like(features)
    )[1]
    assert float(features.grad.sum()) == pytest.approx(float(numeric), rel=1e-4)
    with pytest.raises(OperatorMissing, match=r"softmax_focal_loss_forward.*mmcv==2\.1\.0"):
        softmax_focal_loss(torch.randn(4, 3), torch.tensor([0, 1, 2, 0]))
    maximum = RoIAlign(output_size=2, pool_mode="max")
    with pytest.raises(OperatorMissing, match="maximum pooling"):
        maximum(torch.randn(1, 1, 8, 8), ROIS[:1])


def layer_free(features: Tensor) -> Tensor:
    """RoIAlign as one matrix per axis that autograd differentiates by itself."""
    plan = plain_ops._plan(ROIS, features.shape[2:], (7, 7), 0.5, 0, True)
    parts = [
        rows @ (features[image, :, top:bottom, left:right] @ columns.T)
        for image, top, bottom, left, right, rows, columns in plan
    ]
    return torch.stack(parts)


def test_a_fresh_process_needs_the_installation_first() -> None:
    # In this process mmcv may have been imported already; a new one shows that the order works.
    code = (
        "from ssl_motion.openmmlab.operators import install_operators; install_operators(); install_operators();"
        "import sys, mmcv.ops; from mmcv.utils import collect_env; assert 'mmcv._ext' in sys.modules; print('fine')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "fine", done.stderr


def test_a_compiled_extension_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "mmcv._ext", raising=False)
    monkeypatch.setattr(operators, "_compiled", lambda: True)
    install_operators()
    assert "mmcv._ext" not in sys.modules
    compiled = ModuleType("mmcv._ext")
    monkeypatch.setitem(sys.modules, "mmcv._ext", compiled)
    monkeypatch.setattr(operators, "_compiled", lambda: False)
    install_operators()
    assert sys.modules["mmcv._ext"] is compiled


def test_torchvision_is_used_where_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def vision_nms(boxes: Tensor, scores: Tensor, threshold: float) -> Tensor:
        calls.append("nms")
        return plain_ops.nms(boxes, scores, threshold)

    monkeypatch.setattr(operators, "_torchvision", lambda: SimpleNamespace(ops=SimpleNamespace(nms=vision_nms)))
    boxes, scores = random_boxes(5, 20, False), torch.rand(20, generator=torch.Generator().manual_seed(5))
    assert torch.equal(operators.nms(boxes, scores, 0.5, 0), plain_ops.nms(boxes, scores, 0.5))
    assert calls == ["nms"]
    operators.nms(boxes, scores, 0.5, 1)  # torchvision knows no offset
    assert calls == ["nms"]


@pytest.mark.gpu
def test_operators_on_a_gpu_equal_those_on_the_cpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    boxes, scores = random_boxes(5, 500, False), torch.rand(500, generator=torch.Generator().manual_seed(5))
    assert (
        operators.nms(boxes.cuda(), scores.cuda(), 0.5, 0).cpu().tolist() == plain_ops.nms(boxes, scores, 0.5).tolist()
    )
    features = torch.randn(2, 3, 16, 20, generator=torch.Generator().manual_seed(2))
    arguments = {
        "aligned_height": 7, "aligned_width": 7, "spatial_scale": 0.5,
        "sampling_ratio": 0, "pool_mode": 1, "aligned": True,
    }  # fmt: skip
    output, none = torch.zeros(len(ROIS), 3, 7, 7, device="cuda"), torch.zeros(0, device="cuda")
    operators.roi_align_forward(features.cuda(), ROIS.cuda(), output, none, none, **arguments)
    torch.testing.assert_close(
        output.cpu(), plain_ops.roi_align(features, ROIS, (7, 7), 0.5, 0, True), atol=2e-5, rtol=0
    )
    gradient = torch.zeros(2, 3, 16, 20, device="cuda")
    operators.roi_align_backward(output, ROIS.cuda(), none, none, gradient, **arguments)
    expected = plain_ops.roi_align_backward(output.cpu(), ROIS, (2, 3, 16, 20), 0.5, 0, True)
    torch.testing.assert_close(gradient.cpu(), expected, atol=2e-4, rtol=0)

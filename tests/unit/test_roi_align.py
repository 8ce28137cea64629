"""RoIAlign in plain torch: values and gradients over random and degenerate boxes, none, and beside compiled mmcv."""

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ssl_motion.openmmlab import plain_ops, recipes
from ssl_motion.openmmlab.libraries import use_mmdet
from ssl_motion.openmmlab.operators import operator_source

roi_align_loop = runpy.run_path(str(Path(__file__).parents[1] / "roi_align_loop.py"))["roi_align_loop"]
SHAPE = (2, 3, 12, 15)
SCALE = 0.25


def boxes(seed: int, count: int, degenerate: bool) -> Tensor:
    """Float64 [count, 5]; degenerate ones are empty, without a side, on the border, and far outside."""
    rng = np.random.default_rng(seed)
    corners = rng.uniform(-20, 60, (count, 2))
    sizes = rng.uniform(0, 60, (count, 2))
    if degenerate:
        sizes *= rng.integers(0, 2, (count, 2))
        corners = np.where(
            rng.random((count, 2)) < 0.3, 4.0 * np.array([SHAPE[3], SHAPE[2]]), np.floor(corners / 4) * 4
        )
        corners += np.where(rng.random((count, 1)) < 0.1, 500.0, 0.0)
    images = rng.integers(0, SHAPE[0], (count, 1))
    return torch.tensor(np.concatenate([images, corners, corners + sizes], axis=1))


@given(
    st.integers(0, 10_000),
    st.integers(0, 5),
    st.booleans(),
    st.sampled_from([(7, 7), (2, 3), (1, 1)]),
    st.integers(0, 3),
    st.booleans(),
)
@settings(max_examples=80, deadline=None)
def test_values_and_gradients_equal_those_of_the_definition(
    seed: int, count: int, degenerate: bool, size: tuple[int, int], sampling: int, aligned: bool
) -> None:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(SHAPE, generator=generator, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(count, SHAPE[1], *size, generator=generator, dtype=torch.float64)
    rois = boxes(seed, count, degenerate)
    expected = roi_align_loop(features, rois, size, SCALE, sampling, aligned)
    if expected.requires_grad:
        (expected * weight).sum().backward()
    slope = features.grad if features.grad is not None else torch.zeros(SHAPE, dtype=torch.float64)
    for kind, tolerance in ((torch.float64, 1e-11), (torch.float32, 2e-4)):
        values = plain_ops.roi_align(features.detach().to(kind), rois.to(kind), size, SCALE, sampling, aligned)
        assert values.dtype == kind
        torch.testing.assert_close(values.double(), expected.detach(), atol=tolerance, rtol=0)
        gradient = plain_ops.roi_align_backward(weight.to(kind), rois.to(kind), SHAPE, SCALE, sampling, aligned)
        torch.testing.assert_close(gradient.double(), slope, atol=tolerance, rtol=0)


def detector(**test_cfg: Any) -> Any:
    """The built-in world's Mask R-CNN in a small size."""
    use_mmdet()
    from mmdet.registry import MODELS
    from mmengine.config import Config

    recipe = recipes.load_recipe("puppets_coco")
    recipe["model"]["test_cfg"]["rpn"].update(test_cfg)
    with MODELS.switch_scope_and_registry("mmdet"):
        return MODELS.build(Config({"model": recipe["model"]}).model)


def sample(boxes_N4: Tensor) -> Any:
    """What mmdet's pipeline makes of a 64x64 image with objects of one class."""
    from mmdet.structures import DetDataSample
    from mmdet.structures.mask import BitmapMasks
    from mmengine.structures import InstanceData

    masks = np.zeros((len(boxes_N4), 64, 64), np.uint8)
    for mask, (left, top, right, bottom) in zip(masks, boxes_N4.int().tolist(), strict=True):
        mask[top:bottom, left:right] = 1
    side = dict.fromkeys(("img_shape", "ori_shape", "pad_shape", "batch_input_shape"), (64, 64))
    found = DetDataSample(metainfo={**side, "scale_factor": (1.0, 1.0)})
    found.gt_instances = InstanceData(
        bboxes=boxes_N4, labels=torch.zeros(len(boxes_N4), dtype=torch.int64), masks=BitmapMasks(masks, 64, 64)
    )
    found.ignored_instances = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.int64))
    return found


def test_a_detector_without_any_proposal_finds_nothing() -> None:
    model = detector(max_per_img=0).eval()
    with torch.no_grad():
        (result,) = model.predict(torch.zeros(1, 3, 64, 64), [sample(torch.zeros(0, 4))])
    assert len(result.pred_instances) == 0
    assert result.pred_instances.masks.shape == (0, 64, 64)


def test_images_without_objects_train_the_rest() -> None:
    model = detector().train()
    empty, one = sample(torch.zeros(0, 4)), sample(torch.tensor([[10.0, 12.0, 40.0, 50.0]]))
    for batch in ([empty, empty], [empty, one]):
        model.zero_grad()
        losses = model.loss(torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1)), batch)
        total = sum(sum(each) if isinstance(each, list) else each for key, each in losses.items() if "loss" in key)
        assert isinstance(total, Tensor)
        assert torch.isfinite(total)
        total.backward()
    assert float(losses["loss_mask"]) > 0
    gradient = model.backbone.trunk.conv1[0].weight.grad
    assert torch.isfinite(gradient).all()
    assert gradient.abs().sum() > 0


def test_compiled_operators_agree() -> None:
    if operator_source() != "a compiled mmcv":
        pytest.skip("mmcv is installed without its compiled operators")
    from mmcv.ops import RoIAlign, nms

    for seed in range(10):
        rois, features = boxes(seed, 20, bool(seed % 2)).float(), torch.randn(SHAPE, requires_grad=True)
        compiled = RoIAlign((7, 7), SCALE, 2, "avg", True)(features, rois)
        compiled.square().sum().backward()
        plain = plain_ops.roi_align(features.detach(), rois, (7, 7), SCALE, 2, True)
        torch.testing.assert_close(plain, compiled.detach(), atol=2e-5, rtol=0)
        slope = plain_ops.roi_align_backward(2 * plain, rois, SHAPE, SCALE, 2, True)
        torch.testing.assert_close(slope, features.grad, atol=2e-4, rtol=0)
        scores = torch.rand(20, generator=torch.Generator().manual_seed(seed))
        corners = rois[:, 1:].contiguous()
        assert torch.equal(nms(corners, scores, 0.5)[1], plain_ops.nms(corners, scores, 0.5))

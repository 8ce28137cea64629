"""The resolved COCO recipes, field by field, against the published settings that they stand for."""

import runpy
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from torch import nn

from ssl_motion.openmmlab.libraries import use_mmdet
from ssl_motion_benchmarks.coco_mask_rcnn import CocoMaskRCNN

table = runpy.run_path(str(Path(__file__).parents[1] / "protocol_table.py"))
differences, rates, ABSENT = (table[name] for name in ("differences", "rates", "ABSENT"))

RPN, ROI, TRAIN, TEST = "model.rpn_head", "model.roi_head", "model.train_cfg", "model.test_cfg"
# open-mmlab/mmdetection, mask-rcnn_r50_fpn_1x_coco.
COMMON = {
    "default_scope": "mmdet",
    "train_dataloader.batch_size": 16,
    "train_cfg.passes": ABSENT,
    "train_dataloader.dataset.dataset.type": "CocoDataset",
    "train_dataloader.dataset.dataset.ann_file": "annotations/instances_train2017.json",
    "train_dataloader.dataset.dataset.filter_cfg": {"filter_empty_gt": True, "min_size": 32},
    "test_dataloader.dataset.ann_file": "annotations/instances_val2017.json",
    "train_pipeline.1": {"type": "LoadAnnotations", "with_bbox": True, "with_mask": True},
    "train_pipeline.3": {"type": "RandomFlip", "prob": 0.5},
    "test_pipeline.1": {"type": "Resize", "scale": [1333, 800], "keep_ratio": True},
    "model.type": "MaskRCNN",
    "model.data_preprocessor.mean": [123.675, 116.28, 103.53],
    "model.data_preprocessor.std": [58.395, 57.12, 57.375],
    "model.data_preprocessor.pad_size_divisor": 32,
    "model.backbone.spec": {"arch": "resnet50"},
    "model.backbone.out_stages": ["layer1", "layer2", "layer3", "layer4"],
    "model.backbone.init_cfg": ABSENT,
    "model.neck.type": "FPN",
    "model.neck.in_channels": [256, 512, 1024, 2048],
    "model.neck.out_channels": 256,
    "model.neck.num_outs": 5,
    f"{RPN}.anchor_generator.scales": [8],
    f"{RPN}.anchor_generator.ratios": [0.5, 1.0, 2.0],
    f"{RPN}.anchor_generator.strides": [4, 8, 16, 32, 64],
    f"{ROI}.bbox_roi_extractor.roi_layer.output_size": 7,
    f"{ROI}.bbox_roi_extractor.featmap_strides": [4, 8, 16, 32],
    f"{ROI}.mask_roi_extractor.roi_layer.output_size": 14,
    f"{ROI}.bbox_head.fc_out_channels": 1024,
    f"{ROI}.bbox_head.num_classes": 80,
    f"{ROI}.mask_head.type": "FCNMaskHead",
    f"{ROI}.mask_head.num_convs": 4,
    f"{ROI}.mask_head.num_classes": 80,
    f"{TRAIN}.rpn.assigner.pos_iou_thr": 0.7,
    f"{TRAIN}.rpn.assigner.neg_iou_thr": 0.3,
    f"{TRAIN}.rpn.sampler.num": 256,
    f"{TRAIN}.rpn.sampler.pos_fraction": 0.5,
    f"{TRAIN}.rcnn.assigner.pos_iou_thr": 0.5,
    f"{TRAIN}.rcnn.assigner.neg_iou_thr": 0.5,
    f"{TRAIN}.rcnn.sampler.num": 512,
    f"{TRAIN}.rcnn.sampler.pos_fraction": 0.25,
    f"{TEST}.rcnn.score_thr": 0.05,
    f"{TEST}.rcnn.nms": {"type": "nms", "iou_threshold": 0.5},
    f"{TEST}.rcnn.max_per_img": 100,
    "optim_wrapper.optimizer": {"type": "SGD", "lr": 0.02, "momentum": 0.9, "weight_decay": 1e-4},
    "optim_wrapper.accumulative_counts": ABSENT,
    "optim_wrapper.paramwise_cfg": ABSENT,
}
EPOCH = 7330  # iterations of 16 over the 117,266 images of train2017 that have boxes

# mmdetection before 2.0 (early 2019): "BN layer statistics fixed", first stage frozen; Shared2FC; one scale.
CMP2019 = {
    **COMMON,
    "sync_bn": ABSENT,
    "model.backbone.frozen": "layer1",
    "model.backbone.norm_eval": True,
    "model.neck.norm_cfg": ABSENT,
    f"{ROI}.bbox_head.type": "Shared2FCBBoxHead",
    f"{ROI}.bbox_head.norm_cfg": ABSENT,
    f"{ROI}.mask_head.norm_cfg": ABSENT,
    "train_pipeline.2": {"type": "Resize", "scale": [1333, 800], "keep_ratio": True},
    "param_scheduler.1.milestones": [8 * EPOCH, 11 * EPOCH],
    "train_cfg.max_iters": 12 * EPOCH,
}
# open-mmlab/mmselfsup, mask-rcnn_r50_fpn_ms-1x_coco.
SSL_1X = {
    **COMMON,
    "sync_bn": "torch",
    "model.backbone.frozen": ABSENT,
    "model.backbone.norm_eval": ABSENT,
    "model.neck.norm_cfg": {"type": "BN", "requires_grad": True},
    f"{ROI}.bbox_head.type": "Shared4Conv1FCBBoxHead",
    f"{ROI}.bbox_head.norm_cfg": {"type": "BN", "requires_grad": True},
    f"{ROI}.mask_head.norm_cfg": {"type": "BN", "requires_grad": True},
    "optim_wrapper.clip_grad": ABSENT,
    "train_pipeline.2": {
        "type": "RandomChoiceResize",
        "scales": [[1333, side] for side in (640, 672, 704, 736, 768, 800)],
        "keep_ratio": True,
    },
    "param_scheduler.0": {"type": "LinearLR", "start_factor": 0.001, "begin": 0, "end": 500, "by_epoch": False},
    "param_scheduler.1.milestones": [8 * EPOCH, 11 * EPOCH],
    "train_cfg.max_iters": 12 * EPOCH,
}
SSL_2X = {
    **SSL_1X,
    "param_scheduler.0": {"type": "LinearLR", "start_factor": 0.001, "begin": 0, "end": 1000, "by_epoch": False},
    "param_scheduler.1.milestones": [16 * EPOCH, 22 * EPOCH],
    "train_cfg.max_iters": 24 * EPOCH,
}
TABLES: dict[str, dict[str, Any]] = {"coco_cmp2019": CMP2019, "coco_ssl_1x": SSL_1X, "coco_ssl_2x": SSL_2X}


def recipe(preset: str) -> Any:
    return CocoMaskRCNN(CocoMaskRCNN.Config.model_validate({"preset": preset})).recipe()


def test_every_full_preset_has_a_table() -> None:
    tasks = {name: CocoMaskRCNN(CocoMaskRCNN.Config.model_validate({"preset": name})) for name in CocoMaskRCNN.presets}
    assert {name for name, task in tasks.items() if task.scale == "full"} == set(TABLES)


@pytest.mark.parametrize("preset", TABLES)
def test_the_recipe_says_what_its_table_says(preset: str) -> None:
    assert not differences(recipe(preset), TABLES[preset])


def test_the_rates_rise_and_fall_where_the_table_says() -> None:
    steps = rates(recipe("coco_ssl_1x"), [0, 499, 58639, 58640, 80629, 80630])
    assert list(steps.values()) == pytest.approx([2e-5, 0.02, 0.02, 0.002, 0.002, 0.0002], rel=1e-3)
    # In 2019 the warm-up began at a third.
    assert rates(recipe("coco_cmp2019"), [0])[0] == pytest.approx(0.02 / 3, rel=1e-6)


@pytest.mark.parametrize(("preset", "frozen"), [("coco_cmp2019", True), ("coco_ssl_1x", False)])
def test_what_is_frozen_in_the_network(preset: str, frozen: bool) -> None:
    use_mmdet()
    from mmdet.registry import MODELS

    settings = {**recipe(preset)["model"]["backbone"], "spec": {"arch": "resnet18", "width": 8}}
    with MODELS.switch_scope_and_registry("mmdet"):
        trunk = MODELS.build(Config({"backbone": settings}).backbone).train().trunk
    fixed = {name.split(".")[0] for name, value in trunk.named_parameters() if not value.requires_grad}
    assert fixed == ({"conv1", "bn1", "layer1"} if frozen else set())
    norms = [layer for layer in trunk.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert norms
    assert all(layer.training != frozen for layer in norms)
    assert trunk.layer2[0].bn1.weight.requires_grad, "affine parameters are trained in either"
    assert torch.equal(trunk.layer2[0].bn1.running_mean, torch.zeros_like(trunk.layer2[0].bn1.running_mean))

"""The resolved VOC 2007 protocols, field by field, against the published settings that they stand for."""

import runpy
from pathlib import Path
from typing import Any

import pytest
import torch

from ssl_motion_benchmarks.voc07_cls import Voc07Cls, finetune, svm
from ssl_motion_benchmarks.voc07_det import Voc07Det

table = runpy.run_path(str(Path(__file__).parents[1] / "protocol_table.py"))
differences, rates, ABSENT = (table[name] for name in ("differences", "rates", "ABSENT"))

# philkr/voc-classification: train.py and its solver; as facts of the protocol.
FINETUNED = {
    "train_split": "trainval",
    "val_split": "test",
    "effective_batch": 16,
    "iterations": 80000,
    "optimiser.type": "SGD",
    "optimiser.lr": 1e-3,
    "optimiser.momentum": 0.9,
    "optimiser.weight_decay": 1e-6,
    "optimiser.clip_grad.max_norm": 10,
    "schedule.0.step_size": 10000,
    "schedule.0.gamma": 0.5,
    "augmentation.scale": [0.5, 2.0],
    "augmentation.mirror": True,
    "test_mode.crops": 10,
    "ap_rule": "step",
    "rescaled": False,
    "frozen_stages": "none",
    "head.num_classes": 20,
}
# facebookresearch/fair_self_supervision_benchmark and VISSL.
SVM = {
    "train_split": "trainval",
    "val_split": "test",
    "frozen_stages": "all",
    "features.pooled_to": 9600,
    "ap_rule": "envelope",
    "cost_chosen_on": "3 folds of the training images, for every class",
}
LOWSHOT = {
    **{key: value for key, value in SVM.items() if key != "cost_chosen_on"},
    "shots": [1, 2, 4, 8, 16, 32, 64, 96],
    "draws": 5,
}
CLASSIFICATION: dict[str, dict[str, Any]] = {"voc07_cls_ft": FINETUNED, "voc07_svm": SVM, "voc07_lowshot": LOWSHOT}

# Girshick 2015 (Fast R-CNN) as Pathak et al. and Mahendran et al. use it with AlexNet.
FAST = {
    "train_dataloader.batch_size": 2,
    "train_dataloader.dataset.dataset.split": "trainval",
    "test_dataloader.dataset.split": "test",
    "train_cfg.max_iters": 150000,
    "optim_wrapper.optimizer.type": "SGD",
    "optim_wrapper.optimizer.lr": 2e-3,
    "optim_wrapper.optimizer.momentum": 0.9,
    "optim_wrapper.optimizer.weight_decay": 5e-4,
    "model.type": "FastRCNN",
    "model.rpn_head": ABSENT,
    "model.backbone.spec": {"arch": "alexnet_32x"},
    "model.backbone.out_stages": ["conv5"],
    "model.backbone.frozen": ABSENT,
    "model.roi_head.bbox_head.fc_out_channels": 4096,
    "model.roi_head.bbox_head.num_classes": 20,
    "model.roi_head.bbox_roi_extractor.roi_layer.output_size": 6,
    "model.train_cfg.rcnn.sampler.num": 64,
    "model.train_cfg.rcnn.sampler.pos_fraction": 0.25,
    "model.train_cfg.rcnn.assigner.pos_iou_thr": 0.5,
    "model.train_cfg.rcnn.assigner.neg_iou_thr": [0.1, 0.5],
    "model.test_cfg.rcnn.nms": {"type": "nms", "iou_threshold": 0.3},
    "test_evaluator.type": "Voc07APMetric",
}
# mmdetection's faster-rcnn_r50_fpn_1x_voc0712 on VOC 2007 alone (ours).
FASTER = {
    "train_dataloader.batch_size": 16,
    "train_dataloader.dataset.dataset.split": "trainval",
    "test_dataloader.dataset.split": "test",
    "train_cfg.max_iters": 3758,
    "sync_bn": "torch",
    "model.type": "FasterRCNN",
    "model.backbone.spec": {"arch": "resnet50"},
    "model.backbone.out_stages": ["layer1", "layer2", "layer3", "layer4"],
    "model.neck.out_channels": 256,
    "model.roi_head.bbox_head.num_classes": 20,
    "model.rpn_head.anchor_generator.scales": [8],
    "train_pipeline.2": {"type": "Resize", "scale": [1000, 600], "keep_ratio": True},
    "train_pipeline.3": {"type": "RandomFlip", "prob": 0.5},
    "model.test_cfg.rcnn.score_thr": 0.05,
    "model.test_cfg.rcnn.max_per_img": 100,
}
DETECTION: dict[str, dict[str, Any]] = {"voc07_det_fast": FAST, "voc07_det_faster": FASTER}


def task(kind: Any, preset: str) -> Any:
    return kind(kind.Config.model_validate({"preset": preset}))


@pytest.mark.parametrize(("kind", "tables"), [(Voc07Cls, CLASSIFICATION), (Voc07Det, DETECTION)])
def test_every_full_preset_has_a_table(kind: Any, tables: dict[str, Any]) -> None:
    assert {preset for preset in kind.presets if task(kind, preset).scale == "full"} == set(tables)


@pytest.mark.parametrize("preset", CLASSIFICATION)
def test_classification_says_what_its_table_says(preset: str) -> None:
    assert not differences(task(Voc07Cls, preset).protocol(), CLASSIFICATION[preset])


@pytest.mark.parametrize("preset", DETECTION)
def test_detection_says_what_its_table_says(preset: str) -> None:
    assert not differences(task(Voc07Det, preset).recipe(), DETECTION[preset])


def test_fine_tuning_halves_the_rate_every_10000_iterations() -> None:
    recipe = finetune.make_recipe(Voc07Cls.Config(preset="voc07_cls_ft"), ["cat"], "trainval", "test")  # type: ignore[arg-type]
    steps = rates(recipe, [0, 9999, 10000, 20000, 70000, 79999])
    assert list(steps.values()) == pytest.approx([1e-3, 1e-3, 5e-4, 2.5e-4, 1e-3 / 128, 1e-3 / 128])


def test_fast_rcnn_takes_a_tenth_of_the_rate_every_50000_iterations() -> None:
    steps = rates(task(Voc07Det, "voc07_det_fast").recipe(), [0, 49999, 50000, 99999, 100000, 149999])
    assert list(steps.values()) == pytest.approx([2e-3, 2e-3, 2e-4, 2e-4, 2e-5, 2e-5])


def test_the_costs_of_the_svms() -> None:
    costs = task(Voc07Cls, "voc07_svm").protocol()["costs"]
    assert {0.5**power for power in range(4, 20)} <= set(costs)
    assert svm.FOLDS == 3


def test_the_svm_is_the_published_one(monkeypatch: pytest.MonkeyPatch) -> None:
    import sklearn.svm

    seen: dict[str, Any] = {}

    class Recorded(sklearn.svm.LinearSVC):  # type: ignore[misc]  # scikit-learn ships no types
        def __init__(self, **settings: Any) -> None:
            seen.update(settings)
            super().__init__(**settings)

    monkeypatch.setattr(sklearn.svm, "LinearSVC", Recorded)
    torch.manual_seed(0)
    features = svm.normalise(torch.randn(12, 4).numpy())
    svm.fit(features, torch.tensor([1, -1] * 6, dtype=torch.int8).numpy(), 0.25)
    wanted = {"C": 0.25, "penalty": "l2", "loss": "squared_hinge", "dual": True, "max_iter": 2000}
    assert wanted.items() <= seen.items()
    assert seen["class_weight"] == {1: 2, -1: 1}
    assert (features**2).sum(axis=1) == pytest.approx([1.0] * 12, abs=1e-3)

"""The resolved protocols of parsing, hypercolumns and linear read-outs, field by field, against their sources."""

import runpy
from pathlib import Path
from typing import Any

import pytest

from ssl_motion_benchmarks.dense_linear import DenseLinear
from ssl_motion_benchmarks.imagenet_linear import ImageNetLinear
from ssl_motion_benchmarks.lip import LIP
from ssl_motion_benchmarks.voc_hypercolumn import VocHypercolumn

table = runpy.run_path(str(Path(__file__).parents[1] / "protocol_table.py"))
differences, rates, ABSENT = (table[name] for name in ("differences", "rates", "ABSENT"))

# gustavla/self-supervision, selfsup/evaluate/voc_segmentation.py; stages as Mahendran et al. name them for AlexNet.
HYPERCOLUMN = {
    "train_dataloader.batch_size": 10,
    "train_dataloader.dataset.dataset.datasets.0.ann_file": "ImageSets/Segmentation/train.txt",
    "train_dataloader.dataset.dataset.datasets.1.data_prefix.seg_map_path": "SegmentationClassAug",
    "test_dataloader.dataset.ann_file": "ImageSets/Segmentation/val.txt",
    "train_cfg.max_iters": 40000,
    "train_cfg.passes": ABSENT,
    "optim_wrapper.accumulative_counts": ABSENT,
    "optim_wrapper.optimizer.type": "SGD",
    "optim_wrapper.optimizer.lr": 1e-3,
    "optim_wrapper.optimizer.momentum": 0.9,
    "optim_wrapper.optimizer.weight_decay": 5e-4,
    "model.backbone.spec": {"arch": "alexnet_32x"},
    "model.backbone.out_stages": ["conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"],
    "model.backbone.frozen": ABSENT,
    "model.decode_head.type": "HypercolumnHead",
    "model.decode_head.in_channels": [96, 256, 384, 384, 256, 4096, 4096],
    "model.decode_head.strides": [4, 8, 16, 16, 16, 32, 32],
    "model.decode_head.num_classes": 21,
    "model.decode_head.dropout_ratio": 0.5,
    "model.auxiliary_head": ABSENT,
}
# facebookresearch/dinov3, dinov3/eval/segmentation: batch 2 on 8 GPUs, AdamW, one cycle with 1,500 of 40k to warm up.
DENSE = {
    "recipe.iterations": 40000,
    "recipe.batch_size": 16,
    "recipe.optimiser": "adamw",
    "recipe.lr": 1e-3,
    "recipe.weight_decay": 1e-3,
    "recipe.schedule": "onecycle",
    "recipe.warmup": 1500 / 40000,
    "recipe.dropout": 0.1,
    "frozen_stages": "all",
    "head.stage": "layer4",
    "backbone": {"arch": "resnet50", "output_stride": 8},
    "eval_mask_resolution": "original image",
    "test_mode": "whole",
    "val_split": "val",
}
SIDED = {"label_swap": [[14, 15], [16, 17], [18, 19]]}
# facebookresearch/fair_self_supervision_benchmark: 140k iterations, lr 0.01, a tenth every 40k.
LINEAR = {
    "recipe.iterations": 140000,
    "recipe.optimiser": "sgd",
    "recipe.lr": 0.01,
    "recipe.weight_decay": 5e-4,
    "recipe.schedule": "step",
    "recipe.batch_size": 256,
    "recipe.dropout": 0.0,
    "frozen_stages": "all",
    "head.pooled_to": 9600,
    "augmentation": "crop and mirror at random",
    "input": {"short_side": 256, "crop": 224},
    "test_mode": "central crop",
    "train_split": "train",
    "val_split": "val",
}
# Ours: the fcn_r50-d8 schedule of mmsegmentation at crop 473, its augmentation for LIP, and what that lacks: sides that
# change places in a mirror.
PARSING = {
    "train_dataloader.batch_size": 16,
    "train_cfg.max_iters": 20000,
    "optim_wrapper.optimizer": {"type": "SGD", "lr": 0.01, "momentum": 0.9, "weight_decay": 5e-4},
    "param_scheduler.0.type": "PolyLR",
    "param_scheduler.0.power": 0.9,
    "param_scheduler.0.eta_min": 1e-4,
    "param_scheduler.0.end": 20000,
    "sync_bn": "torch",
    "model.backbone.type": "SSLMotionResNet",
    "model.backbone.depth": 50,
    "model.backbone.dilations": [1, 1, 2, 4],
    "model.backbone.deep_stem": ABSENT,
    "model.pretrained": ABSENT,
    "model.data_preprocessor.size": [473, 473],
    "model.decode_head.num_classes": 20,
    "model.auxiliary_head.num_classes": 20,
    "model.auxiliary_head.loss_decode.loss_weight": 0.4,
    "train_pipeline.3": {"type": "RandomCrop", "crop_size": [473, 473], "cat_max_ratio": 0.75},
    "train_pipeline.4": {"type": "RandomFlip", "prob": 0.5, "swap_seg_labels": [[14, 15], [16, 17], [18, 19]]},
    "model.test_cfg.mode": "whole",
}
LIP_PICTURES = {
    **PARSING,
    "train_dataloader.dataset.dataset.ann_file": "train_id.txt",
    "test_dataloader.dataset.ann_file": "val_id.txt",
    "train_pipeline.2": {
        "type": "RandomResize",
        "scale": [520, 520],
        "ratio_range": [0.75, 1.25],
        "keep_ratio": False,
    },
    "train_pipeline.5": {"type": "RandomRotate", "prob": 0.6, "degree": 30},
    "train_pipeline.6": {"type": "PhotoMetricDistortion"},
    "test_pipeline.1": {"type": "Resize", "scale": [520, 520], "keep_ratio": False},
}
CIHP_SCENES = {
    **PARSING,
    "train_dataloader.dataset.dataset.ann_file": "list/train_id.txt",
    "test_dataloader.dataset.ann_file": "list/val_id.txt",
    "train_pipeline.2.ratio_range": [0.5, 2.0],
    "train_pipeline.2.keep_ratio": True,
    "train_pipeline.5": {"type": "PhotoMetricDistortion"},
}
RECIPES: list[tuple[Any, dict[str, dict[str, Any]]]] = [
    (VocHypercolumn, {"voc12_hypercolumn_alexnet": HYPERCOLUMN}),
    (LIP, {"lip_fcn_r50": LIP_PICTURES, "cihp_fcn_r50": CIHP_SCENES}),
]
PROTOCOLS: list[tuple[Any, dict[str, dict[str, Any]]]] = [
    (
        DenseLinear,
        {
            "voc12_dense_r50": {**DENSE, "train_split": "train_aug", "resize.short_side": 512},
            "lip_dense_r50": {**DENSE, **SIDED, "train_split": "train", "resize.short_side": 473},
            "cihp_dense_r50": {**DENSE, **SIDED, "train_split": "train", "resize.short_side": 473},
        },
    ),
    (
        ImageNetLinear,
        {
            "imagenet_linear_alexnet": {**LINEAR, "backbone.arch": "alexnet_32x", "head.ranked_by": "conv5"},
            "imagenet_linear_r50": {**LINEAR, "backbone.arch": "resnet50", "head.ranked_by": "layer4"},
        },
    ),
]


def made(kind: Any, preset: str) -> Any:
    return kind(kind.Config.model_validate({"preset": preset}))


@pytest.mark.parametrize(("kind", "tables"), [*RECIPES, *PROTOCOLS])
def test_every_full_preset_has_a_table(kind: Any, tables: dict[str, Any]) -> None:
    assert {preset for preset in kind.presets if made(kind, preset).scale == "full"} == set(tables)


@pytest.mark.parametrize(
    ("kind", "preset", "expected"),
    [(kind, preset, expected) for kind, tables in RECIPES for preset, expected in tables.items()],
)
def test_the_recipe_says_what_its_table_says(kind: Any, preset: str, expected: dict[str, Any]) -> None:
    assert not differences(made(kind, preset).recipe(), expected)


@pytest.mark.parametrize(
    ("kind", "preset", "expected"),
    [(kind, preset, expected) for kind, tables in PROTOCOLS for preset, expected in tables.items()],
)
def test_the_protocol_says_what_its_table_says(kind: Any, preset: str, expected: dict[str, Any]) -> None:
    assert not differences(made(kind, preset).protocol(), expected)


def test_the_rates_of_the_probes_are_those_of_the_facts() -> None:
    linear = made(ImageNetLinear, "imagenet_linear_alexnet").recipe
    at = [0, 39999, 40000, 79999, 80000, 119999, 120000, 139999]
    assert [linear.rate(each) for each in at] == pytest.approx([1e-2, 1e-2, 1e-3, 1e-3, 1e-4, 1e-4, 1e-5, 1e-5])
    dense = made(DenseLinear, "voc12_dense_r50").recipe
    assert dense.rate(1500) == pytest.approx(1e-3)
    assert dense.rate(750) == pytest.approx(5e-4, rel=2e-3)
    assert dense.rate(39999) < 1e-9
    assert dense.rate(20750) == pytest.approx(5e-4, rel=2e-3), "half-way down the cosine"


def test_the_rates_of_the_hypercolumn() -> None:
    steps = rates(made(VocHypercolumn, "voc12_hypercolumn_alexnet").recipe(), [0, 22499, 22500, 30000, 39999])
    assert list(steps.values()) == pytest.approx([1e-3, 1e-3, 1e-4, 1e-5, 1e-5])

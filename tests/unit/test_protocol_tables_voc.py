"""The resolved VOC 2012 recipes, field by field, against the published settings that they stand for."""

import runpy
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from torch import nn

from ssl_motion.openmmlab.libraries import use_mmseg
from ssl_motion_benchmarks.voc_fcn import VocFCN

table = runpy.run_path(str(Path(__file__).parents[1] / "protocol_table.py"))
differences, rates, parameter_settings = (table[name] for name in ("differences", "rates", "parameter_settings"))
ABSENT = table["ABSENT"]

COMMON = {
    "default_scope": "mmseg",
    "train_dataloader.sampler.type": "DrawSampler",
    "train_dataloader.dataset.dataset.type": "ConcatDataset",
    "train_dataloader.dataset.dataset.datasets.0.type": "PascalVOCDataset",
    "train_dataloader.dataset.dataset.datasets.0.ann_file": "ImageSets/Segmentation/train.txt",
    "train_dataloader.dataset.dataset.datasets.1.ann_file": "ImageSets/Segmentation/aug.txt",
    "train_dataloader.dataset.dataset.datasets.1.data_prefix.seg_map_path": "SegmentationClassAug",
    "test_dataloader.dataset.type": "PascalVOCDataset",
    "test_dataloader.dataset.ann_file": "ImageSets/Segmentation/val.txt",
    "test_dataloader.dataset.data_prefix.seg_map_path": "SegmentationClass",
    "test_evaluator.type": "PerImageConfusionMetric",
    "sync_bn": "torch",
    "model.type": "EncoderDecoder",
    "model.pretrained": ABSENT,
    "model.backbone.init_cfg": ABSENT,
    "model.backbone.frozen": ABSENT,
    "model.data_preprocessor.mean": [123.675, 116.28, 103.53],
    "model.data_preprocessor.std": [58.395, 57.12, 57.375],
    "model.data_preprocessor.bgr_to_rgb": True,
    "model.data_preprocessor.pad_val": 0,
    "model.data_preprocessor.seg_pad_val": 255,
    "model.data_preprocessor.size": [512, 512],
    "model.decode_head.num_classes": 21,
    "model.decode_head.loss_decode.type": "CrossEntropyLoss",
    "model.decode_head.loss_decode.use_sigmoid": False,
    "model.test_cfg.mode": "whole",
    "optim_wrapper.type": "OptimWrapper",
    "optim_wrapper.clip_grad": ABSENT,
    "optim_wrapper.optimizer.type": "SGD",
    "optim_wrapper.optimizer.lr": 0.01,
    "optim_wrapper.optimizer.momentum": 0.9,
    "optim_wrapper.optimizer.weight_decay": 5e-4,
}

# XiaohangZhan/mix-and-match, Alexnet/*/finetune_seg.prototxt and solver_seg.prototxt.
ZHAN = {
    **COMMON,
    "train_dataloader.batch_size": 16,
    "train_cfg.passes": 4,
    "optim_wrapper.accumulative_counts": 4,
    "optim_wrapper.paramwise_cfg": {"bias_lr_mult": 2.0},
    "train_cfg.max_iters": 42000,
    "param_scheduler.0.milestones": [24000, 36000, 40000],
    "param_scheduler.1": ABSENT,
    "train_pipeline": [
        {"type": "LoadImageFromFile"},
        {"type": "LoadAnnotations"},
        {"type": "RandomCrop", "crop_size": [512, 512]},
        {"type": "RandomFlip", "prob": 0.5},
        {"type": "PackSegInputs"},
    ],
    "test_pipeline.1.type": "LoadAnnotations",
    "model.data_preprocessor.test_cfg.size": [512, 512],
    "model.backbone.spec": {"arch": "alexnet_32x"},
    "model.backbone.out_stages": ["fc7"],
    "model.decode_head.num_convs": 0,
    "model.decode_head.dropout_ratio": 0.0,
    "model.decode_head.align_corners": True,
    "model.decode_head.loss_decode.avg_non_ignore": True,
    "model.auxiliary_head": ABSENT,
}

# open-mmlab/mmsegmentation, fcn_r50-d8_4xb4-20k_voc12aug-512x512, with the plain stem.
MMSEG = {
    **COMMON,
    "train_dataloader.batch_size": 16,
    "train_cfg.passes": ABSENT,
    "optim_wrapper.accumulative_counts": ABSENT,
    "optim_wrapper.paramwise_cfg": ABSENT,
    "train_cfg.max_iters": 20000,
    "train_pipeline": [
        {"type": "LoadImageFromFile"},
        {"type": "LoadAnnotations"},
        {"type": "RandomResize", "scale": [2048, 512], "ratio_range": [0.5, 2.0], "keep_ratio": True},
        {"type": "RandomCrop", "crop_size": [512, 512], "cat_max_ratio": 0.75},
        {"type": "RandomFlip", "prob": 0.5},
        {"type": "PhotoMetricDistortion"},
        {"type": "Pad", "size": [512, 512]},
        {"type": "PackSegInputs"},
    ],
    "test_pipeline.1": {"type": "Resize", "scale": [2048, 512], "keep_ratio": True},
    "model.data_preprocessor.test_cfg": ABSENT,
    "model.backbone.type": "SSLMotionResNet",
    "model.backbone.deep_stem": ABSENT,
    "model.backbone.depth": 50,
    "model.backbone.dilations": [1, 1, 2, 4],
    "model.backbone.strides": [1, 2, 1, 1],
    "model.backbone.contract_dilation": True,
    "model.backbone.norm_eval": False,
    "model.backbone.style": "pytorch",
    "model.backbone.frozen_stages": ABSENT,
    "model.decode_head.type": "FCNHead",
    "model.decode_head.in_index": 3,
    "model.decode_head.in_channels": 2048,
    "model.decode_head.channels": 512,
    "model.decode_head.num_convs": 2,
    "model.decode_head.concat_input": True,
    "model.decode_head.dropout_ratio": 0.1,
    "model.decode_head.align_corners": False,
    "model.decode_head.loss_decode.loss_weight": 1.0,
    "model.auxiliary_head.type": "FCNHead",
    "model.auxiliary_head.in_index": 2,
    "model.auxiliary_head.in_channels": 1024,
    "model.auxiliary_head.channels": 256,
    "model.auxiliary_head.num_convs": 1,
    "model.auxiliary_head.concat_input": False,
    "model.auxiliary_head.num_classes": 21,
    "model.auxiliary_head.loss_decode.loss_weight": 0.4,
}
R18_HEADS = {"decode_head.in_channels": 512, "decode_head.channels": 128}
R18_HEADS |= {"auxiliary_head.in_channels": 256, "auxiliary_head.channels": 64}

TABLES: dict[str, dict[str, Any]] = {
    "voc12_fcn32s_alexnet_zhan": ZHAN,
    "voc12_fcn_r50_mmseg": MMSEG,
    "voc12_fcn_r101_mmseg": {**MMSEG, "model.backbone.depth": 101},
    "voc12_fcn_r18_mmseg": {
        **MMSEG,
        "model.backbone.depth": 18,
        **{f"model.{key}": value for key, value in R18_HEADS.items()},
    },
}


def recipe(preset: str) -> Any:
    return VocFCN(VocFCN.Config.model_validate({"preset": preset})).recipe()


def network(preset: str) -> Any:
    use_mmseg()
    from mmseg.registry import MODELS

    torch.manual_seed(0)
    with MODELS.switch_scope_and_registry("mmseg"):
        model = MODELS.build(Config({"model": recipe(preset)["model"]}).model)
    model.init_weights()
    return model


def test_every_full_preset_has_a_table() -> None:
    full = {
        preset for preset in VocFCN.presets if VocFCN(VocFCN.Config.model_validate({"preset": preset})).scale == "full"
    }
    assert full == set(TABLES)


@pytest.mark.parametrize("preset", TABLES)
def test_the_recipe_says_what_its_table_says(preset: str) -> None:
    assert not differences(recipe(preset), TABLES[preset])


def test_a_drifted_recipe_would_be_noticed() -> None:
    drifted = recipe("voc12_fcn_r50_mmseg")
    drifted["model"]["backbone"]["dilations"] = (1, 1, 1, 2)
    drifted["model"]["pretrained"] = "open-mmlab://resnet50_v1c"
    del drifted["train_pipeline"][4]["prob"]
    assert differences(drifted, MMSEG).keys() == {"model.backbone.dilations", "model.pretrained", "train_pipeline"}


def test_the_rates_fall_where_the_table_says() -> None:
    steps = rates(recipe("voc12_fcn32s_alexnet_zhan"), [0, 23999, 24000, 35999, 36000, 39999, 40000, 41999])
    expected = [1e-2, 1e-2, 1e-3, 1e-3, 1e-4, 1e-4, 1e-5, 1e-5]
    assert list(steps.values()) == pytest.approx(expected, rel=1e-6)
    poly = rates(recipe("voc12_fcn_r50_mmseg"), [0, 5000, 10000, 19999])
    # MMEngine's schedule ends with the last iteration, not after it.
    expected = [(0.01 - 1e-4) * (1 - at / 19999) ** 0.9 + 1e-4 for at in poly]
    assert list(poly.values()) == pytest.approx(expected, rel=1e-4)


def test_the_alexnet_is_cmps_own() -> None:
    model = network("voc12_fcn32s_alexnet_zhan")
    trunk = model.backbone.trunk
    convolutions = {name: layer for name, layer in trunk.named_modules() if isinstance(layer, nn.Conv2d)}
    shapes = {name: tuple(layer.weight.shape) for name, layer in convolutions.items()}
    assert list(shapes.values()) == [
        (96, 3, 11, 11), (256, 96, 5, 5), (384, 256, 3, 3), (384, 384, 3, 3), (256, 384, 3, 3),
        (4096, 256, 3, 3), (4096, 4096, 1, 1),
    ]  # fmt: skip
    first, fc6 = convolutions["conv1.0"], convolutions["fc6.0"]
    assert (first.padding, first.stride, fc6.padding) == ((5, 5), (4, 4), (1, 1))
    assert all(layer.groups == 1 and layer.dilation == (1, 1) for layer in convolutions.values())
    assert all(pool.padding == 1 for pool in trunk.modules() if isinstance(pool, nn.MaxPool2d))
    assert not any(isinstance(layer, nn.LocalResponseNorm) for layer in model.modules())
    norms = [layer for layer in trunk.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert len(norms) == 7
    assert all(norm.affine and norm.track_running_stats for norm in norms)
    assert [layer.p for layer in trunk.modules() if isinstance(layer, nn.Dropout)] == [0.5, 0.5]
    assert trunk.strides["fc7"] == 32
    score = model.decode_head.conv_seg
    assert score.weight.shape == (21, 4096, 1, 1)
    assert float(score.weight.detach().std()) == pytest.approx(0.01, rel=0.02)
    assert not score.bias.detach().any()
    assert [layer for layer in model.decode_head.modules() if isinstance(layer, nn.Conv2d)] == [score]


def test_biases_of_the_alexnet_learn_twice_as_fast_and_all_decays_alike() -> None:
    model = network("voc12_fcn32s_alexnet_zhan")
    given = parameter_settings(recipe("voc12_fcn32s_alexnet_zhan"), model)
    assert given.keys() == {name for name, _ in model.named_parameters()}
    norms = {name for name, layer in model.named_modules() if isinstance(layer, nn.BatchNorm2d)}
    for name, (rate, decay) in given.items():
        owner, _, kind = name.rpartition(".")
        assert rate == pytest.approx(0.02 if kind == "bias" and owner not in norms else 0.01), name
        assert decay == pytest.approx(5e-4), name


def test_the_resnet_has_the_plain_stem_and_nothing_is_frozen() -> None:
    model = network("voc12_fcn_r18_mmseg").train()
    assert model.backbone.conv1.weight.shape == (64, 3, 7, 7)
    assert not hasattr(model.backbone, "stem")
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert all(layer.training for layer in model.modules() if isinstance(layer, nn.BatchNorm2d))
    dilations = [
        [block.conv1.dilation[0] for block in getattr(model.backbone, f"layer{stage}")] for stage in (1, 2, 3, 4)
    ]
    assert dilations == [[1, 1], [1, 1], [1, 2], [2, 4]], "contract_dilation: the first block keeps the one before it"

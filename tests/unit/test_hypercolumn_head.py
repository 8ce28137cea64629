"""The hypercolumn head: its pixels, its loss and its prediction against dense references; its recipes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from torch import Tensor
from torch.nn import functional as F

from ssl_motion.errors import UsageError
from ssl_motion.openmmlab.libraries import use_mmseg
from ssl_motion.spec_text import parse_spec
from ssl_motion_benchmarks.voc_fcn import VocFCN
from ssl_motion_benchmarks.voc_hypercolumn import VocHypercolumn
from ssl_motion_benchmarks.voc_hypercolumn.presets import PRESETS

CHANNELS, STRIDES, CLASSES = [3, 4, 5], [2, 4, 8], 6
SIZE = (37, 46)


def task(**settings: Any) -> VocHypercolumn:
    return VocHypercolumn(parse_spec(VocHypercolumn.Config, settings, "test"))


def build(settings: dict[str, Any]) -> Any:
    use_mmseg()
    from mmseg.registry import MODELS

    with MODELS.switch_scope_and_registry("mmseg"):
        return MODELS.build(Config({"part": settings}).part)


def head(**settings: Any) -> Any:
    torch.manual_seed(1)
    loss = {"type": "CrossEntropyLoss", "use_sigmoid": False, "loss_weight": 1.0, "avg_non_ignore": True}
    made = build(
        {
            "type": "HypercolumnHead", "in_channels": CHANNELS, "in_index": [0, 1, 2], "strides": STRIDES, "hidden": 7,
            "num_classes": CLASSES, "loss_decode": loss, **settings,
        }
    )  # fmt: skip
    return made.double()


def stages(batch: int = 2) -> tuple[Tensor, ...]:
    torch.manual_seed(2)
    return tuple(
        torch.randn(batch, channels, -(-SIZE[0] // stride), -(-SIZE[1] // stride), dtype=torch.float64)
        for channels, stride in zip(CHANNELS, STRIDES, strict=True)
    )


def dense_columns(features: tuple[Tensor, ...]) -> Tensor:
    """Hypercolumns of every pixel [B, C, H, W] by up-sampling every stage."""
    dense = []
    for stage, stride in zip(features, STRIDES, strict=True):
        size = [(cells - 1) * stride + 1 for cells in stage.shape[2:]]
        grown = F.interpolate(stage, size=size, mode="bilinear", align_corners=True)
        dense.append(F.pad(grown, (0, SIZE[1] - size[1], 0, SIZE[0] - size[0]), mode="replicate"))
    return torch.cat(dense, dim=1)


def dense_logits(made: Any, features: tuple[Tensor, ...]) -> Tensor:
    hidden = F.conv2d(dense_columns(features), made.hidden.weight[:, :, None, None], made.hidden.bias).relu()
    return made.conv_seg(hidden)  # type: ignore[no-any-return]  # mmseg ships no types


def samples(labels: Tensor) -> list[Any]:
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    made = []
    for label in labels:
        sample = SegDataSample()
        sample.gt_sem_seg = PixelData(data=label[None])
        made.append(sample)
    return made


def test_the_loss_is_that_of_the_labelled_pixels_of_a_dense_network() -> None:
    made, features = head(), stages(3)
    labels = torch.full((3, *SIZE), 255)
    for image, count in enumerate((40, 3, 0)):  # the third image is without labels
        places = torch.randperm(SIZE[0] * SIZE[1])[:count]
        labels[image].view(-1)[places] = torch.randint(0, CLASSES, (count,))
    result = made.loss(features, samples(labels), None)
    logits = dense_logits(made, features)
    expected = F.cross_entropy(logits, labels, ignore_index=255)
    torch.testing.assert_close(result["loss_ce"], expected, rtol=1e-6, atol=1e-9)
    known = labels != 255
    right = (logits.argmax(1) == labels)[known].double().mean() * 100
    assert result["acc_seg"].item() == pytest.approx(float(right), abs=1e-4)
    ours = torch.autograd.grad(result["loss_ce"], made.hidden.weight)[0]
    torch.testing.assert_close(ours, torch.autograd.grad(expected, made.hidden.weight)[0], rtol=1e-6, atol=1e-9)


def test_a_batch_without_any_label_has_no_loss() -> None:
    result = head().loss(stages(), samples(torch.full((2, *SIZE), 255)), None)
    assert result["loss_ce"].item() == 0


def test_prediction_is_dense_at_the_finest_cells_and_has_the_size_of_the_image() -> None:
    made, features = head(dropout_ratio=0.5).eval(), stages()
    cells = made(features)
    logits = dense_logits(made, features)
    torch.testing.assert_close(cells, logits[:, :, ::2, ::2], rtol=1e-10, atol=1e-10)
    full = made.predict_by_feat(cells, [{"img_shape": SIZE}])
    assert full.shape == (2, CLASSES, *SIZE)
    torch.testing.assert_close(full[:, :, ::2, ::2], cells, rtol=1e-10, atol=1e-10)
    between = (cells[:, :, :, :-1] + cells[:, :, :, 1:]) / 2
    torch.testing.assert_close(full[:, :, ::2, 1:-1:2], between, rtol=1e-10, atol=1e-10)


def test_dropout_is_of_single_numbers() -> None:
    made = head(dropout_ratio=0.5, hidden=400).train()
    kept = made.dropout(torch.ones(2, 400, 30, 1)) > 0
    shares = kept.double().mean(dim=2)
    assert 0.4 < float(kept.double().mean()) < 0.6
    assert ((shares > 0) & (shares < 1)).double().mean() > 0.95, "no number is dropped at all points at once"


@pytest.mark.parametrize(
    ("pixels", "border", "left"), [(20, 0, 20), (20, 7, 20), (10**6, 0, 40 * 50), (10**6, 15, 200)]
)
def test_sparse_labels_are_the_image_s_own(pixels: int, border: int, left: int) -> None:
    use_mmseg()
    from ssl_motion.openmmlab.hypercolumn import SparseLabels

    rng = np.random.default_rng(0)
    label = rng.integers(0, 9, (40, 50), dtype=np.uint8)
    np.random.seed(5)  # noqa: NPY002 - as the data set does for every draw
    sparse = SparseLabels(pixels, border)({"gt_seg_map": label.copy()})["gt_seg_map"]
    kept = sparse != 255
    assert kept.sum() == left
    assert (sparse[kept] == label[kept]).all()
    rows, columns = kept.nonzero()
    assert rows.min() >= border
    assert rows.max() < 40 - border
    assert columns.min() >= border
    assert columns.max() < 50 - border
    np.random.seed(5)  # noqa: NPY002
    again = SparseLabels(pixels, border)({"gt_seg_map": label.copy()})["gt_seg_map"]
    assert (again == sparse).all()


def test_pixels_are_drawn_evenly() -> None:
    use_mmseg()
    from ssl_motion.openmmlab.hypercolumn import SparseLabels

    np.random.seed(0)  # noqa: NPY002
    counts = np.zeros((6, 8))
    for _ in range(600):
        counts += SparseLabels(8)({"gt_seg_map": np.zeros((6, 8), np.uint8)})["gt_seg_map"] == 0
    # Binomial with 600 draws of probability 1/6: mean 100, deviation 9.
    assert abs(counts - 100).max() < 40
    with pytest.raises(UsageError, match="a border of 4 px leaves no pixel of a training image of 6 x 8"):
        SparseLabels(8, border=4)({"gt_seg_map": np.zeros((6, 8), np.uint8)})


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_state_their_protocol(preset: str) -> None:
    facts = task(preset=preset).protocol()
    assert facts["head"]["type"] == "HypercolumnHead"
    assert task(preset=preset).scale == PRESETS[preset].scale  # type: ignore[index]  # one of the literals
    assert "data_root" not in str(facts)
    sparse = [step for step in facts["augmentation"] if step["type"] == "SparseLabels"]
    assert [step["pixels"] for step in sparse] == [128]


@pytest.mark.parametrize(
    ("preset", "other"), [("puppets_hypercolumn", "puppets_fcn"), ("voc12_hypercolumn_small", "voc12_fcn_small")]
)
def test_only_head_and_pixels_differ_from_the_fcn(preset: str, other: str) -> None:
    facts = task(preset=preset).protocol()
    fcn = VocFCN(parse_spec(VocFCN.Config, {"preset": other}, "test")).protocol()
    assert {name for name in facts if facts[name] != fcn[name]} == {"head", "backbone", "augmentation"}
    assert [step for step in facts["augmentation"] if step["type"] != "SparseLabels"] == fcn["augmentation"]
    assert facts["backbone"]["spec"] == fcn["backbone"]["spec"]


def test_published_settings_of_the_alexnet_preset() -> None:
    facts = task(preset="voc12_hypercolumn_alexnet").protocol()
    assert (facts["effective_batch"], facts["iterations"]) == (10, 40000)
    assert (facts["optimiser"]["lr"], facts["optimiser"]["momentum"]) == (1e-3, 0.9)
    assert facts["optimiser"]["weight_decay"] == 5e-4
    assert facts["optimiser"]["paramwise"] == {"bias_decay_mult": 0.0, "norm_decay_mult": 0.0}
    assert facts["schedule"] == [{"type": "MultiStepLR", "milestones": [22500, 30000], "gamma": 0.1, "by_epoch": False}]
    assert (facts["head"]["hidden"], facts["head"]["dropout_ratio"]) == (1024, 0.5)
    assert sum(facts["head"]["in_channels"]) == 9568
    steps = {step["type"]: step for step in facts["augmentation"]}
    assert steps["RandomCrop"]["crop_size"] == steps["Pad"]["size"] == facts["padded_to"] == [448, 448]
    assert (steps["SparseLabels"]["pixels"], steps["SparseLabels"]["border"]) == (128, 32)
    assert (facts["train_split"], facts["val_split"]) == ("train_aug", "val")


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"backbone": {"arch": "resnet18", "width": 8, "output_stride": 8}, "freeze_to": "layer2"},
        {"preset": "voc12_hypercolumn_small", "backbone": {"arch": "resnet50", "width": 8}},
        {"preset": "voc12_hypercolumn_alexnet", "backbone": {"arch": "alexnet_32x", "width": 6}},
    ],
)
def test_networks_fit_their_trunks(settings: dict[str, Any]) -> None:
    recipe = task(**settings).recipe()
    model = build(recipe["model"])
    model.init_weights()
    metas = [{"img_shape": (70, 90), "ori_shape": (70, 90), "pad_shape": (70, 90)}]
    with torch.no_grad():
        logits = model.eval().encode_decode(torch.randn(1, 3, 70, 90), metas)
    assert logits.shape == (1, recipe["model"]["decode_head"]["num_classes"], 70, 90)
    assert logits.std() > 0


def test_the_recipe_says_what_the_trunk_of_the_preset_is() -> None:
    """Stages, channels and strides that the recipes write out are those of the trunks."""
    for preset, chosen in PRESETS.items():
        written = task(preset=preset).recipe()
        filled = task(preset=preset).recipe()
        task(preset=preset).set_backbone(filled, chosen.backbone)
        for key in ("in_index", "in_channels", "strides"):
            assert written["model"]["decode_head"][key] == filled["model"]["decode_head"][key], (preset, key)
        assert written["model"]["backbone"]["out_stages"] == filled["model"]["backbone"]["out_stages"]


def test_run_in_the_built_in_world(tmp_path: Path) -> None:
    from ssl_motion.record import read_record
    from ssl_motion.spec import RuntimeSpec, TransferSpec
    from ssl_motion.store import Store
    from ssl_motion.transfer import transfer

    spec = TransferSpec.model_validate(
        {
            "task": "voc_hypercolumn",
            "task_config": {"backbone": {"arch": "alexnet_mini", "width": 6}, "iterations": 3, "batch_size": 2},
            "puppets": {"size": 48, "train_images": 6, "val_images": 2, "test_images": 3},
        }
    )
    record = read_record(transfer(spec, RuntimeSpec(device="cpu"), Store(tmp_path)).path / "record.json")
    assert (record.task, record.scale, record.primary.name) == ("voc_hypercolumn", "builtin", "mIoU")
    assert 0 <= record.primary.value < 60

"""The dense read-out: planted colours are read, chance stays chance, sided labels turn with their mirror; faults."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.nn import functional as F

from ssl_motion.backbones import build_backbone
from ssl_motion.errors import DataError, UsageError
from ssl_motion.frozen.probe import LinearProbe
from ssl_motion.per_image.confusion import read_per_image, scores
from ssl_motion.protocols import RunContext, TaskResult
from ssl_motion.spec import BackboneSpec
from ssl_motion.transfer import remarks_on
from ssl_motion.weights import save_weights
from ssl_motion_benchmarks.dense_linear import DenseLinear
from ssl_motion_benchmarks.dense_linear.pixels import LabelledPixels, mirrored, read_label
from ssl_motion_benchmarks.dense_linear.presets import PRESETS
from ssl_motion_benchmarks.dense_linear.sources import LIP_SWAPS, find, read_classes

TRUNK = {"arch": "alexnet_mini", "width": 12}
COLOURS = np.array([(120, 120, 120), (220, 30, 30), (30, 220, 30), (30, 30, 220)], np.uint8)
NAMES = ("ground", "red", "green", "blue")
TASK = {
    "preset": "dense_linear_folder",
    "backbone": TRUNK,
    "stage": "conv1",
    "short_side": 128,
    "pixels": 64,
    "iterations": 300,
    "lr": 1e-2,
}


def make_folder(root: Path, images: int = 20, shuffled: bool = False) -> Path:
    """Blocks of colour with labels that say the colour; shuffled: the labels of other images."""
    rng = np.random.default_rng(4)
    for folder in ("images", "labels"):
        (root / folder).mkdir(parents=True)
    labels = [np.kron(rng.integers(0, 4, (4, 5)), np.ones((32, 32))).astype(np.uint8) for _ in range(images)]
    for index, label in enumerate(labels):
        noisy = COLOURS[label].astype(int) + rng.integers(-15, 16, (*label.shape, 3))
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(root / "images" / f"{index:02d}.png")
        shown = labels[(index + 1) % images].copy() if shuffled else label.copy()
        shown[:3] = 255
        Image.fromarray(shown).save(root / "labels" / f"{index:02d}.png")
    lines = [f"{number} {name}\n" for number, name in enumerate(NAMES)]
    (root / "label_list.txt").write_text("".join(lines), encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("data"))


def run(root: Path, runs: Path, name: str = "a", weights: Path | None = None, seed: int = 0, **more: Any) -> TaskResult:
    task = DenseLinear(DenseLinear.Config.model_validate({**TASK, **more}))
    (runs / "transfer" / name).mkdir(parents=True, exist_ok=True)
    return task.run(RunContext(runs / "transfer" / name, weights, root, seed, "cpu"))


def test_planted_colours_are_read_and_the_file_confirms_the_figures(folder: Path, tmp_path: Path) -> None:
    result = run(folder, tmp_path)
    # Blocks are 32 pixels wide, and conv1 looks at 7: only at their borders there is something to be wrong about.
    assert result.metrics["mIoU"] > 75
    matrices = read_per_image(tmp_path / "transfer" / "a" / "per_image.npz")
    assert matrices.names == list(find("folder", folder, "val").names)
    assert matrices.total().sum() == 4 * 125 * 160
    figures = scores(matrices.total())
    assert result.metrics == {"mIoU": figures.miou, "aAcc": figures.accuracy, "mAcc": figures.mean_accuracy}
    assert list(result.details["IoU"]) == list(NAMES)


def test_labels_of_other_images_are_chance(tmp_path: Path) -> None:
    result = run(make_folder(tmp_path / "data", shuffled=True), tmp_path)
    assert result.metrics["aAcc"] < 45  # four colours, equally often


@settings(max_examples=20, deadline=None)
@given(st.integers(3, 9), st.integers(3, 9), st.integers(20, 50), st.integers(20, 50), st.booleans())
def test_pixels_have_the_score_of_the_map_brought_to_the_labels_size(
    tmp_path_factory: pytest.TempPathFactory, h: int, w: int, height: int, width: int, mirror: bool
) -> None:
    folder, rng = tmp_path_factory.mktemp("label"), np.random.default_rng(h * w)
    label = rng.integers(0, 4, (height, width)).astype(np.uint8)
    label[rng.random((height, width)) < 0.5] = 255
    Image.fromarray(label).save(folder / "a.png")
    features = torch.from_numpy(rng.normal(size=(1, 6, h, w)).astype(np.float32))
    torch.manual_seed(0)
    probe = LinearProbe(6, 4).eval()
    torch.nn.init.normal_(probe.linear.weight)
    pixels = LabelledPixels([folder / "a.png"], 4, 15, mirror, ())
    kept = pixels({"s": features}, [0])
    turned = mirrored(label, ()) if mirror else label
    full = F.interpolate(probe.score_map(features), turned.shape, mode="bilinear", align_corners=False)[0]
    centres = (pixels._draw(0)[0] + 1) / 2 * (width, height)
    columns, rows = np.floor(centres).astype(int).T
    assert len(set(zip(rows.tolist(), columns.tolist(), strict=True))) == 15
    assert np.array_equal(kept["labels"][0].numpy(), turned[rows, columns])
    torch.testing.assert_close(probe(kept["s"][0]), full[:, rows, columns].T, rtol=1e-4, atol=1e-4)


def test_mirroring_twice_is_the_identity_and_once_swaps_the_sided_ids_alone() -> None:
    label = np.arange(40, dtype=np.uint8).reshape(4, 10) % 20
    assert np.array_equal(mirrored(mirrored(label, LIP_SWAPS), LIP_SWAPS), label)
    once, plain = mirrored(label, LIP_SWAPS), label[:, ::-1]
    pairs = {(int(a), int(b)) for a, b in zip(plain.ravel(), once.ravel(), strict=True) if a != b}
    assert pairs == {(14, 15), (15, 14), (16, 17), (17, 16), (18, 19), (19, 18)}


def test_sided_presets_swap_and_say_so() -> None:
    for name, preset in PRESETS.items():
        facts = DenseLinear(DenseLinear.Config.model_validate({"preset": name})).protocol()
        sided = preset.layout in ("lip", "cihp")
        assert facts["label_swap"] == ([[14, 15], [16, 17], [18, 19]] if sided else "none (classes are not sided)")


def test_full_presets_keep_to_the_table_of_the_protocol() -> None:
    for name in ("voc12_dense_r50", "lip_dense_r50", "cihp_dense_r50"):
        recipe = DenseLinear(DenseLinear.Config.model_validate({"preset": name})).protocol()["recipe"]
        assert recipe == {
            "iterations": 40_000,
            "batch_size": 16,
            "optimiser": "adamw",
            "lr": 1e-3,
            "weight_decay": 1e-3,
            "schedule": "onecycle",
            "warmup": 1500 / 40_000,
            "milestones": [],
            "dropout": 0.1,
        }


def test_features_are_computed_once_for_all_seeds_of_one_trunk(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(3)
    spec = BackboneSpec.model_validate(TRUNK)
    save_weights(tmp_path / "w", build_backbone(spec), spec=spec, method="cmp", run=None, pretraining=None, source="")
    first = run(folder, tmp_path, "a", tmp_path / "w", iterations=5)
    monkeypatch.setattr("ssl_motion.frozen.cache.extract", lambda *given, **more: pytest.fail("computed again"))
    second = run(folder, tmp_path, "b", tmp_path / "w", seed=1, iterations=5)
    assert first.metrics != second.metrics


def test_splits_are_the_lists_or_a_fixed_share(folder: Path, tmp_path: Path) -> None:
    train, val = (set(find("folder", folder, split).names) for split in ("train", "val"))
    assert len(val) == 4
    assert len(train) == 16
    assert not train & val
    root = make_folder(tmp_path / "data", images=5)
    (root / "train.txt").write_text("00\n01.png\n", encoding="utf-8")
    assert list(find("folder", root, "train").names) == ["00", "01"]
    with pytest.raises(UsageError, match=r"list .*val\.txt"):
        find("folder", root, "val")


def test_lists_of_classes(tmp_path: Path) -> None:
    path = tmp_path / "classes.txt"
    path.write_text("sky\nsea and sand\n", encoding="utf-8")
    assert read_classes(path) == ("sky", "sea and sand")
    path.write_text("0 sky\n2 sea\n", encoding="utf-8")
    with pytest.raises(DataError, match="must be 0 to 1"):
        read_classes(path)
    with pytest.raises(UsageError, match=r"--set classes=FILE"):
        read_classes(tmp_path / "none.txt")


def damaged(folder: Path, copy: Path, fault: str) -> Path:
    shutil.copytree(folder, copy)
    label = copy / "labels" / "03.png"
    if fault == "no labels":
        label.unlink()
    elif fault == "colours":
        Image.open(label).convert("RGB").save(label)
    elif fault == "size":
        Image.open(label).resize((30, 20)).save(label)
    elif fault == "no list":
        (copy / "label_list.txt").unlink()
    elif fault == "wrong split names":
        (copy / "test.txt").write_text("00\n", encoding="utf-8")
    elif fault == "no images":
        (copy / "train.txt").write_text("00\n99\n", encoding="utf-8")
        (copy / "val.txt").write_text("01\n", encoding="utf-8")
    return copy


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("no labels", r"1 of \d+ labels: 03\.png"),
        ("colours", r"readable labels: 03\.png \(saved as RGB"),
        ("size", r"fitting images: 03\.png \(160 x 128, its label 30 x 20\)"),
        ("no list", r"no list of classes .*label_list\.txt"),
        ("wrong split names", r"list .*train\.txt.*list .*val\.txt"),
        ("no images", r"1 of 2 images: 99\.jpg"),
    ],
)
def test_faults_of_the_data_are_named(folder: Path, tmp_path: Path, fault: str, message: str) -> None:
    import re

    task = DenseLinear(DenseLinear.Config.model_validate(TASK))
    assert not task.check_data(folder).missing
    report = task.check_data(damaged(folder, tmp_path / "copy", fault))
    assert re.search(message, " ".join(report.missing)), report.missing
    assert "--data-root" in report.how_to_get
    assert not report.fingerprint


def test_unknown_ids_are_named(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "label.png"
    Image.fromarray(np.full((4, 4), 77, np.uint8)).save(path)
    with pytest.raises(DataError, match=r"label\.png: label value 77, but there are 4 classes"):
        read_label(path, 4)


def test_changed_labels_are_other_data(folder: Path, tmp_path: Path) -> None:
    task = DenseLinear(DenseLinear.Config.model_validate(TASK))
    copy = damaged(folder, tmp_path / "copy", "none")
    assert task.check_data(copy).fingerprint == task.check_data(folder).fingerprint
    label = np.array(Image.open(copy / "labels" / "05.png"))
    label[20, 20] = (label[20, 20] + 1) % 4
    Image.fromarray(label).save(copy / "labels" / "05.png")
    assert task.check_data(copy).fingerprint != task.check_data(folder).fingerprint


def test_unknown_stage_and_hidden_labels_are_refused() -> None:
    with pytest.raises(UsageError, match=r"no stage 'conv9'.*Its stages: conv1"):
        DenseLinear(DenseLinear.Config.model_validate({"stage": "conv9"}))
    with pytest.raises(UsageError, match="no labels of a test list"):
        DenseLinear(DenseLinear.Config.model_validate({"preset": "voc12_dense_small", "evaluate_on": "test"}))


def test_sample_of_59_classes(sample_data: Path) -> None:
    """Photographs in a layout of their own: a plug-in by a list of classes alone."""
    settings = {"preset": "dense_linear_folder"}
    report = DenseLinear(DenseLinear.Config.model_validate(settings)).check_data(sample_data / "ccp")
    assert report.missing == []
    classes, train, val = report.found
    assert classes.startswith("59 classes")
    assert "80 images" in train
    assert "20 images" in val


def test_the_split_of_a_folder_without_lists_and_labels_without_image_are_said(tmp_path: Path) -> None:
    root = make_folder(tmp_path, images=10)
    task = DenseLinear(DenseLinear.Config.model_validate(TASK))
    report = task.check_data(root)
    (rule,) = report.remarks
    assert "there are no lists of names: the 1/5 of the images whose names have the smallest SHA-256 is scored" in rule
    by_hash = sorted((f"{number:02d}" for number in range(10)), key=lambda name: hashlib.sha256(name.encode()).digest())
    assert {path.stem for path in report.test_images} == set(by_hash[:2])
    assert {path.stem for path in report.training_images} == set(by_hash[2:])
    (root / "images" / "03.png").unlink()
    assert task.check_data(root).remarks[1] == "labels without an image are not used: 1 (03.png)"
    for split, names in (("train", "00 01 02 04"), ("val", "04 05")):
        (root / f"{split}.txt").write_text(names.replace(" ", "\n"))
    remarks = remarks_on(task.check_data(root))
    assert remarks[0] == "labels without an image are not used: 1 (03.png)"
    assert remarks[1].startswith("1 of the 2 test images are training images too (04.png)")

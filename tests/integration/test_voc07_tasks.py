"""Classification and detection on a tiny VOC 2007 devkit and the built-in world, from spec to record."""

import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ssl_motion.errors import UsageError
from ssl_motion.per_image.multilabel import average_precisions, read_scores
from ssl_motion.per_image.voc_boxes import read_boxes
from ssl_motion.ranking import mean_present
from ssl_motion.record import ResultRecord, read_record
from ssl_motion.spec import PuppetsSpec, RuntimeSpec, TransferSpec
from ssl_motion.store import RunFolder, Store
from ssl_motion.transfer import make_plan, transfer
from ssl_motion_benchmarks.voc07.devkit import CLASSES, read_list, read_objects, voc_root
from ssl_motion_benchmarks.voc07_cls.presets import PRESETS

make_voc07 = runpy.run_path(str(Path(__file__).parents[1] / "voc07_devkit.py"))["make_voc07"]
TRUNK = {"arch": "alexnet_mini", "width": 6}
SMALL = PuppetsSpec(size=48, train_images=24, val_images=16, test_images=12)
CPU = RuntimeSpec(device="cpu")


@pytest.fixture(scope="module")
def devkit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(make_voc07(tmp_path_factory.mktemp("data"), (60, 60, 40)))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


def run(runs: Path, root: Path | None, task: str, seed: int = 0, **settings: Any) -> tuple[RunFolder, ResultRecord]:
    folder = transfer(spec(task, seed, **settings), CPU, Store(runs), root)
    return folder, read_record(folder.path / "record.json")


def spec(task: str, seed: int = 0, **settings: Any) -> TransferSpec:
    overrides = settings.pop("overrides", {})
    builtin = str(settings.get("preset")).startswith("puppets")
    return TransferSpec(
        task=task,
        task_config={"backbone": TRUNK, **settings},
        puppets=SMALL if builtin else None,
        recipe_overrides=overrides,
        seed=seed,
    )


def values(record: ResultRecord) -> dict[str, float]:
    return {metric.name: metric.value for metric in record.metrics}


QUICK = {"preset": "voc07_cls_ft", "batch_size": 8, "crop": 64, "iterations": 3}


def test_fine_tuning_leaves_a_record_that_its_files_confirm(runs: Path, devkit: Path) -> None:
    folder, record = run(runs, devkit, "voc07_cls", **QUICK)
    assert (record.task, record.protocol_name, record.scale) == ("voc07_cls", "voc07_cls_ft (changed)", "reduced")
    kept = read_scores(folder.path / "per_image.npz")
    assert kept.names == read_list(voc_root(devkit), "test")
    assert kept.classes == list(CLASSES)
    found = average_precisions(kept.labels, kept.scores[0], "step")
    assert values(record)["mAP"] == pytest.approx(mean_present(found))
    assert record.details["AP"]["dog"] == pytest.approx(found[CLASSES.index("dog")])
    assert values(record)["mAP07"] == pytest.approx(mean_present(list(record.details["AP (11-point)"].values())))
    facts = record.protocol
    assert (facts["train_split"], facts["val_split"], facts["rescaled"]) == ("trainval", "test", False)
    assert facts["test_mode"]["crops"] == 10
    assert run(runs, devkit, "voc07_cls", **QUICK)[0] == folder


def test_frozen_stages_stay_and_the_others_move(runs: Path, devkit: Path) -> None:
    import torch

    folder, record = run(runs, devkit, "voc07_cls", **QUICK, freeze_to="conv3")
    assert record.protocol["frozen_stages"] == "up to conv3"
    last = sorted((folder.path / "checkpoints").glob("iter_*.pth"))[-1]
    after = torch.load(last, weights_only=True)["state_dict"]
    whole = run(runs, devkit, "voc07_cls", **QUICK)[0]
    moved = torch.load(sorted((whole.path / "checkpoints").glob("iter_*.pth"))[-1], weights_only=True)["state_dict"]
    # One start for both: what was frozen is that start, and trained weights have left it.
    differ = {name for name in after if not torch.equal(after[name], moved[name])}
    assert {"backbone.trunk.conv1.0.weight", "backbone.trunk.conv5.0.weight", "head.score.weight"} <= differ
    assert (after["backbone.trunk.conv2.1.running_mean"] == 0).all()
    assert (after["backbone.trunk.conv4.1.running_mean"] != 0).any()
    with pytest.raises(UsageError, match=r"no stage 'conv9'.*conv1, conv2"):
        make_plan(spec("voc07_cls", **QUICK, freeze_to="conv9"), Store(runs), devkit)


def test_svms_reuse_features_and_state_their_costs(runs: Path, devkit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for preset in ("voc07_svm", "voc07_lowshot"):
        monkeypatch.setitem(PRESETS, preset, replace(PRESETS[preset], costs=(0.01, 0.1)))
    folder, record = run(runs, devkit, "voc07_cls", preset="voc07_svm", stage="conv2")
    kept = read_scores(folder.path / "per_image.npz")
    found = average_precisions(kept.labels, kept.scores[0], "envelope")
    assert values(record)["mAP"] == pytest.approx(mean_present(found))
    assert set(record.details["cost"]) == set(CLASSES)
    # Squares of twenty plain colours: even random features tell most of them apart.
    assert values(record)["mAP"] > 40
    before = {path: path.stat().st_mtime_ns for path in runs.glob("features/*/*.npy")}
    assert before
    few, lines = run(runs, devkit, "voc07_cls", preset="voc07_lowshot", stage="conv2", shots=2)
    assert {path: path.stat().st_mtime_ns for path in runs.glob("features/*/*.npy")} == before
    assert lines.details["mAP by shots"].keys() == {"2"}
    assert values(lines)["mAP"] < values(record)["mAP"]
    assert read_scores(few.path / "per_image.npz").draws[-1] == "2 shots, draw 4"
    assert record.protocol_fingerprint != lines.protocol_fingerprint


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"preset": "voc07_svm", "freeze_to": "conv1"}, "freeze_to: voc07_svm has no use for it"),
        ({"preset": "voc07_cls_ft", "shots": 2}, "shots: voc07_cls_ft has no use for it.*voc07_lowshot"),
        ({"preset": "voc07_svm", "stage": "conv8"}, "stage: alexnet_mini has no stage 'conv8'"),
        ({"preset": "voc07_lowshot"}, r"at least 96 images in trainval.*--shots K"),
        ({"preset": "voc07_cls_ft", "label_fraction": 0.5}, "label_fraction"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    tmp_path: Path, devkit: Path, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=rf"(?s){message}"):
        make_plan(spec("voc07_cls", **settings), Store(tmp_path), devkit)


def test_the_built_in_world_is_read_alike(tmp_path: Path) -> None:
    folder, record = run(tmp_path, None, "voc07_cls", preset="puppets_cls", iterations=2, batch_size=4, crop=32)
    kept = read_scores(folder.path / "per_image.npz")
    assert (record.scale, len(kept.names), len(kept.classes)) == ("builtin", 12, 8)
    folder, record = run(tmp_path, None, "voc07_det", preset="puppets_det", iterations=2, batch_size=4)
    boxes = read_boxes(folder.path / "per_image.npz")
    assert (boxes.names, boxes.classes) == (kept.names, kept.classes)
    # Classification and detection agree on what is there: those labels were written from these objects.
    there = np.zeros_like(kept.labels, dtype=bool)
    there[boxes.object_image, boxes.object_label] = True
    assert (there == (kept.labels == 1)).all()
    assert values(record)["mAP"] == pytest.approx(mean_present(boxes.average_precisions("envelope")))
    assert values(record)["mAP07"] == pytest.approx(mean_present(boxes.average_precisions("11-point")))


def jittered(devkit: Path, path: Path) -> str:
    """Proposals near the objects, and some anywhere."""
    folder, rng = voc_root(devkit), np.random.default_rng(0)
    content = {}
    for split in ("trainval", "test"):
        for name in read_list(folder, split):
            boxes = np.repeat(read_objects(folder, name, CLASSES).boxes, 4, axis=0)
            corners = rng.uniform(0, 40, (10, 2))
            boxes = np.concatenate([boxes + rng.uniform(-2, 2, boxes.shape), np.hstack([corners, corners + 20])])
            content[name] = boxes.clip(0, [96, 72, 96, 72]).astype(np.float32)
    np.savez(path, **content)
    return str(path)


def test_fast_rcnn_learns_from_given_proposals(runs: Path, devkit: Path, tmp_path: Path) -> None:
    settings = {"preset": "voc07_det_fast", "iterations": 2, "batch_size": 2}
    with pytest.raises(UsageError, match=r"files of proposed boxes\n.*--set 'proposals=\[FILE, FILE\]'"):
        make_plan(spec("voc07_det", **settings), Store(runs), devkit)
    proposals = jittered(devkit, tmp_path / "boxes.npz")
    smaller = {
        "model.roi_head.bbox_head.fc_out_channels": 32,
        "train_dataloader.dataset.dataset.pipeline.3.transforms.0.scales": [(200, 72), (200, 96)],
        "test_dataloader.dataset.pipeline.2.transforms.0.scale": (200, 72),
    }
    folder, record = run(runs, devkit, "voc07_det", **settings, proposals=proposals, overrides=smaller)
    kept = read_boxes(folder.path / "per_image.npz")
    assert kept.names == read_list(voc_root(devkit), "test")
    hashes = record.protocol["proposals"]
    assert len(hashes) == 1
    with np.load(proposals) as content:
        fewer = {name: content[name] for name in content.files if name != "test_003"}
    np.savez(tmp_path / "fewer.npz", **fewer)
    with pytest.raises(UsageError, match=r"proposed boxes for 1 of 160 images: test_003"):
        make_plan(spec("voc07_det", **settings, proposals=str(tmp_path / "fewer.npz")), Store(runs), devkit)
    with pytest.raises(UsageError, match="voc07_det_faster proposes its own boxes"):
        make_plan(spec("voc07_det", preset="voc07_det_faster", proposals=proposals), Store(runs), devkit)


@pytest.mark.slow
def test_the_classifier_learns_and_falls_to_chance_with_shuffled_labels(devkit: Path, tmp_path: Path) -> None:
    import shutil

    longer = {**QUICK, "iterations": 150, "batch_size": 16, "lr": 0.05}
    _, learned = run(tmp_path / "a", devkit, "voc07_cls", **longer)
    shutil.copytree(devkit, tmp_path / "shuffled")
    lists = tmp_path / "shuffled" / "VOCdevkit" / "VOC2007" / "ImageSets" / "Main"
    order = np.random.default_rng(0).permutation(120)
    for path in lists.glob("*_trainval.txt"):
        lines = path.read_text(encoding="utf-8").split("\n")[:120]
        marks = [lines[place].split()[1] for place in order]
        text = "".join(f"{line.split()[0]} {mark}\n" for line, mark in zip(lines, marks, strict=True))
        path.write_text(text, encoding="utf-8")
    _, chance = run(tmp_path / "b", tmp_path / "shuffled", "voc07_cls", **longer)
    # Two or three of twenty classes are in an image: a guess ranks at about 10 %.
    assert values(learned)["mAP"] > 40
    assert values(chance)["mAP"] < 25

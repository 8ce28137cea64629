"""Linear probes of all stages: planted colours are read, chance stays chance, faults of the data are named."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ssl_motion.errors import UsageError
from ssl_motion.protocols import RunContext, TaskResult
from ssl_motion.transfer import remarks_on
from ssl_motion_benchmarks.imagenet_linear import ImageNetLinear
from ssl_motion_benchmarks.imagenet_linear.folders import find, inspect

TRUNK = {"arch": "alexnet_mini", "width": 6}
TASK = {"backbone": TRUNK, "iterations": 60, "batch_size": 16}
COLOURS = {"blue": (40, 40, 200), "green": (40, 200, 40), "red": (200, 40, 40), "white": (200, 200, 200)}


def make_pictures(root: Path, train: int = 12, val: int = 8, shuffled: bool = False) -> Path:
    rng = np.random.default_rng(2)
    for split, count in (("train", train), ("val", val), ("test", val)):
        for place, name in enumerate(COLOURS):
            (root / split / name).mkdir(parents=True)
            for index in range(count):
                shown = list(COLOURS.values())[index % 4 if shuffled else place]
                pixels = np.array(shown) + rng.integers(-40, 41, (40, 30 + index, 3))
                Image.fromarray(pixels.astype(np.uint8)).save(root / split / name / f"{index}.png")
    return root


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("data"))


def run(root: Path, runs: Path, name: str = "a", **more: Any) -> TaskResult:
    task = ImageNetLinear(ImageNetLinear.Config.model_validate({**TASK, **more}))
    (runs / "transfer" / name).mkdir(parents=True, exist_ok=True)
    return task.run(RunContext(runs / "transfer" / name, None, root, 0, "cpu"))


@pytest.mark.parametrize("augmented", [False, True])
def test_planted_colours_are_read_from_every_stage(pictures: Path, tmp_path: Path, augmented: bool) -> None:
    result = run(pictures, tmp_path, augmented=augmented, iterations=20)
    assert list(result.details["top1"]) == ["conv1", "conv2", "conv3", "conv4", "conv5"]
    assert min(result.details["top1"].values()) > 80
    assert set(result.details["top5"].values()) == {100.0}  # four classes
    assert result.metrics["top1"] == result.details["top1"]["conv5"]
    with np.load(tmp_path / "transfer" / "a" / "per_image.npz", allow_pickle=False) as kept:
        assert kept["predicted"].shape == (5, 32, 4)
        assert kept["names"][0] == "blue/0.png"
        hits = (kept["predicted"][:, :, 0] == kept["labels"]).mean(axis=1) * 100
        assert dict(zip(kept["stages"].tolist(), hits, strict=True)) == pytest.approx(result.details["top1"])


def test_shuffled_labels_are_chance(tmp_path: Path) -> None:
    result = run(make_pictures(tmp_path / "data", shuffled=True), tmp_path)
    assert result.metrics["top1"] < 50  # of 32 images, 8 by chance


def test_fully_connected_stages_are_probed_and_not_ranked_by() -> None:
    task = ImageNetLinear(ImageNetLinear.Config.model_validate({"preset": "imagenet_linear_alexnet"}))
    assert task.ranked_stage == "conv5"
    assert task.protocol()["head"]["ranked_by"] == "conv5"
    resnet = ImageNetLinear(ImageNetLinear.Config.model_validate({"preset": "imagenet_linear_r50"}))
    assert resnet.ranked_stage == "layer4"


def test_full_presets_keep_to_the_table_of_the_protocol() -> None:
    for name in ("imagenet_linear_alexnet", "imagenet_linear_r50"):
        task = ImageNetLinear(ImageNetLinear.Config.model_validate({"preset": name}))
        facts = task.protocol()
        assert task.scale == "full"
        assert facts["recipe"]["milestones"] == pytest.approx([40 / 140, 80 / 140, 120 / 140])
        assert {key: facts["recipe"][key] for key in ("optimiser", "lr", "weight_decay", "iterations")} == {
            "optimiser": "sgd",
            "lr": 0.01,
            "weight_decay": 5e-4,
            "iterations": 140_000,
        }
        assert facts["input"] == {"short_side": 256, "crop": 224}


def test_faults_of_the_data_are_named(tmp_path: Path) -> None:
    root = make_pictures(tmp_path / "data", 1, 1)
    assert not inspect(root, ["val"]).missing
    assert inspect(tmp_path, ["val"]).missing == [f"folder {tmp_path}/train"]
    (root / "val" / "purple").mkdir()
    assert "1 classes are not among those of train/: purple" in inspect(root, ["val"]).missing[0]
    (root / "val" / "purple").rmdir()
    (root / "train" / "red" / "0.png").rename(root / "train" / "red" / "0.txt")
    (missing,) = inspect(root, ["val"]).missing
    assert "training images of 1 classes that val has" in missing
    assert missing.endswith(": red")


def test_changed_files_are_other_data_and_the_split_matters(pictures: Path, tmp_path: Path) -> None:
    before = inspect(pictures, ["val"]).fingerprint
    assert inspect(pictures, ["test"]).fingerprint != before
    assert find(pictures, "val").classes == ("blue", "green", "red", "white")
    copy = make_pictures(tmp_path / "data")
    assert inspect(copy, ["val"]).fingerprint == before
    (copy / "val" / "red" / "0.png").unlink()
    assert inspect(copy, ["val"]).fingerprint != before


def test_hidden_labels_are_refused() -> None:
    with pytest.raises(UsageError, match="not public"):
        ImageNetLinear(ImageNetLinear.Config.model_validate({"preset": "imagenet_linear_small", "evaluate_on": "test"}))


def test_copies_among_the_test_images_and_a_metric_that_says_nothing_are_remarked(tmp_path: Path) -> None:
    root = make_pictures(tmp_path, train=3, val=2)
    report = inspect(root, ["val"])
    assert report.remarks == ["top5 says nothing: with 4 classes it is always 100"]
    assert remarks_on(report) == report.remarks, "namesakes of other content are no copies"
    shutil.rmtree(root / "val")
    shutil.copytree(root / "train", root / "val")
    assert remarks_on(inspect(root, ["val"]))[1].startswith("12 of the 12 test images are copies of training images")
    for split in ("train", "val"):
        for name in ("fifth", "sixth"):
            shutil.copytree(root / split / "red", root / split / name)
    assert inspect(root, ["val"]).remarks == []

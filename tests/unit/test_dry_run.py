"""A dry run of `transfer` finds what the run would stumble over, and says what it did not look at."""

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from ssl_motion.backbones import build_backbone
from ssl_motion.cli.pretrain_verb import command as pretrain
from ssl_motion.cli.transfer_verb import command
from ssl_motion.dry_run import examine
from ssl_motion.errors import DataError, SSLMotionError, UsageError
from ssl_motion.spec import BackboneSpec, TransferSpec
from ssl_motion.store import RunFolder, Store
from ssl_motion.transfer import make_plan
from ssl_motion.weights import TENSORS, save_weights

make_devkit = runpy.run_path(str(Path(__file__).parents[1] / "voc_devkit.py"))["make_devkit"]
TRUNK = {"arch": "alexnet_mini", "width": 6}
TASK = {"preset": "voc12_fcn_small", "backbone": TRUNK, "iterations": 6, "batch_size": 4, "crop": 48}


def plan(runs: Path, data: Path, init: str = "random", task: Any = None, **overrides: Any) -> Any:
    spec = TransferSpec(task="voc_fcn", task_config=task or TASK, init=init, recipe_overrides=overrides)
    return make_plan(spec, Store(runs), data)


def weights(folder: Path, trunk: dict[str, Any]) -> Path:
    spec = BackboneSpec.model_validate(trunk)
    torch.manual_seed(7)
    save_weights(folder, build_backbone(spec), spec=spec, method="cmp", run=None, pretraining=None, source="a test")
    return folder


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    return Path(make_devkit(tmp_path / "data", train=6, val=3))


def test_a_sound_plan_passes_and_leaves_nothing_behind(voc: Path, tmp_path: Path) -> None:
    start = weights(tmp_path / "start", TRUNK)
    found = examine(plan(tmp_path / "runs", voc, str(start)))
    assert any("9 images (decoded)" in line for line in found.checked)
    assert any(str(start) in line for line in found.checked)
    assert found.unchecked == ("memory, and whether the training succeeds",)
    examine(plan(tmp_path / "runs", voc, str(start / TENSORS)))
    examine(plan(tmp_path / "runs", voc, "random:xavier"))
    assert not (tmp_path / "runs").exists()


def test_weights_that_do_not_fit_are_found(voc: Path, tmp_path: Path) -> None:
    (tmp_path / "page.pth").write_text("<html>not found</html>")
    with pytest.raises(UsageError, match=r"page\.pth: no weights file"):
        examine(plan(tmp_path / "runs", voc, str(tmp_path / "page.pth")))
    torch.save(build_backbone(BackboneSpec(arch="resnet18")).state_dict(), tmp_path / "resnet.pth")
    with pytest.raises(UsageError, match=r"resnet\.pth: no value for conv1"):
        examine(plan(tmp_path / "runs", voc, str(tmp_path / "resnet.pth")))
    start = weights(tmp_path / "start", TRUNK)
    content = (start / TENSORS).read_bytes()
    (start / TENSORS).write_bytes(content[:-8] + b"\0\0\0\1\0\0\0\1")
    with pytest.raises(DataError, match="damaged or exchanged"):
        examine(plan(tmp_path / "runs", voc, str(start)))


def test_imagenet_weights_that_are_not_there_are_said(
    voc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    task = {"preset": "voc12_fcn_small", "iterations": 6}
    found = examine(plan(tmp_path / "runs", voc, "imagenet", task))
    (line,) = [line for line in found.unchecked if "ImageNet" in line]
    path = tmp_path / "torch/hub/checkpoints/resnet18-f37072fd.pth"
    assert f"{path} is not there, and would be downloaded from https://download.pytorch.org/" in line
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half of it")
    with pytest.raises(UsageError, match=r"resnet18-f37072fd\.pth: no weights file"):
        examine(plan(tmp_path / "runs", voc, "imagenet", task))


@pytest.mark.parametrize("name", ["train_004", "val_002"])
def test_images_cut_short_are_found(voc: Path, tmp_path: Path, name: str) -> None:
    path = voc / f"VOCdevkit/VOC2012/JPEGImages/{name}.jpg"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match=rf"1 of 9 images cannot be read: .*{name}\.jpg"):
        examine(plan(tmp_path / "runs", voc))


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("optim_wrapper.optimiser.lr", "the recipe has no 'optim_wrapper.optimiser'"),
        ("train_dataloader.dataset.dataset.pipeline.44.type", "entries there, counted from 0"),
    ],
)
def test_keys_that_a_recipe_has_no_place_for_are_found_at_planning(
    voc: Path, tmp_path: Path, key: str, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        plan(tmp_path / "runs", voc, **{key: 1})


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("optim_wrapper.optimizer.weight_decai", 1e-4, "weight_decai"),
        ("model.decode_head.type", "Nope", "Nope"),
        ("model.decode_head.num_conv", 2, "num_conv"),
        ("param_scheduler.0.power", 2, "power"),
        ("test_evaluator.nope", 1, "nope"),
        ("train_dataloader.sampler.shuffled", True, "shuffled"),
        ("train_dataloader.dataset.dataset.pipeline.2.prop", 1, "prop"),
    ],
)
def test_what_the_libraries_will_not_take_is_found(
    voc: Path, tmp_path: Path, key: str, value: object, words: str
) -> None:
    with pytest.raises(UsageError, match=rf"does not run as changed by --cfg-options {key}={value}: .*{words}"):
        examine(plan(tmp_path / "runs", voc, **{key: value}))


def test_sound_changes_pass_and_new_keys_are_remarked(voc: Path, tmp_path: Path) -> None:
    made = plan(
        tmp_path / "runs", voc, **{"optim_wrapper.optimizer.weight_decay": 0.1, "model.decode_head.dropout_ratio": 0.2}
    )
    assert made.remarks == ()
    assert made.changes == {
        **{name: value for name, value in made.spec.task_config.items() if name in TASK and name != "preset"},
        "optim_wrapper.optimizer.weight_decay": 0.1,
        "model.decode_head.dropout_ratio": 0.2,
    }
    assert any("changed recipe" in line for line in examine(made).checked)
    made = plan(tmp_path / "runs", voc, **{"checkpoint_evry": 3})
    assert made.remarks == (
        "--cfg-options checkpoint_evry adds a key that the recipe does not have. Did you mean 'checkpoint_every'?",
    )


@pytest.mark.parametrize("task", ["coco", "lip", "voc_hypercolumn", "voc07_cls", "voc07_det"])
def test_the_recipes_of_all_tasks_can_be_tried(task: str, tmp_path: Path) -> None:
    made = make_plan(TransferSpec(task=task, recipe_overrides={"checkpoint_every": 7}), Store(tmp_path / "runs"))
    assert made.remarks == ()
    found = examine(made)
    assert any("changed recipe" in line for line in found.checked)
    assert any("built-in data" in line for line in found.unchecked)
    wrong = make_plan(TransferSpec(task=task, recipe_overrides={"optim_wrapper.optimizer.no": 7}), Store(tmp_path))
    with pytest.raises(UsageError, match=r"optimizer\.no=7"):
        examine(wrong)


def test_the_verb_prints_remarks_and_what_was_looked_at(voc: Path, tmp_path: Path) -> None:
    sets = [
        each for key in ("iterations=6", "backbone.arch=alexnet_mini", "backbone.width=6") for each in ("--set", key)
    ]
    lists = voc / "VOCdevkit/VOC2012/ImageSets/Segmentation"
    (lists / "val.txt").write_text((lists / "train.txt").read_text())
    arguments = ["--preset", "voc12_fcn_small", *sets, "--data-root", str(voc), "--runs", str(tmp_path), "--dry-run"]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    assert "note      6 of the 6 test images are training images too" in result.output
    (changed,) = [line for line in result.output.splitlines() if line.startswith("changed ")]
    assert "iterations=6" in changed
    assert "preset" not in changed
    assert "alexnet" not in changed
    assert "checked   lists, labels and all 6 images (decoded)" in result.output
    assert "unchecked memory" in result.output
    content = json.loads(CliRunner().invoke(command, [*arguments, "--json"]).output)
    assert content["remarks"][0].startswith("6 of the 6")
    assert (content["state"], content["error"]) == ("new", None)
    (tmp_path / "text.pth").write_text("no weights")
    refused = CliRunner().invoke(command, [*arguments, "--init", str(tmp_path / "text.pth")])
    assert isinstance(refused.exception, SSLMotionError)


def test_what_a_run_failed_of_is_said_to_people_and_programs(voc: Path, tmp_path: Path) -> None:
    sets = [f"--set={key}" for key in ("iterations=6", "backbone.arch=alexnet_mini", "backbone.width=6")]
    transfers = ["--preset", "voc12_fcn_small", *sets, "--data-root", str(voc), "--runs", str(tmp_path), "--dry-run"]
    pretrains = ["--method", "cmp", "--runs", str(tmp_path), "--dry-run"]
    for verb, arguments in ((command, transfers), (pretrain, pretrains)):
        new = json.loads(CliRunner().invoke(verb, [*arguments, "--json"]).output)
        with pytest.raises(DataError), RunFolder(Path(new["path"]), new["identity"]).locked({}):
            raise DataError("no light in the room")
        failed = json.loads(CliRunner().invoke(verb, [*arguments, "--json"]).output)
        assert (failed["state"], failed["error"]) == ("failed", "no light in the room")
        assert "failed    no light in the room" in CliRunner().invoke(verb, arguments).output

"""Transfer from spec to record on a tiny devkit: what a run leaves, reuse, identity, the verb."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from click.testing import CliRunner

from ssl_motion.cli.transfer_verb import command
from ssl_motion.per_image.confusion import read_per_image, scores
from ssl_motion.record import Reproduced, read_record
from ssl_motion.spec import RuntimeSpec, TransferSpec
from ssl_motion.store import RunFolder, Store
from ssl_motion.transfer import make_plan

_runs = runpy.run_path(str(Path(__file__).parents[1] / "small_transfers.py"))
TASK, TRUNK, final_state, run, same, spec = (
    _runs[name] for name in ("TASK", "TRUNK", "final_state", "run", "same", "spec")
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, devkit: Path) -> RunFolder:
    return run(tmp_path_factory.mktemp("runs"), devkit, spec())


def test_a_run_leaves_a_record_that_its_files_confirm(finished: RunFolder, devkit: Path) -> None:
    record = read_record(finished.path / "record.json")
    assert (record.method, record.backbone, record.task) == ("random", "alexnet_mini-w6", "voc_fcn")
    assert (record.scale, record.protocol_name, record.seed) == ("reduced", "voc12_fcn_small (changed)", 0)
    assert record.pretraining is None
    assert record.identity == finished.identity
    assert isinstance(record.origin, Reproduced)
    assert record.origin.provenance.wall_seconds > 0
    assert record.primary.name == "mIoU"
    matrices = read_per_image(finished.path / "per_image.npz")
    assert matrices.names == [f"val_{index:03d}" for index in range(5)]
    figures = scores(matrices.total())
    values = {metric.name: metric.value for metric in record.metrics}
    assert values == pytest.approx({"mIoU": figures.miou, "aAcc": figures.accuracy, "mAcc": figures.mean_accuracy})
    assert record.details["IoU"]["background"] == pytest.approx(figures.iou[0])
    # 26x26 labelled square in a border of 255, background around: every labelled pixel was scored, at full size.
    assert matrices.total().sum() == 5 * (64 * 80 - (30 * 30 - 26 * 26))
    again = TransferSpec.model_validate(yaml.safe_load((finished.path / "spec.yaml").read_text(encoding="utf-8")))
    assert make_plan(again, Store(finished.path.parents[1]), devkit).folder == finished
    lines = [json.loads(line) for line in (finished.path / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert lines[-1]["test/mIoU"] == pytest.approx(values["mIoU"])
    assert any("train/loss" in line for line in lines)


def test_it_learns(tmp_path: Path, devkit: Path, finished: RunFolder) -> None:
    longer = run(tmp_path, devkit, spec(iterations=60, batch_size=8, lr=0.003, crop=96))
    values = {metric.name: metric.value for metric in read_record(longer.path / "record.json").metrics}
    # Predicting background alone gives 86 % of the pixels and an mIoU of 12.
    assert values["aAcc"] > 92
    assert values["mIoU"] > 40
    assert read_record(finished.path / "record.json").primary.value < 20


def test_a_finished_run_is_reused_and_force_moves_it_aside(tmp_path: Path, devkit: Path) -> None:
    first = run(tmp_path, devkit, spec(iterations=2))
    stamp = (first.path / "record.json").stat().st_mtime_ns
    assert run(tmp_path, devkit, spec(iterations=2)) == first
    assert (first.path / "record.json").stat().st_mtime_ns == stamp
    state = final_state(first)
    second = run(tmp_path, devkit, spec(iterations=2), force=True)
    assert second == first
    assert (first.path / "record.json").stat().st_mtime_ns != stamp
    assert len(list(tmp_path.glob("transfer/*.old-*"))) == 1
    assert all(torch.equal(final_state(second)[name], state[name]) for name in state)


def test_loader_processes_change_nothing(tmp_path: Path, devkit: Path, finished: RunFolder) -> None:
    parallel = run(tmp_path, devkit, spec(), runtime=RuntimeSpec(device="cpu", workers=2))
    assert parallel.identity == finished.identity
    assert same(parallel, finished)


def test_identity_follows_what_matters(devkit: Path, tmp_path: Path, finished: RunFolder) -> None:
    store = Store(tmp_path)
    assert make_plan(spec(), store, devkit).folder.identity == finished.identity
    others = [spec(seed=1), spec(iterations=7), spec(lr=0.01), spec(train_images=5)]
    others.append(spec().model_copy(update={"recipe_overrides": {"model.decode_head.dropout_ratio": 0.2}}))
    plans = [make_plan(other, store, devkit) for other in others]
    assert len({finished.identity, *(plan.folder.identity for plan in plans)}) == 6
    protocol = make_plan(spec(), store, devkit).protocol
    assert plans[0].protocol == protocol
    assert all(plan.protocol != protocol for plan in plans[1:])
    assert make_plan(spec(), store, devkit / "VOCdevkit").folder.identity == finished.identity


def test_results_of_two_recipe_versions_are_never_ranked_together(
    tmp_path: Path, devkit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make_plan(spec(), Store(tmp_path), devkit)
    assert "recipe_version" not in first.protocol, "fingerprints of the first version stay"
    monkeypatch.setattr(type(first.task), "recipe_version", 2)
    second = make_plan(spec(), Store(tmp_path), devkit)
    assert second.protocol == {**first.protocol, "recipe_version": 2}
    assert second.folder != first.folder


def test_verb(tmp_path: Path, devkit: Path) -> None:
    options = ["--preset", "voc12_fcn_small", "--data-root", str(devkit), "--runs", str(tmp_path), "--device", "cpu"]
    for key, value in (*TASK.items(), *((f"backbone.{key}", value) for key, value in TRUNK.items())):
        if key not in ("preset", "backbone"):
            options += ["--set", f"{key}={value}"]
    planned = CliRunner().invoke(command, [*options, "--dry-run", "--json"], catch_exceptions=False)
    plan = json.loads(planned.stdout)
    assert (plan["state"], plan["cached"]) == ("new", False)
    assert not any(tmp_path.iterdir())
    ran = CliRunner().invoke(command, [*options, "--json"], catch_exceptions=False)
    outcome = json.loads(ran.stdout)
    assert {key: outcome[key] for key in ("identity", "path", "cached")} == {
        "identity": plan["identity"], "path": plan["path"], "cached": False,
    }  # fmt: skip
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(plan["spec"]), encoding="utf-8")
    rest = ["--data-root", str(devkit), "--runs", str(tmp_path)]
    again = CliRunner().invoke(command, [str(tmp_path / "spec.yaml"), *rest, "--json"], catch_exceptions=False)
    assert json.loads(again.stdout)["cached"] is True
    people = CliRunner().invoke(command, [*options], catch_exceptions=False)
    assert "was reused" in people.stdout
    assert f"mIoU   {outcome['metrics']['mIoU']:.2f}" in people.stdout
    changed = CliRunner().invoke(
        command, [*options, "--cfg-options", "optim_wrapper.optimizer.lr=0.5", "--dry-run", "--json"]
    )
    assert json.loads(changed.stdout)["facts"]["recipe_overrides"] == {"optim_wrapper.optimizer.lr": 0.5}


def test_built_in_world(tmp_path: Path) -> None:
    world = {"size": 48, "train_images": 6, "val_images": 2, "test_images": 3}
    what = TransferSpec.model_validate(
        {
            "task": "voc_fcn",
            "task_config": {"preset": "puppets_fcn", "backbone": TRUNK, "iterations": 2, "batch_size": 4},
            "puppets": world,
        }
    )
    plan = make_plan(what, Store(tmp_path), None)
    assert not any(tmp_path.iterdir())  # a plan renders nothing
    more_pairs = what.model_copy(update={"puppets": what.puppets.model_copy(update={"pairs": 77})})  # type: ignore[union-attr]
    assert make_plan(more_pairs, Store(tmp_path), None).folder.identity == plan.folder.identity
    done = run(tmp_path, None, what)  # type: ignore[arg-type]  # None: the built-in world
    record = read_record(done.path / "record.json")
    assert record.scale == "builtin"
    assert len(read_per_image(done.path / "per_image.npz").names) == 3
    smaller = what.model_copy(update={"puppets": what.puppets.model_copy(update={"size": 64})})  # type: ignore[union-attr]
    assert make_plan(smaller, Store(tmp_path), None).protocol != plan.protocol


@pytest.mark.slow
def test_two_processes_train_together(tmp_path: Path, devkit: Path) -> None:
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec().model_dump(mode="json")), encoding="utf-8")
    arguments = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc_per_node",
        "2",
        "-m",
        "ssl_motion",
    ]
    arguments += ["transfer", str(tmp_path / "spec.yaml"), "--runs", str(tmp_path), "--data-root", str(devkit)]
    done = subprocess.run(
        [*arguments, "--device", "cpu", "--json"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    matrices = read_per_image(Path(outcome["path"]) / "per_image.npz")
    assert len(matrices.names) == 5
    assert matrices.total().sum() == 5 * (64 * 80 - (30 * 30 - 26 * 26))


@pytest.mark.slow
def test_sample_of_real_data(tmp_path: Path, sample_data: Path) -> None:
    what = spec(backbone={"arch": "resnet18", "width": 16, "output_stride": 8}, iterations=4, crop=96)
    record = read_record(run(tmp_path, sample_data, what).path / "record.json")
    assert 0 <= record.primary.value < 30
    assert {metric.name for metric in record.metrics} == {"mIoU", "aAcc", "mAcc"}

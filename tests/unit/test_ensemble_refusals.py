"""Ensembles that are refused at planning, in words that name tasks and the facts that matter."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from ssl_motion.cli.ensemble_verb import command
from ssl_motion.cli.list_verb import command as list_command
from ssl_motion.ensemble import plan_ensemble
from ssl_motion.errors import UsageError
from ssl_motion.fileio import write_json
from ssl_motion.record import MetricValue, Provenance, Reproduced, ResultRecord
from ssl_motion.store import Store

SHARED = {"dataset": "puppets", "head": {"type": "FCNHead"}, "iterations": 300, "dataset_hash": "d"}


def finished(store: Store, number: int, task: str = "voc_fcn", trunk: str = "alexnet_mini", **facts: object) -> str:
    identity = f"{number:x}" * 16
    origin = Provenance(
        commit="c" * 40,
        dirty=False,
        packages={},
        python="3.11",
        hardware="a cpu",
        device="cpu",
        wall_seconds=5.0,
        finished="2026-01-01T00:00:00+00:00",
    )
    record = ResultRecord(
        identity=identity,
        method="random",
        backbone=trunk,
        pretraining=None,
        task=task,
        protocol={**SHARED, **facts},
        protocol_name=task,
        scale="builtin",
        metrics=[MetricValue(name="mIoU", value=1.0, primary=True)],
        seed=number,
        spec={"task": task, "seed": number},
        origin=Reproduced(provenance=origin),
    )
    folder = store.folder("transfer", f"{task} {number}", identity)
    write_json(folder.path / "record.json", record.model_dump(mode="json"))
    folder.finish({})
    return identity


def test_a_task_that_has_no_average_is_named_with_those_that_have(tmp_path: Path) -> None:
    store = Store(tmp_path)
    runs = [finished(store, number, "dense_linear") for number in (1, 2)]
    with pytest.raises(UsageError) as refused:
        plan_ensemble(runs, store)
    assert str(refused.value) == (
        "dense_linear: what it predicts cannot be averaged. There are ensembles of: lip, voc_fcn, voc_hypercolumn"
    )
    dry = CliRunner().invoke(command, [*runs, "--dry-run", "--runs", str(tmp_path)])
    assert isinstance(dry.exception, UsageError)
    assert list((tmp_path / "transfer").glob("*ensemble*")) == []


def test_help_and_list_say_which_tasks_can_be_averaged() -> None:
    text = " ".join(CliRunner().invoke(command, ["--help"]).output.split())
    assert "voc_fcn, voc_hypercolumn or lip" in text
    listed = CliRunner().invoke(list_command, ["benchmarks"]).output
    assert listed.count("can be averaged") == 3


def test_of_two_tasks_the_tasks_are_said_and_nothing_else(tmp_path: Path) -> None:
    store = Store(tmp_path)
    runs = [finished(store, 1), finished(store, 2, "lip", head="another", iterations=7)]
    with pytest.raises(UsageError, match=r"they differ in: task \((lip, voc_fcn|voc_fcn, lip)\)\. Only runs of one"):
        plan_ensemble(runs, store)


def test_facts_that_differ_are_given_with_short_values_and_counted(tmp_path: Path) -> None:
    store = Store(tmp_path)
    runs = [finished(store, 1), finished(store, 2, head={"type": "Other"}, iterations=7, dataset_hash="e", crop=64)]
    words = r"differ in: head, iterations \(300, 7\), dataset_hash, crop \(none, 64\)\. Only"
    with pytest.raises(UsageError, match=words):
        plan_ensemble(runs, store)
    many = {f"fact{number}": number for number in range(9)}
    runs = [finished(store, 3), finished(store, 4, trunk="resnet18", backbone={"arch": "resnet18"}, **many)]
    with pytest.raises(UsageError) as refused:
        plan_ensemble(runs, store)
    assert "differ in: backbone (alexnet_mini, resnet18), fact0 (none, 0)," in str(refused.value)
    assert str(refused.value).count("backbone") == 1
    assert "and 5 more. Only" in str(refused.value)

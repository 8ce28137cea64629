"""Suites as graphs: settings that vary in recipes, ensembles, included suites, runs that are one."""

import json
import runpy
from dataclasses import replace
from pathlib import Path

import pytest

from ssl_motion.errors import UsageError
from ssl_motion.store import Store
from ssl_motion.suite_state import merged
from ssl_motion.sweep import (
    all_curves,
    all_remarks,
    load_suite,
    plan,
)

_suite = runpy.run_path(str(Path(__file__).parents[1] / "small_suites.py"))["small_suite"]


def test_values_of_the_recipe_become_transfers_of_their_own():
    key = "model.backbone.norm_eval"
    entry = {
        "task": "coco",
        "task_config": {"preset": "puppets_coco"},
        "recipe_overrides": {"train_cfg.max_iters": 7},
        "vary_recipe": {key: [None, True]},
        "inits": ["random"],
    }
    jobs = {job.name: job for job in plan(_suite(transfer=[entry], pretrain={}, worlds=[], seeds=[0]))}
    assert {name: job.spec.recipe_overrides for name, job in jobs.items()} == {
        "transfer puppets_coco norm_eval=none from random seed 0": {"train_cfg.max_iters": 7},
        "transfer puppets_coco norm_eval=True from random seed 0": {"train_cfg.max_iters": 7, key: True},
    }


def test_an_ensemble_averages_transfers_of_one_world_and_seed():
    vary = {"optimizer.lr": [0.1, 0.2]}
    ensemble = [{"transfer": "puppets_fcn", "inits": ["cmp", "random"]}]
    suite = _suite(pretrain={"cmp": {"config": "cmp_puppets", "vary": vary}}, transfer=[FCN], ensemble=ensemble)
    jobs = {job.name: job for job in plan(suite)}
    averaged = {name: job for name, job in jobs.items() if job.verb == "ensemble"}
    assert len(averaged) == 2 * 2 * 2, "worlds, rates, seeds"
    one = averaged["weak_pan ensemble puppets_fcn from cmp lr=0.2 + random seed 1"]
    assert one.parents == (
        "weak_pan transfer puppets_fcn from cmp lr=0.2 seed 1",
        "weak_pan transfer puppets_fcn from random seed 1",
    )
    assert all(jobs[parent].spec.seed == 1 == one.spec.seed for parent in one.parents)
    assert one.command(Path("spec.yaml"), ["runs/a", "runs/b"]) == ["ensemble", "runs/a", "runs/b", "--json"]
    assert list(jobs).index(one.name) > max(list(jobs).index(parent) for parent in one.parents)


FCN = {"task": "voc_fcn", "task_config": {"preset": "puppets_fcn"}, "inits": ["cmp", "random"]}


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        (
            {"transfer": "puppets_fnc", "inits": ["cmp", "random"]},
            "Did you mean 'transfer puppets_fcn from cmp seed 0'",
        ),
        (
            {"transfer": "puppets_fcn", "inits": ["cmp", "imagenet"]},
            "no job 'transfer puppets_fcn from imagenet seed 0'",
        ),
    ],
)
def test_an_ensemble_of_what_is_not_there_is_refused(entry, fault):
    suite = _suite(pretrain={"cmp": {"config": "cmp_puppets"}}, transfer=[FCN], ensemble=[entry], worlds=[], seeds=[0])
    with pytest.raises(UsageError, match=fault):
        plan(suite)
    with pytest.raises(ValueError, match="at least 2 items"):
        _suite(ensemble=[{"transfer": "puppets_fcn", "inits": ["cmp"]}])


@pytest.fixture
def included(tmp_path: Path) -> Path:
    """Two suites that include each other; their pretrainings are one and the same, written differently."""
    puppets = {"size": 32}
    one = {
        "remarks": ["of one"],
        "title": "one", "puppets": puppets, "include": [str(tmp_path / "two.yaml")], "transfer": [FCN],
        "pretrain": {"cmp": {"config": "cmp_puppets", "set": {"optimizer.lr": 0.1}}},
        "curves": {"rate": {"title": "a", "x": "b", "x_label": "c"}},
    }  # fmt: skip
    guidance = {"strategies": ["grid", "watershed"], "kernel_size": 21, "grid_stride": 50, "uniform_ratio": 2.5e-5}
    same = {"optimizer.lr": 0.1, "method_config.guidance": guidance, "validate_every": 7, "checkpoint_every": 9}
    two = {
        **one,
        "title": "two",
        "remarks": ["of two", "of one"],
        "include": [str(tmp_path / "one.yaml")],
        # Pretraining pairs say nothing about a random start.
        "puppets": {**puppets, "pairs": 9},
        "transfer": [{**FCN, "inits": ["again", "random"]}],
        "pretrain": {"again": {"config": "cmp_puppets", "set": {**same, "data.puppets.pairs": 8000}}},
    }
    for name, content in (("one", one), ("two", two)):
        (tmp_path / f"{name}.yaml").write_text(json.dumps(content))
    return tmp_path / "one.yaml"


def test_suites_that_include_each_other_are_planned_once(included: Path):
    suite = load_suite(str(included))
    jobs = plan(suite)
    assert [job.name for job in jobs] == [
        "pretrain cmp seed 0",
        "two: pretrain again seed 0",
        "one: pretrain cmp seed 0",
        "transfer puppets_fcn from cmp seed 0",
        "transfer puppets_fcn from random seed 0",
        "two: transfer puppets_fcn from again seed 0",
        "two: transfer puppets_fcn from random seed 0",
        "one: transfer puppets_fcn from cmp seed 0",
        "one: transfer puppets_fcn from random seed 0",
    ]
    assert list(all_curves(suite)) == ["rate"]
    assert all_remarks(suite) == ["of one", "of two"]


def test_jobs_that_are_one_run_are_done_once(included: Path, tmp_path: Path):
    from ssl_motion.engine.plan import make_plan as plan_pretraining
    from ssl_motion.transfer import make_plan as plan_transfer

    jobs = plan(load_suite(str(included)))
    left = merged(jobs)
    assert [job.name for job in left] == [
        "pretrain cmp seed 0",
        "transfer puppets_fcn from cmp seed 0",
        "transfer puppets_fcn from random seed 0",
    ]
    # What decides is the identity that the commands would find.
    store = Store(tmp_path)
    assert len({plan_pretraining(job.spec, store).folder.identity for job in jobs[:3]}) == 1
    random = [job for job in jobs if job.verb == "transfer" and not job.parents]
    assert len({job.spec.puppets.pairs for job in random}) == 2
    assert len({plan_transfer(job.spec, store).folder.identity for job in random}) == 1
    other = replace(jobs[0], name="other", spec=jobs[0].spec.model_copy(update={"iterations": 3}))
    child = replace(jobs[3], name="child", parents=("other",))
    assert [job.name for job in merged([*jobs, other, child])][-2:] == ["other", "child"]


def test_two_suites_or_curves_of_one_name_are_refused(tmp_path: Path, included: Path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "two.yaml").write_text(json.dumps({"title": "another two"}))
    suite = _suite(include=[str(tmp_path / "two.yaml"), str(tmp_path / "below" / "two.yaml")])
    with pytest.raises(UsageError, match="two included suites are called two"):
        plan(suite)
    clash = {"rate": {"title": "another", "x": "b", "x_label": "c"}}
    with pytest.raises(UsageError, match="two different curves are called 'rate'"):
        all_curves(_suite(include=[str(included)], curves=clash))

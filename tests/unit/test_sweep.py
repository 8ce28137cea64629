"""Suites become jobs in the right order; the local executor runs, skips and reports them."""

import json
import os
import re
import runpy
from pathlib import Path

import pytest

from ssl_motion.errors import RunError, UsageError
from ssl_motion.fileio import write_text
from ssl_motion.slurm.attempt import state_file
from ssl_motion.spec import PretrainSpec, PuppetsSpec
from ssl_motion.store import Store
from ssl_motion.suite_state import check_jobs
from ssl_motion.sweep import (
    LONGEST_NAME,
    PretrainEntry,
    SuiteSpec,
    TransferEntry,
    job_spec_file,
    load_suite,
    plan,
)

_suite = runpy.run_path(str(Path(__file__).parents[1] / "small_suites.py"))["small_suite"]


def test_quickstart_pairs_every_transfer_with_the_pretraining_of_its_seed():
    jobs = plan(load_suite("quickstart"))
    names = [job.name for job in jobs]
    assert len(names) == len(set(names)) == 9
    for job in jobs:
        for name in job.parents:
            assert names.index(name) < names.index(job.name)
            parent = jobs[names.index(name)]
            assert parent.spec.seed == job.spec.seed
            assert parent.spec.data.puppets == job.spec.puppets
    assert sum(not job.parents and job.verb == "transfer" for job in jobs) == 3


def test_an_unknown_key_in_a_suite_names_the_nearest(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("title: x\nseedz: [1]\n")
    with pytest.raises(UsageError, match=r"seedz.*Did you mean 'seeds'"):
        load_suite(str(file))


def test_a_suite_is_done_in_each_world_and_an_entry_only_where_it_belongs():
    jobs = {job.name: job for job in plan(_suite())}
    # still: cmp; weak_pan: cmp and its control; each with two seeds, two read-outs, and random.
    assert sum(job.verb == "pretrain" for job in jobs.values()) == 2 + 4
    assert sum(job.verb == "transfer" for job in jobs.values()) == 2 * (4 + 6)
    assert "still pretrain cmp, camera flow seed 0" not in jobs
    child = jobs["weak_pan transfer puppets_linear from cmp, camera flow seed 1"]
    parent = jobs[child.parents[0]]
    assert (parent.spec.data.control, parent.spec.seed) == ("camera_flow", 1)
    assert parent.spec.data.puppets == child.spec.puppets == PuppetsSpec(world="weak_pan", size=32)
    assert child.spec.task_config == {"preset": "puppets_linear"}
    files = [job_spec_file(Path(), job).name for job in jobs.values()]
    assert len(set(files)) == len(files)
    assert not any(set(name) & set(" ,/:") for name in files)


def test_values_to_try_become_variants_that_transfers_follow():
    vary = {"optimizer.lr": [0.001, 0.003], "batch_size": [8, 16]}
    common = {"iterations": 5, "optimizer.lr": 9.0}
    pretrain = {"cmp": {"config": "cmp_puppets", "vary": vary}}
    suite = _suite(pretrain_set=common, pretrain=pretrain, worlds=[], seeds=[7])
    jobs = {job.name: job for job in plan(suite)}
    assert {job.spec.iterations for job in jobs.values() if isinstance(job.spec, PretrainSpec)} == {5}
    tried = {
        (job.spec.optimizer.lr, job.spec.batch_size) for job in jobs.values() if isinstance(job.spec, PretrainSpec)
    }
    assert tried == {(0.001, 8), (0.001, 16), (0.003, 8), (0.003, 16)}
    child = jobs["transfer puppets_fcn from cmp lr=0.003 batch_size=8 seed 7"]
    assert (jobs[child.parents[0]].spec.optimizer.lr, jobs[child.parents[0]].spec.batch_size) == (0.003, 8)


def test_two_jobs_of_one_name_are_refused():
    twice = {"task": "voc_fcn", "task_config": {"preset": "puppets_fcn"}, "inits": ["random"]}
    with pytest.raises(UsageError, match="more than one job 'still transfer puppets_fcn from random seed 0'"):
        plan(_suite(transfer=[twice, {**twice, "recipe_overrides": {"train_cfg.max_iters": 1}}]))


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"seeds": [1, 1]}, r"seeds\n.* 1 is repeated"),
        ({"worlds": ["still", "still"]}, r"worlds\n.* still is repeated"),
        ({"puppets": None}, "give puppets too"),
        ({"worlds": ["still"]}, r"cmp, camera flow.worlds: the suite has no world weak_pan"),
    ],
)
def test_suites_that_contradict_themselves_are_refused(changes, fault):
    with pytest.raises(ValueError, match=fault):
        _suite(**changes)


def test_what_is_wrong_with_seeds_is_said_without_the_rest_of_the_suite(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("title: a long title\nseeds: [0, 0, -1]\n")
    with pytest.raises(UsageError) as caught:
        load_suite(str(file))
    assert str(caught.value) == f"{file}: 1 fault(s)\n  seeds: 0 is repeated, -1 is below 0 (got [0, 0, -1])"
    file.write_text("title: a long title\nworlds: [still]\n")
    with pytest.raises(UsageError) as caught:
        load_suite(str(file))
    assert "give puppets too" in str(caught.value)
    assert "a long title" not in str(caught.value)


@pytest.mark.parametrize("name", ["nosuch", "quickstat"])
def test_a_suite_that_does_not_exist_is_called_one(name):
    with pytest.raises(UsageError, match=f"^no suite '{name}': neither"):
        load_suite(name)


def test_names_that_are_too_long_for_files_are_refused(tmp_path):
    def jobs(letters):
        label = "c" * letters
        entry = {"task": "voc_fcn", "task_config": {"preset": "puppets_fcn"}, "inits": [label]}
        return plan(_suite(worlds=[], seeds=[7], pretrain={label: {"config": "cmp_puppets"}}, transfer=[entry]))

    around = len(job_spec_file(tmp_path, jobs(1)[-1]).stem) - 1
    for job in jobs(LONGEST_NAME - around):
        # Written as they are, with the largest process number.
        state = state_file(tmp_path, job)
        (tmp_path / f".{state.name}.4194304-{'0' * 6}.part").touch()
        write_text(job_spec_file(tmp_path, job), "")
    with pytest.raises(UsageError, match=rf"name of {LONGEST_NAME + 1} letters; at most {LONGEST_NAME} fit"):
        jobs(LONGEST_NAME - around + 1)
    with pytest.raises(UsageError, match=r"'transfer puppets_fcn from c+'\.\.\. has|'pretrain c+'\.\.\. has"):
        jobs(301)


def test_a_suite_runs_once_at_a_time(tmp_path):
    from click.testing import CliRunner

    from ssl_motion.cli.run_verb import command
    from ssl_motion.locking import held

    with held(tmp_path / "suites" / "quickstart", "suite.lock"):
        result = CliRunner().invoke(command, ["quickstart", "--runs", str(tmp_path)])
    assert isinstance(result.exception, RunError)
    assert f"in use by process {os.getpid()}" in str(result.exception)
    assert not (tmp_path / "data").exists()


def test_run_lists_its_jobs_without_starting(capsys):
    from click.testing import CliRunner

    from ssl_motion.cli.run_verb import command

    result = CliRunner().invoke(command, ["quickstart", "--dry-run", "--json"])
    assert result.exit_code == 0
    assert len(json.loads(result.stdout)["jobs"]) == 9


def test_a_dry_run_counts_what_is_finished(tmp_path):
    from click.testing import CliRunner

    from ssl_motion.cli.run_verb import command
    from ssl_motion.engine.plan import make_plan as plan_pretraining
    from ssl_motion.store import Store
    from ssl_motion.transfer import make_plan as plan_transfer

    jobs = {job.name: job for job in plan(load_suite("quickstart"))}
    store = Store(tmp_path)
    pretraining = plan_pretraining(jobs["pretrain cmp seed 1"].spec, store).folder
    transfer = plan_transfer(jobs["transfer puppets_fcn from random seed 2"].spec, store).folder
    for folder in (pretraining, transfer):
        folder.finish({})
    plan_transfer(jobs["transfer puppets_fcn from random seed 0"].spec, store).folder.path.mkdir()  # interrupted
    result = CliRunner().invoke(command, ["quickstart", "--dry-run", "--json", "--runs", str(tmp_path)])
    content = json.loads(result.stdout)
    assert content["counts"] == {"jobs": 9, "finished": 2}
    assert {job["name"]: job["run"] for job in content["jobs"] if job["run"]} == {
        "pretrain cmp seed 1": str(pretraining.path),
        "transfer puppets_fcn from random seed 2": str(transfer.path),
    }
    words = CliRunner().invoke(command, ["quickstart", "--dry-run", "--runs", str(tmp_path)]).stdout
    assert "9 runs: 3 pretrainings, 6 transfers; 2 finished already" in words
    assert re.search(r"pretrain cmp seed 1 +cached\n +transfer puppets_fcn from cmp seed 1 +to run", words)


def test_the_memory_format_is_an_option_of_pretrainings_alone():
    suite = SuiteSpec(
        title="t",
        puppets=PuppetsSpec(),
        pretrain={"cmp": PretrainEntry(config="cmp_puppets")},
        transfer=[TransferEntry(task="voc_fcn", task_config={"preset": "puppets_fcn"}, inits=["cmp"])],
        channels_last=True,
    )
    assert [(job.verb, job.options) for job in plan(suite)] == [("pretrain", ("--channels-last",)), ("transfer", ())]
    assert {job.options for job in plan(suite.model_copy(update={"channels_last": False}))} == {()}


@pytest.mark.parametrize("name", ["puppets_methods", "puppets_methods_search"])
def test_shipped_comparisons_treat_every_method_alike(name):
    jobs = [job for job in plan(load_suite(name)) if isinstance(job.spec, PretrainSpec)]
    alike = {
        (job.spec.iterations, job.spec.batch_size, job.spec.schedule.type, job.spec.backbone, job.spec.optimizer.type,
         job.spec.optimizer.weight_decay, job.spec.data.flip, job.spec.data.crop, job.spec.data.puppets.pairs)
        for job in jobs
    }  # fmt: skip
    assert len(alike) == 1
    methods = {job.spec.method for job in jobs}
    tries = {method: {job.spec.optimizer.lr for job in jobs if job.spec.method == method} for method in methods}
    if name == "puppets_methods":
        assert {job.spec.data.control for job in jobs} == {"none", "shuffled_flow", "camera_flow", "reversed_flow"}
        assert all(len(rates) == 1 for rates in tries.values())
    else:
        compared = [job.spec for job in plan(load_suite("puppets_methods"))]
        chosen = {spec.method: spec.optimizer.lr for spec in compared if isinstance(spec, PretrainSpec)}
        (rates,) = {tuple(sorted(each)) for each in tries.values()}
        assert all(rates[0] < lr < rates[-1] for lr in chosen.values()), "a best try at the edge asks for more tries"
        assert set(chosen.values()) <= set(rates)
        assert not {job.spec.seed for job in jobs} & set(load_suite("puppets_methods").seeds)
    assert methods == {"cmp", "walker", "walker2015", "pathak", "mahendran", "mahendran_direct", "supervised"}


def test_settings_to_try_become_transfers_of_their_own():
    entry = {
        "task": "voc07_cls",
        "task_config": {"preset": "puppets_cls"},
        "vary": {"freeze_to": [None, "conv1"], "lr": [0.1, 0.2]},
        "inits": ["cmp", "random"],
    }
    suite = _suite(transfer=[entry], pretrain={"cmp": {"config": "cmp_puppets"}}, worlds=[], seeds=[0, 3])
    jobs = {job.name: job for job in plan(suite)}
    assert sum(job.verb == "transfer" for job in jobs.values()) == 2 * 2 * 2 * 2
    first = jobs["transfer puppets_cls freeze_to=none lr=0.2 from cmp seed 3"]
    assert first.spec.task_config == {"preset": "puppets_cls", "lr": 0.2}
    assert first.parents == ("pretrain cmp seed 3",)
    second = jobs["transfer puppets_cls freeze_to=conv1 lr=0.2 from random seed 0"]
    assert second.spec.task_config == {"preset": "puppets_cls", "lr": 0.2, "freeze_to": "conv1"}
    assert second.parents == ()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"inits": ["cmp", "random:foo"]}, "from random:foo seed 0: .*foo"),
        ({"inits": ["cpm"]}, "from cpm seed 0: .*cpm"),
        ({"task": "voc_fnc"}, "unknown benchmark 'voc_fnc'. Did you mean 'voc_fcn'"),
        ({"task_config": {"preset": "puppets_fnc"}}, "task_config of voc_fcn"),
        ({"recipe_overrides": {"train_cgf.max_iters": 3}}, "the recipe has no 'train_cgf'"),
    ],
)
def test_mistakes_in_the_last_jobs_are_found_before_the_first(tmp_path, change, fault):
    entry = {"task": "voc_fcn", "task_config": {"preset": "puppets_fcn"}, "inits": ["cmp"], **change}
    suite = SuiteSpec(
        title="t", puppets=PuppetsSpec(), seeds=[0], pretrain={"cmp": PretrainEntry(config="cmp_puppets")},
        transfer=[TransferEntry(**entry)],
    )  # fmt: skip
    with pytest.raises(UsageError, match=fault):
        check_jobs(plan(suite), Store(tmp_path))
    assert not list(tmp_path.iterdir())


def test_an_ensemble_of_a_task_that_has_none_is_found_before_the_first_job(tmp_path):
    inits = ["random", "random:xavier"]
    suite = SuiteSpec.model_validate(
        {
            "title": "t",
            "puppets": {},
            "seeds": [0],
            "transfer": [{"task": "dense_linear", "task_config": {"preset": "puppets_dense"}, "inits": inits}],
            "ensemble": [{"transfer": "puppets_dense", "inits": inits}],
        }
    )
    with pytest.raises(UsageError, match=r"seed 0: dense_linear: what it predicts cannot be averaged"):
        check_jobs(plan(suite), Store(tmp_path))
    assert check_jobs([job for job in plan(suite) if job.verb == "transfer"], Store(tmp_path)) == []

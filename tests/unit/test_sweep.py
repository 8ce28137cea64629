"""Suites become jobs in the right order; the local executor runs, skips and reports them."""

import json
import os
import re
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from ssl_motion.errors import RunError, UsageError
from ssl_motion.executors import LocalExecutor
from ssl_motion.spec import BackboneSpec, DataSpec, PretrainSpec, PuppetsSpec, TransferSpec
from ssl_motion.store import Store
from ssl_motion.suite_state import check_jobs, merged
from ssl_motion.sweep import (
    Job,
    PretrainEntry,
    SuiteSpec,
    TransferEntry,
    all_curves,
    all_remarks,
    job_spec_file,
    load_suite,
    plan,
)


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


def _suite(**changes) -> SuiteSpec:
    content = {
        "title": "x",
        "puppets": {"size": 32},
        "worlds": ["still", "weak_pan"],
        "seeds": [0, 1],
        "pretrain": {
            "cmp": {"config": "cmp_puppets"},
            "cmp, camera flow": {
                "config": "cmp_puppets",
                "set": {"data.control": "camera_flow"},
                "worlds": ["weak_pan"],
            },
        },
        "transfer": [
            {"task": "voc_fcn", "task_config": {"preset": preset}, "inits": ["cmp", "cmp, camera flow", "random"]}
            for preset in ("puppets_fcn", "puppets_linear")
        ],
        **changes,
    }
    return SuiteSpec.model_validate(content)


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
        ({"seeds": [1, 1]}, "seeds must differ"),
        ({"worlds": ["still", "still"]}, "worlds must differ"),
        ({"puppets": None}, "give puppets too"),
        ({"worlds": ["still"]}, r"cmp, camera flow.worlds: the suite has no world weak_pan"),
    ],
)
def test_suites_that_contradict_themselves_are_refused(changes, fault):
    with pytest.raises(ValueError, match=fault):
        _suite(**changes)


@pytest.fixture
def pretend_verbs(tmp_path, monkeypatch):
    """A module that answers like `ssl-bench`: fails where the spec's seed is 1, else prints its run."""
    package = tmp_path / "fake" / "ssl_motion"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text(
        "import sys, json, yaml\n"
        "verb, spec = sys.argv[1], yaml.safe_load(open(sys.argv[2]))\n"
        "print('working', spec['seed'], file=sys.stderr)\n"
        "if spec['seed'] == 1: sys.exit(1)\n"
        "print(json.dumps({'path': f\"{verb}/{spec['seed']}/{spec.get('init')}\"}))\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "fake"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _jobs() -> list[Job]:
    pretrain = PretrainSpec(
        method="m", backbone=BackboneSpec(arch="a"), data=DataSpec(puppets=PuppetsSpec()), iterations=1, batch_size=1
    )
    jobs = [Job(f"p{seed}", "pretrain", pretrain.model_copy(update={"seed": seed})) for seed in (0, 1)]
    return jobs + [
        Job(f"t{seed}", "transfer", TransferSpec(task="t", init="m", seed=seed + 2), (f"p{seed}",)) for seed in (0, 1)
    ]


def test_a_failure_skips_its_children_and_nothing_else(pretend_verbs: Path):
    statuses = LocalExecutor(pretend_verbs / "suite", [], slots=2).run(_jobs(), lambda _: None)
    assert {status.job.name: status.state for status in statuses} == {
        "p0": "done",
        "p1": "failed",
        "t0": "done",
        "t1": "skipped",
    }
    assert statuses[2].run == "transfer/2/pretrain/0/None", "a child starts from its parent's run"
    assert statuses[1].last_line == "working 1"


def test_finished_jobs_are_not_started(pretend_verbs: Path):
    asked = []

    def find(job: Job, parents: list[str]) -> str | None:
        asked.append((job.name, parents))
        return f"runs/{job.name}" if job.name.endswith("0") else None

    statuses = LocalExecutor(pretend_verbs / "suite", [], 1, find).run(_jobs(), lambda _: None)
    assert [(status.state, status.run) for status in statuses if status.job.name.endswith("0")] == [
        ("reused", "runs/p0"),
        ("reused", "runs/t0"),
    ]
    assert all(status.process is None for status in statuses if status.state == "reused")
    assert ("t0", ["runs/p0"]) in asked
    assert {status.job.name: status.state for status in statuses}["p1"] == "failed", "the others still run"


def test_slots_bound_what_runs_at_once(pretend_verbs: Path):
    seen = []
    LocalExecutor(pretend_verbs / "suite", [], slots=1).run(
        _jobs(), lambda statuses: seen.append(sum(status.state == "running" for status in statuses))
    )
    assert max(seen) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_jobs_do_not_outlive_a_suite_that_is_stopped(pretend_verbs: Path, number: signal.Signals):
    (pretend_verbs / "fake" / "ssl_motion" / "__main__.py").write_text("import time\ntime.sleep(60)\n")
    pids = []

    def stop(statuses):
        pids[:] = [status.process.pid for status in statuses if status.process is not None]
        os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt):
        LocalExecutor(pretend_verbs / "suite", [], slots=2).run(_jobs(), stop)
    assert signal.getsignal(number) is before
    assert len(pids) == 2
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


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


def test_the_time_left_is_that_of_the_jobs_to_come():
    from ssl_motion.cli.suite_display import SuiteDisplay, seconds_left
    from ssl_motion.costs import Costs
    from ssl_motion.executors import JobStatus

    def status(job, state, seconds=0.0):
        return JobStatus(job, Path("log"), state, seconds=seconds)

    first, second, third, fourth = _jobs()
    known = [status(first, "done", 60.0), status(second, "running", 20.0), status(third, "done", 10.0)]
    display = SuiteDisplay(2, Costs())
    display.update([*known, status(fourth, "waiting")])
    assert seconds_left([*known, status(fourth, "waiting")], 2, display.costs) == pytest.approx((40 + 10) / 2)
    unknown = status(replace(fourth, spec=fourth.spec.model_copy(update={"task": "another"})), "waiting")
    assert seconds_left([*known, unknown], 2, display.costs) is None, "no such transfer has been timed"
    assert seconds_left([known[0], known[2]], 2, display.costs) is None, "nothing is left"


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


def test_a_failure_stops_what_depends_on_it_and_says_why(pretend_verbs: Path):
    from ssl_motion.cli.run_verb import _finish

    jobs = _jobs()
    jobs.append(Job("e", "ensemble", jobs[2].spec, ("t0", "t1")))
    (pretend_verbs / "fake" / "ssl_motion" / "__main__.py").write_text(
        "import sys, json, yaml\n"
        "print('pretrain: 3/9 it', file=sys.stderr)\n"
        "spec = yaml.safe_load(open(sys.argv[2])) if sys.argv[2].endswith('.yaml') else {'seed': 0}\n"
        "if spec['seed'] == 1:\n"
        "    print('ssl-bench: the disk is full', file=sys.stderr)\n"
        "    print('pretrain: 4/9 it', file=sys.stderr)\n"
        "    sys.exit(1)\n"
        "print(json.dumps({'path': 'x'}))\n"
    )
    statuses = LocalExecutor(pretend_verbs / "suite", [], slots=2).run(jobs, lambda _: None)
    assert {status.job.name: status.state for status in statuses}["e"] == "skipped"
    with pytest.raises(RunError) as caught:
        _finish(statuses, [], SuiteSpec(title="x"), 1.0, as_json=True)
    lines = str(caught.value).splitlines()
    assert "1 of 5 runs failed (2 more waited for them)" in lines[0]
    assert lines[1:] == [
        "  p1: the disk is full",
        f"    log: {pretend_verbs / 'suite' / 'p1.log'}",
        "    not run: t1, e",
    ]


def test_an_ensemble_gets_the_runs_of_its_parents(pretend_verbs: Path):
    (pretend_verbs / "fake" / "ssl_motion" / "__main__.py").write_text(
        "import sys, json\n"
        "name = sys.argv[2].rpartition('/')[2].removesuffix('.yaml')\n"
        "runs = sys.argv[2:sys.argv.index('--json')]\n"
        "print(json.dumps({'path': f'run of {name}' if sys.argv[1] != 'ensemble' else ' + '.join(runs)}))\n"
    )
    jobs = _jobs()
    jobs.append(Job("e", "ensemble", jobs[2].spec, ("t1", "t0")))
    statuses = LocalExecutor(pretend_verbs / "suite", [], slots=2).run(jobs, lambda _: None)
    assert statuses[-1].run == "run of t1 + run of t0"

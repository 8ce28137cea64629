"""The local executor runs, skips and reports jobs."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from ssl_motion.errors import RunError
from ssl_motion.executors import LocalExecutor
from ssl_motion.spec import BackboneSpec, DataSpec, PretrainSpec, PuppetsSpec, TransferSpec
from ssl_motion.sweep import Job, SuiteSpec


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

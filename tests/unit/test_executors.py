"""The local executor runs, skips and reports jobs."""

import os
import signal
from pathlib import Path

import pytest

from ssl_motion.executors import LocalExecutor
from ssl_motion.spec import BackboneSpec, DataSpec, PretrainSpec, PuppetsSpec, TransferSpec
from ssl_motion.sweep import Job


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
        Job(f"t{seed}", "transfer", TransferSpec(task="t", init="m", seed=seed + 2), f"p{seed}") for seed in (0, 1)
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

    def find(job: Job, parent: str | None) -> str | None:
        asked.append((job.name, parent))
        return f"runs/{job.name}" if job.name.endswith("0") else None

    statuses = LocalExecutor(pretend_verbs / "suite", [], 1, find).run(_jobs(), lambda _: None)
    assert [(status.state, status.run) for status in statuses if status.job.name.endswith("0")] == [
        ("reused", "runs/p0"),
        ("reused", "runs/t0"),
    ]
    assert all(status.process is None for status in statuses if status.state == "reused")
    assert ("t0", "runs/p0") in asked
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
    from ssl_motion.cli.suite_display import seconds_left
    from ssl_motion.executors import JobStatus

    def status(job, state, seconds=0.0):
        return JobStatus(job, Path("log"), state, seconds=seconds)

    first, second, third, fourth = _jobs()
    known = [status(first, "done", 60.0), status(second, "running", 20.0), status(third, "done", 10.0)]
    assert seconds_left([*known, status(fourth, "waiting")], slots=2) == pytest.approx((40 + 10) / 2)
    assert seconds_left([*known[:2], status(third, "waiting")], slots=2) is None, "no transfer has been timed"
    assert seconds_left([known[0], known[2]], slots=2) is None, "nothing is left"

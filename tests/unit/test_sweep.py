"""Suites become jobs in the right order; the local executor runs, skips and reports them."""

import json
import os
import signal
from pathlib import Path

import pytest

from ssl_motion.errors import RunError, UsageError
from ssl_motion.executors import LocalExecutor
from ssl_motion.spec import BackboneSpec, DataSpec, PretrainSpec, PuppetsSpec, TransferSpec
from ssl_motion.sweep import Job, SuiteSpec, load_suite, plan


def test_quickstart_pairs_every_transfer_with_the_pretraining_of_its_seed():
    jobs = plan(load_suite("quickstart"))
    names = [job.name for job in jobs]
    assert len(names) == len(set(names)) == 9
    for job in jobs:
        if job.parent:
            assert names.index(job.parent) < names.index(job.name)
            parent = jobs[names.index(job.parent)]
            assert parent.spec.seed == job.spec.seed
            assert parent.spec.data.puppets == job.spec.puppets
    assert sum(job.parent is None and job.verb == "transfer" for job in jobs) == 3


def test_an_unknown_key_in_a_suite_names_the_nearest(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("title: x\nseedz: [1]\n")
    with pytest.raises(UsageError, match=r"seedz.*Did you mean 'seeds'"):
        load_suite(str(file))


def test_repeated_seeds_are_refused(tmp_path):
    with pytest.raises(ValueError, match="seeds must differ"):
        SuiteSpec(title="x", seeds=[1, 1])


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

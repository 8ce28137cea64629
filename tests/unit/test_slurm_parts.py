"""What the Slurm executor decides from the queue and the jobs' own files; `tests/slurm` tries it on a real Slurm."""

import subprocess
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from ssl_motion.cli.run_verb import command
from ssl_motion.errors import DataError, RunError, UsageError
from ssl_motion.slurm import queue as slurm_queue
from ssl_motion.slurm.journal import Entry, Journal, State, read_state
from ssl_motion.slurm.queue import Queued, read_queue
from ssl_motion.slurm.settings import SlurmSettings
from ssl_motion.slurm.tracked import MISSES, Tracked

RUNNING = Queued("RUNNING", "None", "")
CANCELLED = Queued("CANCELLED", "None", "")


def _tracked(folder: Path, name: str = "job", number: str = "7_0", after: list[str] | None = None) -> Tracked:
    tracked = Tracked(name, "key", folder / f"{name}.state.json", folder / f"{name}.log", lambda parents, token: print)
    tracked.entry = Entry("key", f"token of {name}", "batch", number, after or [])
    return tracked


def _vanish(tracked: Tracked, queue: dict[str, Queued]) -> None:
    for _ in range(MISSES):
        assert tracked.is_open
        tracked.look(queue, time.monotonic())


def test_a_job_says_itself_how_it_ended(tmp_path: Path):
    tracked = _tracked(tmp_path)
    tracked.look({"7_0": Queued("PENDING", "Priority", "")}, time.monotonic())
    assert tracked.stage == "waiting"
    State("token of job", "running", time.time() - 50).write(tracked.state_file)
    tracked.look({"7_0": RUNNING}, time.monotonic())
    assert tracked.stage == "running"
    assert tracked.seconds == pytest.approx(50, abs=5)
    tracked.look({"7_0": Queued("PENDING", "BeginTime", "")}, time.monotonic())
    assert tracked.stage == "waiting", "it was queued again"
    State("token of job", "done", 0.0, 12.0, "runs/x").write(tracked.state_file)
    tracked.look({"7_0": RUNNING}, time.monotonic())
    assert (tracked.stage, tracked.run, tracked.seconds) == ("done", "runs/x", 12.0)


def test_the_end_of_an_earlier_submission_is_not_this_ones(tmp_path: Path):
    tracked = _tracked(tmp_path)
    State("an older token", "failed", 0.0).write(tracked.state_file)
    tracked.look({"7_0": RUNNING}, time.monotonic())
    assert tracked.stage == "running"


def test_one_missing_answer_is_no_end(tmp_path: Path):
    tracked = _tracked(tmp_path)
    asked = time.monotonic()
    for _ in range(5):
        tracked.look({}, asked)
    assert tracked.stage == "waiting", "one answer counts once, however often it is looked at"
    tracked.look({"7_0": RUNNING}, time.monotonic())
    tracked.look({}, time.monotonic())
    assert tracked.is_open
    tracked.look({}, time.monotonic())
    assert tracked.stage == "failed"
    assert tracked.log.read_text() == "Slurm ended job 7_0 in the state UNKNOWN\n"


def test_what_was_submitted_after_the_answer_is_not_missing_in_it(tmp_path: Path):
    tracked = _tracked(tmp_path)
    asked = time.monotonic()
    tracked.submitted = time.monotonic()
    for _ in range(5):
        tracked.look({}, asked)
    assert tracked.misses == 0


@pytest.mark.parametrize("word", ["PREEMPTED", "NODE_FAIL"])
def test_what_the_cluster_lost_is_submitted_again(tmp_path: Path, word: str):
    tracked = _tracked(tmp_path)
    State("token of job", "running", 0.0).write(tracked.state_file)
    _vanish(tracked, {"7_0": Queued(word, "None", "")})
    assert (tracked.stage, tracked.entry) == ("waiting", None)


@pytest.mark.parametrize("word", ["CANCELLED", "OUT_OF_MEMORY", "FAILED"])
def test_what_was_ended_for_a_reason_has_failed(tmp_path: Path, word: str):
    tracked = _tracked(tmp_path)
    _vanish(tracked, {"7_0": Queued(word, "None", "")})
    assert tracked.stage == "failed"
    assert word in tracked.log.read_text()


def test_a_child_that_slurm_dropped_with_a_lost_parent_is_submitted_again(tmp_path: Path):
    parent, child = _tracked(tmp_path, "parent", "8_0"), _tracked(tmp_path, "child", "9", ["7_0"])
    child.after = [parent]
    _vanish(child, {"9": CANCELLED})
    assert (child.stage, child.entry) == ("waiting", None), "its parent was 7_0, which is lost"
    child = _tracked(tmp_path, "child", "9", ["8_0"])
    child.after = [parent]
    _vanish(child, {"9": CANCELLED})
    assert child.stage == "failed", "somebody cancelled it"


@pytest.mark.parametrize(
    ("state", "queued", "adopted"),
    [
        (None, RUNNING, True),
        (None, Queued("PENDING", "Dependency", ""), True),
        (None, CANCELLED, False),
        (None, None, False),
        ("done", None, True),
        ("failed", None, False),
        ("running", None, False),
    ],
)
def test_only_what_succeeded_or_is_in_the_queue_is_taken_up(tmp_path: Path, state, queued, adopted: bool):
    tracked = _tracked(tmp_path)
    entry, tracked.entry = tracked.entry, None
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "done.json").write_text("{}")
    if state is not None:
        State("token of job", state, 0.0, run=str(tmp_path / "run")).write(tracked.state_file)
    tracked.adopt(entry, queued)
    assert (tracked.entry == entry) is adopted


def test_a_run_that_was_removed_is_done_again(tmp_path: Path):
    tracked = _tracked(tmp_path)
    entry, tracked.entry = tracked.entry, None
    State("token of job", "done", 0.0, run=str(tmp_path / "removed")).write(tracked.state_file)
    tracked.adopt(entry, None)
    assert tracked.entry is None


def test_the_journal_survives_and_says_when_it_is_damaged(tmp_path: Path):
    path = tmp_path / "jobs.json"
    Journal(path).note({"a": Entry("k", "t", "b", "3", ["1", "2"]), "b": Entry("k", "t", "b")})
    read = Journal(path)
    assert read.entries == {"a": Entry("k", "t", "b", "3", ["1", "2"]), "b": Entry("k", "t", "b")}
    read.drop(["b"])
    assert list(Journal(path).entries) == ["a"]
    for damaged in ("{", "[1]", '{"a": "b"}'):
        path.write_text(damaged)
        with pytest.raises(DataError, match="remove the file"):
            Journal(path)
        assert read_state(path) is None


def test_the_queue_is_read_as_squeue_prints_it(monkeypatch: pytest.MonkeyPatch):
    lines = "12_3|RUNNING|None|ssl-motion 1\n14|PENDING|(Resources)|a|b\n"
    done = subprocess.CompletedProcess([], 0, stdout=lines, stderr="")
    monkeypatch.setattr(slurm_queue.subprocess, "run", lambda *_, **__: done)
    assert read_queue() == {
        "12_3": Queued("RUNNING", "None", "ssl-motion 1"),
        "14": Queued("PENDING", "(Resources)", "a|b"),
    }
    done.returncode, done.stderr = 1, "squeue: error: Unable to contact slurm controller"
    with pytest.raises(RunError, match="Unable to contact"):
        read_queue()


def test_settings_become_lines_of_the_batch_file(tmp_path: Path):
    submitit = pytest.importorskip("submitit")
    settings = SlurmSettings(
        minutes=30, cpus=4, gpus=2, memory=1.5, partition="p", account="a", parallel=3, others={"qos": "low"}
    )
    from submitit.slurm.slurm import SlurmExecutor, _make_sbatch_string

    parameters = SlurmExecutor._convert_parameters(
        SlurmExecutor.__new__(SlurmExecutor), settings.parameters(["7_0", "8"], "ssl-motion 1")
    )
    text = _make_sbatch_string("x", tmp_path, map_count=5, **parameters)
    assert submitit
    for line in (
        *("time=30", "cpus-per-task=4", "gpus-per-node=2", "mem=1536MB", "partition=p", "account=a", "array=0-4%3"),
        *("qos=low", "requeue", "kill-on-invalid-dep=yes", "dependency=afterok:7_0:8", "signal=USR2@90"),
        "comment='ssl-motion 1'",
    ):
        assert f"#SBATCH --{line}\n" in text, line


def test_without_slurm_the_option_says_where_to_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    result = CliRunner().invoke(command, ["quickstart", "--runs", str(tmp_path / "runs"), "--executor", "slurm"])
    assert isinstance(result.exception, UsageError)
    assert "sbatch, squeue, srun, scancel not found" in str(result.exception)


def test_an_option_of_sbatch_needs_a_value(tmp_path: Path):
    options = ["quickstart", "--runs", str(tmp_path / "runs"), "--executor", "slurm", "--slurm-set", "qos"]
    result = CliRunner().invoke(command, options)
    assert isinstance(result.exception, UsageError)
    assert "--slurm-set qos: expected KEY=VALUE" in str(result.exception)

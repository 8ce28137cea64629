"""What runs on a node, with a command that plays its part: ends, failures, signals and second starts."""

import os
import pickle
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("submitit")

from ssl_motion.job_logs import last_line
from ssl_motion.slurm import attempt as module
from ssl_motion.slurm.attempt import CommandAttempt
from ssl_motion.slurm.journal import State, read_state
from ssl_motion.spec import TransferSpec
from ssl_motion.sweep import Job

PRETEND = """
import json, os, signal, sys, time, yaml
print("working", file=sys.stderr, flush=True)
spec = yaml.safe_load(open(sys.argv[2]))
{act}
print(json.dumps({{"path": "runs/" + spec["init"], "cached": False}}))
"""
STOPS = """
def stop(*_):
    print("a checkpoint is written", file=sys.stderr, flush=True)
    sys.exit(1)
signal.signal(signal.SIGTERM, stop)
print("listening", file=sys.stderr, flush=True)
time.sleep(60)
"""


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Make a command that does something, and what runs it."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "fake"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "_SIGNAL_SECONDS", 0.5)
    package = tmp_path / "fake" / "ssl_motion"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)}

    def make(act: str = "", parents: tuple[str | Path, ...] = (), token: str = "token") -> CommandAttempt:
        (package / "__main__.py").write_text(PRETEND.format(act=act))
        job = Job("transfer x", "transfer", TransferSpec(task="t", init="random"))
        return CommandAttempt(tmp_path / "suite", job, ["--runs", "runs"], 1, list(parents), token)

    yield make
    for number, handler in handlers.items():
        signal.signal(number, handler)


def _state(attempt: CommandAttempt) -> tuple[str, str, str]:
    state = read_state(attempt.state)
    assert state is not None
    return state.token, state.state, state.run


def test_a_job_starts_from_what_its_parent_says(command: Any, tmp_path: Path) -> None:
    parent = tmp_path / "parent.state.json"
    State("other", "done", 0.0, run="found").write(parent)
    attempt = command(parents=(parent,))
    attempt()
    assert _state(attempt) == ("token", "done", "runs/found")
    assert yaml.safe_load((tmp_path / "suite" / "transfer-x.yaml").read_text())["init"] == "found"
    command(parents=("given",))()
    assert _state(attempt) == ("token", "done", "runs/given")


def test_a_parent_that_has_not_ended_is_an_error(command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LAG_SECONDS", 0.0)
    parent = tmp_path / "parent.state.json"
    State("other", "failed", 0.0).write(parent)
    attempt = command(parents=(parent,))
    with pytest.raises(SystemExit) as ended:
        attempt()
    assert ended.value.code == 1
    assert _state(attempt)[1] == "failed"
    assert "parent.state.json does not say that the job is done" in last_line(attempt.log)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        ("print('no data', file=sys.stderr); sys.exit(2)", "no data"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL; SIGKILL is often for too much memory"),
        ("sys.exit(0)", "working"),
    ],
)
def test_a_failure_is_one_to_slurm_too(command: Any, act: str, message: str) -> None:
    attempt = command(act)
    with pytest.raises(SystemExit) as ended:
        attempt()
    assert ended.value.code == 1
    assert _state(attempt) == ("token", "failed", "")
    assert last_line(attempt.log) == message


def test_a_job_that_slurm_stops_has_not_failed(command: Any) -> None:
    # The command is told first, and may be gone before its watcher hears of it.
    attempt = command("os.system(f'(sleep 0.3; kill {os.getppid()}) &'); os.kill(os.getpid(), signal.SIGTERM)")
    with pytest.raises(SystemExit) as ended:
        attempt()
    assert ended.value.code == 128 + signal.SIGTERM
    assert _state(attempt) == ("token", "running", "")


def test_the_signal_before_the_time_limit_is_not_the_commands(command: Any) -> None:
    attempt = command("os.kill(os.getpid(), signal.SIGUSR2)", parents=("x",))
    attempt()
    assert _state(attempt)[1] == "done"


def test_out_of_time_the_command_writes_its_checkpoint_and_the_next_start_goes_on(command: Any) -> None:
    attempt = command(STOPS)
    requeued = []

    def out_of_time(*_: Any) -> None:
        while "listening" not in attempt.log.read_text():
            time.sleep(0.05)
        requeued.append(attempt.checkpoint().function)
        raise SystemExit(255)  # as submitit does after it has put the job back into the queue

    signal.signal(signal.SIGUSR1, out_of_time)
    os.spawnlp(os.P_NOWAIT, "sh", "sh", "-c", f"sleep 1; kill -USR1 {os.getpid()}")
    with pytest.raises(SystemExit) as ended:
        attempt()
    assert ended.value.code == 255
    assert _state(attempt) == ("token", "running", "")
    assert last_line(attempt.log) == "a checkpoint is written"
    command(parents=("x",))  # from now on the command comes to its end
    again = pickle.loads(pickle.dumps(requeued[0]))
    again.parents = ["x"]
    again()
    assert _state(again) == ("token", "done", "runs/x")
    assert again.log.read_text().count("working") == 2, "the log has both starts"
    command(parents=("x",), token="another")()
    assert again.log.read_text().count("working") == 1, "another submission begins it anew"

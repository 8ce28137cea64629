"""Commands forked from a server are commands like any other: output, log, exit code, and they stop when asked to."""

import os
import signal
import subprocess
import sys
import time
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import psutil
import pytest

from ssl_motion import __version__, launching, provenance
from ssl_motion.launching import Forks, Fresh, Running

if not Forks.available():
    pytest.skip("forks are for Linux", allow_module_level=True)

STARTERS = [pytest.param(Fresh, id="fresh"), pytest.param(Forks(), id="forked")]


def _finish(process: Running) -> int | None:
    code = process.wait(120.0)
    assert process.poll() == code
    return code


@pytest.mark.parametrize("start", STARTERS)
def test_output_log_and_exit_code_arrive(start, tmp_path: Path) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    assert _finish(start(["--version"], out, log)) == 0
    assert __version__ in out.read_text()
    assert log.read_text() == ""
    assert _finish(start(["transfer", "--task", "no_such_task"], out, log)) == 2
    assert out.read_text() == "", "what an earlier command wrote is gone"
    assert "unknown benchmark 'no_such_task'" in log.read_text()


@pytest.mark.parametrize("start", STARTERS)
def test_a_command_has_a_session_of_its_own_and_stops_when_asked(start, tmp_path: Path) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    process = start(["puppets", "render", "--out", str(tmp_path / "data")], out, log)
    while process.poll() is None and not (tmp_path / "data").exists():
        time.sleep(0.1)
    assert process.poll() is None, log.read_text()
    assert os.getsid(process.pid) == process.pid != os.getsid(0)
    process.terminate()
    assert _finish(process) not in (None, 0)


def _as_a_fork(act: str, log: Path) -> str:
    """What a process whose only act is `act`, after it became a command, leaves in its log."""
    code = (
        "import sys; from ssl_motion import cli, launching\n"
        f"def main():\n    {act}\n"
        f"cli.main = main\nlaunching._command([], {str(log.with_suffix('.out'))!r}, {str(log)!r})\n"
    )
    os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", code])
    return log.read_text()


def test_messages_of_a_fork_are_in_its_log_even_when_it_is_killed(tmp_path: Path) -> None:
    killed = "print('before \\udce9', file=sys.stderr); import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert _as_a_fork(killed, tmp_path / "log") == "before \\udce9\n"


def test_a_fork_outlives_the_server_and_still_stops_when_asked(tmp_path: Path) -> None:
    process = Forks()(["puppets", "render", "--out", str(tmp_path / "data")], tmp_path / "out", tmp_path / "log")
    assert isinstance(process, launching.Forked)
    os.kill(forkserver._forkserver._forkserver_pid, signal.SIGKILL)  # type: ignore[attr-defined]
    time.sleep(0.5)
    assert process.poll() is None, "it is not told to have ended while it runs"
    assert process.wait(0.2) is None
    process.terminate()
    assert _finish(process) not in (None, 0)
    assert not psutil.pid_exists(process.pid or 0) or psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("start", ["Fresh", "Forks()"])
def test_a_command_ends_with_the_process_that_started_it(start: str, tmp_path: Path) -> None:
    data, out, log = tmp_path / "data", tmp_path / "out", tmp_path / "log"
    code = (
        "import sys, time; from pathlib import Path; from ssl_motion.launching import Forks, Fresh\n"
        "data, out, log = map(Path, sys.argv[1:])\n"
        f"process = {start}(['puppets', 'render', '--pairs', '200000', '--out', str(data)], out, log)\n"
        "print(process.pid, flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", code, str(data), str(out), str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as suite:
        assert suite.stdout is not None
        job = psutil.Process(int(suite.stdout.readline()))
        while not data.exists():
            time.sleep(0.1)
        assert job.is_running()
        suite.kill()
    gone, _ = psutil.wait_procs([job], timeout=60)
    assert gone == [job], log.read_text()


def test_a_module_that_fails_when_imported_costs_the_server_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "fails_when_imported.py").write_text("raise RuntimeError('no good')\n")
    # The server has the path of every new Python, not this one's.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]))
    _stop_server()
    start = Forks(["fails_when_imported"])
    try:
        for number in range(2):
            process = start(["--version"], tmp_path / f"out{number}", tmp_path / f"log{number}")
            assert isinstance(process, Fresh)
            assert _finish(process) == 0
            assert __version__ in (tmp_path / f"out{number}").read_text()
    finally:
        Forks()
        _stop_server()
    assert capfd.readouterr().err.count("started from nothing") == 1


def test_a_fork_is_of_the_code_that_the_server_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commits = iter([("first", False), ("second", False)])
    monkeypatch.setattr(provenance, "code_state", lambda: next(commits))
    given: list[Any] = []

    class Process:
        pid, exitcode = 0, 0

        def __init__(self, target: Any, args: tuple[Any, ...]) -> None:
            given.append((target, args[0]))

        def start(self) -> None:
            pass

    start = Forks()
    monkeypatch.setattr(start, "_context", type("Context", (), {"Process": Process}))
    for name in ("a", "b"):
        (tmp_path / f"{name}.out").write_text("of an earlier attempt")
        start(["--version"], tmp_path / f"{name}.out", tmp_path / f"{name}.log")
        assert (tmp_path / f"{name}.out").read_text() == (tmp_path / f"{name}.log").read_text() == ""
    assert given == [(launching._fork, ("first", False))] * 2


def _stop_server() -> None:
    if (number := forkserver._forkserver._forkserver_pid) is not None:  # type: ignore[attr-defined]
        os.kill(number, signal.SIGKILL)
        time.sleep(0.3)

"""Commands forked from a server are commands like any other: output, log, exit code, and they stop when asked to."""

import os
import time
from pathlib import Path

import pytest

from ssl_motion import __version__
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

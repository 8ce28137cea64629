"""A part of a report that is written by a copy of the process: in processes of their own, since tests have threads."""

import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are copied on Linux alone")
BEGIN = """
import os, pathlib, signal, sys, threading, time
from ssl_motion.errors import DataError
from ssl_motion_reports.forked import done_beside
out = pathlib.Path(sys.argv[1])
def who(name):
    (out / name).write_text(str(os.getpid()))
"""


def run(folder: Path, script: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", BEGIN + textwrap.dedent(script), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@on_linux
def test_it_has_a_process_of_its_own_and_is_done_at_the_end(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        def slowly():
            time.sleep(0.3)
            who("one")
        with done_beside(slowly):
            who("body")
        assert {path.name for path in out.iterdir()} == {"one", "body"}
        """,
    )
    assert done.returncode == 0, done.stderr
    assert len({path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}) == 2


WITH_A_THREAD = "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
WITHOUT_ROOM = """
def full():
    raise BlockingIOError("Resource temporarily unavailable")
os.fork = full
"""


@pytest.mark.parametrize("begin", [WITH_A_THREAD, WITHOUT_ROOM])
def test_where_no_copy_can_be_made_it_is_done_here_after_the_body(tmp_path: Path, begin: str) -> None:
    body = """
with done_beside(lambda: who("one")):
    assert not list(out.iterdir())
    who("body")
"""
    done = run(tmp_path, begin + body)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "one").read_text(encoding="utf-8") == (tmp_path / "body").read_text(encoding="utf-8")


def test_what_it_raises_is_raised_here_and_where_is_said(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        def failing():
            raise DataError("no paper left")
        try:
            with done_beside(failing):
                who("body")
        except DataError as error:
            assert str(error) == "no paper left"
            raise
        """,
    )
    assert done.returncode == 1
    assert "in failing" in done.stderr


@on_linux
def test_a_process_that_is_killed_is_an_error(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        with done_beside(lambda: os.kill(os.getpid(), signal.SIGKILL)):
            pass
        """,
    )
    assert done.returncode == 1
    assert "RunError: a process that wrote a part of the report died" in done.stderr


@on_linux
def test_nothing_goes_on_when_the_body_fails(tmp_path: Path) -> None:
    begun = time.monotonic()
    done = run(
        tmp_path,
        """
        def long():
            time.sleep(30)
            who("one")
        with done_beside(long):
            raise DataError("the body")
        """,
    )
    assert "DataError: the body" in done.stderr
    assert time.monotonic() - begun < 20
    assert not list(tmp_path.iterdir())


@on_linux
def test_it_ends_when_this_process_is_killed(tmp_path: Path) -> None:
    begun = time.monotonic()
    done = run(
        tmp_path,
        """
        def long():
            who("one")
            time.sleep(30)
            who("two")
        with done_beside(long):
            while not (out / "one").exists():
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGKILL)
        """,
    )
    assert done.returncode == -9
    # It holds the pipes that are read here until it ends.
    assert time.monotonic() - begun < 20
    assert [path.name for path in tmp_path.iterdir()] == ["one"]

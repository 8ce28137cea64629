"""Where a number came from: a commit only where the code is that commit's."""

import datetime
import os
import subprocess
import sys

import numpy
import pytest

import ssl_motion
from ssl_motion import provenance
from ssl_motion.provenance import code_state, collect, hardware, hold_code_state, package_versions


def _git(folder, *arguments):
    identity = {
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b",
    }
    done = subprocess.run(
        ["git", "-C", folder, *arguments], check=True, capture_output=True, text=True, env={**os.environ, **identity}
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path):
    folder = tmp_path / "a checkout"
    (folder / "ssl_motion").mkdir(parents=True)
    (folder / "ssl_motion" / "code.py").write_text("a = 1\n")
    (folder / ".gitignore").write_text("*.log\n")
    _git(tmp_path, "init", "-q", str(folder))
    _git(folder, "add", "-A")
    _git(folder, "commit", "-q", "-m", "first")
    return folder


def test_commit_and_changes_of_a_checkout(checkout):
    commit = _git(checkout, "rev-parse", "HEAD")
    assert code_state(checkout) == (commit, False)
    (checkout / "ssl_motion" / "noise.log").write_text("ignored")
    (checkout / "results.json").write_text("not code")
    assert code_state(checkout) == (commit, False)
    (checkout / "ssl_motion" / "new.py").write_text("b = 2\n")
    assert code_state(checkout) == (commit, True)
    (checkout / "ssl_motion" / "new.py").unlink()
    (checkout / "ssl_motion" / "code.py").write_text("a = 2\n")
    assert code_state(checkout) == (commit, True)


def test_a_wheel_inside_somebodys_repository_has_no_commit(checkout):
    packages = checkout / ".venv" / "site-packages"
    packages.mkdir(parents=True)
    assert code_state(packages) == (f"version {ssl_motion.__version__}", None)


def test_a_fork_says_which_code_it_was_forked_from(checkout, monkeypatch):
    monkeypatch.setattr(provenance, "_held", None)
    hold_code_state(("of the server", True))
    assert code_state() == ("of the server", True)
    assert (collect("cpu", 1.0, []).commit, code_state(checkout)[1]) == ("of the server", False)


def test_no_repository_no_commit_no_git(tmp_path, monkeypatch):
    released = (f"version {ssl_motion.__version__}", None)
    assert code_state(tmp_path) == released
    _git(tmp_path, "init", "-q", ".")
    assert code_state(tmp_path) == released  # a repository without a commit
    monkeypatch.setenv("PATH", "")
    assert code_state(tmp_path) == released


def test_git_variables_of_a_hook_do_not_mislead(checkout, tmp_path, monkeypatch):
    commit = _git(checkout, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert code_state(checkout) == (commit, False)


def test_what_a_record_carries():
    before = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    origin = collect("cpu", 12.3456, ["a" * 16])
    assert origin.packages["numpy"] == numpy.__version__
    assert origin.packages["ssl-motion"]
    assert {"torch", "mmengine", "mmsegmentation", "mmdet"} <= set(package_versions())
    assert origin.python == sys.version.split()[0]
    assert (origin.wall_seconds, origin.device, origin.parents) == (12.346, "cpu", ["a" * 16])
    assert before <= datetime.datetime.fromisoformat(origin.finished) <= datetime.datetime.now(datetime.timezone.utc)
    assert f"{os.cpu_count()} cores" in hardware("cpu")


def test_asking_imports_no_torch():
    code = (
        "import sys; from ssl_motion.provenance import collect; collect('cpu', 1, []); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_code_is_that_of_the_beginning() -> None:
    assert collect("cpu", 1.0, [], ("abc", True)).commit == "abc"

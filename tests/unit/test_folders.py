"""A report's folder is the old one or the new one at every moment, whenever its process is killed."""

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ssl_motion import folders
from ssl_motion.errors import RunError
from ssl_motion.fileio import write_text
from ssl_motion.folders import replaced_folder
from ssl_motion_reports.leaderboard import collect_records, write_leaderboard

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = sorted((ROOT / "reports" / "records").glob("puppets_fcn-*-s[01]-*.json"))
# What Python tells of before it is done: after a kill there, the disk looks as it does at that moment.
_EVENTS = ("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.listdir", "shutil.rmtree", "ctypes.dlsym")
_watched: list[list[dict[str, str]]] = []
_folder: list[Path] = []


def state(folder: Path) -> dict[str, str]:
    """Names and contents of a folder's visible files."""
    if not folder.is_dir():
        return {}
    files = [path for path in folder.iterdir() if not path.name.startswith(".")]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _watch(event: str, arguments: object) -> None:
    if _folder and event in _EVENTS:
        folder = _folder.pop()  # looking makes events of its own
        _watched[-1].append(state(folder))
        _folder.append(folder)


sys.addaudithook(_watch)


@contextmanager
def watching(folder: Path) -> Iterator[list[dict[str, str]]]:
    """Note what a folder holds before everything that is done to files."""
    _watched.append([])
    _folder.append(folder)
    try:
        yield _watched[-1]
    finally:
        _folder.clear()


def ours(name: str) -> bool:
    return name.startswith("report")


def put(out: Path, text: str, names: tuple[str, ...]) -> None:
    with replaced_folder(out, ours) as folder:
        for name in names:
            write_text(folder / name, text)


OLD, NEW = ("report.a", "report.b", "report.old"), ("report.a", "report.b", "report.new")


def test_it_is_old_or_new_at_every_moment(tmp_path: Path) -> None:
    out = tmp_path / "out"
    put(out, "old", OLD)
    before = state(out)
    with watching(out) as moments:
        put(out, "new", NEW)
    after = state(out)
    assert before.keys() == set(OLD)
    assert after.keys() == set(NEW)
    assert all(moment in (before, after) for moment in moments)
    assert before in moments
    assert after in moments
    assert list(tmp_path.iterdir()) == [out]


def test_a_first_one_is_nothing_or_all(tmp_path: Path) -> None:
    with watching(tmp_path / "a" / "out") as moments:
        put(tmp_path / "a" / "out", "new", NEW)
    assert all(moment in ({}, state(tmp_path / "a" / "out")) for moment in moments)


@pytest.mark.parametrize("exchange", [True, False])
def test_files_of_others_stay(exchange: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not exchange:
        monkeypatch.setattr(folders, "_exchange", lambda one, other: False)
    out = tmp_path / "out"
    put(out, "old", OLD)
    (out / "mine.txt").write_text("mine")
    (out / "mine").mkdir()
    put(out, "new", NEW)
    assert {path.name for path in out.iterdir()} == {*NEW, "mine.txt", "mine"}
    assert (out / "report.a").read_text() == "new"
    assert list(tmp_path.iterdir()) == [out]


def test_a_disk_that_cannot_exchange_gets_all_files_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "_exchange", lambda one, other: False)
    put(tmp_path / "out", "old", OLD)
    put(tmp_path / "out", "new", NEW)
    assert state(tmp_path / "out").keys() == set(NEW)


def test_an_error_leaves_the_old_ones(tmp_path: Path) -> None:
    out = tmp_path / "out"
    put(out, "old", OLD)
    before = state(out)

    def fail() -> None:
        with replaced_folder(out, ours) as folder:
            write_text(folder / "report.a", "half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert state(out) == before
    assert list(tmp_path.iterdir()) == [out]
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write"):
        put(tmp_path / "file" / "out", "new", NEW)


def test_links_and_working_folders_are_kept(tmp_path: Path) -> None:
    put(tmp_path / "real", "old", OLD)
    (tmp_path / "link").symlink_to("real")
    put(tmp_path / "link", "new", NEW)
    assert (tmp_path / "link").is_symlink()
    assert state(tmp_path / "real").keys() == set(NEW)


def test_a_leaderboard_is_old_or_new_at_every_moment(tmp_path: Path) -> None:
    out = tmp_path / "leaderboard"
    few, _ = collect_records(COMMITTED[:4])
    more, _ = collect_records(COMMITTED[:12])
    write_leaderboard(few, out)
    before = state(out)
    with watching(out) as moments:
        write_leaderboard(more, out)
    after = state(out)
    assert before.keys() == after.keys()
    assert all(before[name] != after[name] for name in before), "the test needs files that all differ"
    assert len(moments) > 20
    assert all(moment in (before, after) for moment in moments)


KILLED = """
import os, signal, sys
from pathlib import Path
from ssl_motion_reports.leaderboard import collect_records, write_leaderboard

out, at = Path(sys.argv[1]), int(sys.argv[2])
count = 0

def kill(event, arguments):
    global count
    inside = event in ("open", "os.rename") and any(".part" in str(each) for each in arguments)
    count += inside
    if inside and count == at:
        os.kill(os.getpid(), signal.SIGKILL)

records, _ = collect_records([Path(name) for name in sys.argv[3:]])
sys.addaudithook(kill)
write_leaderboard(records, out)
"""


@pytest.mark.slow
def test_kill_9_leaves_the_old_report_and_the_next_one_clears_up(tmp_path: Path) -> None:
    out = tmp_path / "leaderboard"
    few, _ = collect_records(COMMITTED[:4])
    write_leaderboard(few, out)
    before = state(out)
    names = [str(file) for file in COMMITTED[:12]]
    for at in (1, 4, 9):
        done = subprocess.run([sys.executable, "-c", KILLED, str(out), str(at), *names], env=os.environ, check=False)
        assert done.returncode == -signal.SIGKILL
        assert state(out) == before
        assert [path for path in tmp_path.iterdir() if path != out], "it was killed in the middle"
    more, _ = collect_records(COMMITTED[:12])
    write_leaderboard(more, out)
    assert state(out) != before
    assert list(tmp_path.iterdir()) == [out]


def test_two_reports_at_once_leave_one_of_them(tmp_path: Path) -> None:
    out = tmp_path / "out"
    child = os.fork()
    for _ in range(100):
        put(out, "child" if child == 0 else "parent", NEW)
    if child == 0:
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    texts = {(out / name).read_text() for name in NEW}
    assert len(texts) == 1
    assert list(tmp_path.iterdir()) == [out]


def test_folders_inside_are_replaced_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "_exchange", lambda one, other: False)
    for number in (1, 2):
        with replaced_folder(tmp_path / "out", lambda name: True) as folder:
            (folder / "pages").mkdir()
            write_text(folder / "pages" / f"{number}.html", str(number))
    assert [path.name for path in (tmp_path / "out").rglob("*")] == ["pages", "2.html"]
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]

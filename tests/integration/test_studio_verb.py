"""`ssl-bench studio`: what it serves, where it keeps things, what it refuses to begin with."""

import runpy
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="needs the extra `studio`")

from ssl_motion.cli import studio_verb
from ssl_motion.errors import RunError, UsageError
from ssl_motion.studio import server

TESTS = Path(__file__).resolve().parents[1]
bench = runpy.run_path(str(TESTS / "verbs.py"))["bench"]
parts = runpy.run_path(str(TESTS / "studio_session.py"))


@pytest.fixture
def served(tmp_path, monkeypatch):
    """What `serve` is called with, on a model that is planted."""
    calls = []

    def serve(predictor, model, folder, session, host, port, ready):
        calls.append({"model": model, "folder": folder, "session": session, "host": host, "port": port})
        ready("http://127.0.0.1:1/?token=x")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(server, "serve", serve)
    monkeypatch.setattr(studio_verb, "open_predictor", lambda **_: parts["planted"](64))
    return calls


def test_a_folder_is_served_and_its_session_lies_in_it(served, tmp_path):
    folder = parts["make_folder"](tmp_path / "photographs")
    said = bench("studio", "photographs", "--port", 5000).output
    assert "http://127.0.0.1:1/?token=x" in said
    (call,) = served
    assert call["folder"] == Path("photographs")
    assert call["session"] == Path("photographs/.ssl-motion-studio")
    assert (call["host"], call["port"]) == ("127.0.0.1", 5000)
    assert call["model"] == "MovesByColour, seen at 64 px, on cpu"
    bench("studio", folder, "--session", "elsewhere")
    assert served[1]["session"] == Path("elsewhere")


def test_without_a_folder_there_are_pictures_of_the_built_in_world(served, tmp_path):
    bench("studio")
    assert served[0]["folder"] == Path("studio")
    pictures = sorted((tmp_path / "studio").glob("*.png"))
    assert len(pictures) == studio_verb.PUPPETS
    assert Image.open(pictures[0]).size == (256, 256)
    before = pictures[0].stat().st_mtime_ns
    bench("studio")
    assert pictures[0].stat().st_mtime_ns == before  # what is there is not rendered again


def test_what_cannot_be_served_is_said_before_a_model_is_read(served):
    with pytest.raises(UsageError, match="no such folder: nowhere"):
        bench("studio", "nowhere")
    with pytest.raises(UsageError, match="one address"):
        bench("studio", "--host", "0.0.0.0")
    assert served == []


def test_a_missing_extra_is_named(served, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("ssl_motion.studio.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    with pytest.raises(UsageError, match=r"ssl-motion\[studio\]"):
        bench("studio")


def test_the_page_that_opens_the_browser_is_for_the_user_alone(served, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("click.launch", opened.append)
    (tmp_path / "session").mkdir()
    bench("studio", "--open", "--session", "session")
    (path,) = opened
    assert "token" not in path
    assert 'content="0;url=http://127.0.0.1:1/?token=x"' in Path(path).read_text()
    assert Path(path).stat().st_mode & 0o077 == 0


def test_a_port_that_is_taken_is_named_or_passed_by(monkeypatch):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(UsageError, match=str(taken)):
            server._listening("127.0.0.1", taken)
        monkeypatch.setattr(server, "DEFAULT_PORT", taken)
        with server._listening("127.0.0.1", None) as listener:
            assert listener.getsockname()[1] not in (0, taken)


def test_it_answers_on_this_machine_alone_and_holds_its_session(tmp_path):
    folder = parts["make_folder"](tmp_path / "pictures")
    command = [sys.executable, str(TESTS / "studio_server.py"), str(folder), str(tmp_path / "session"), "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(url) as answer:
            assert answer.status == 200
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(url.split("?")[0])
        assert refused.value.code == 401
        with pytest.raises(RunError, match="in use"):
            server.serve(parts["planted"](64), "x", folder, tmp_path / "session", port=0)
    finally:
        process.terminate()
        assert process.wait(60) in (0, -15)

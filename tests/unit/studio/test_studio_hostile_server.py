"""Clients, neighbours and session folders that mean ill, against the studio's server."""

import asyncio
import os
import re
import runpy
import socket
import threading
import time
from pathlib import Path

import pytest

from ssl_motion.errors import UsageError

pytest.importorskip("fastapi", reason="needs the extra `studio`")
import uvicorn
from fastapi.testclient import TestClient

from ssl_motion.studio import clips as clips_module
from ssl_motion.studio import server
from ssl_motion.studio.clips import ClipOrder, Clips
from ssl_motion.studio.library import FOLDER, Library, Picture

parts = runpy.run_path(str(Path(__file__).parents[2] / "studio_session.py"))
HOST, TOKEN, BEARER = parts["HOST"], parts["TOKEN"], parts["BEARER"]


@pytest.fixture
def client(app):
    return TestClient(app, base_url=f"http://{HOST}", raise_server_exceptions=False)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_a_name_that_is_no_text_does_not_take_the_list_with_it(client, folder):
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.png")).write_bytes((folder / "one.png").read_bytes())
    answer = client.get("/api/studio", headers=BEARER)
    assert [each["name"] for each in answer.json()["pictures"]] == ["one.png", "two.png"]


@pytest.mark.parametrize(
    "neighbour", ['prefs={"a": 1}', "a b=1", "flag", "caf\xe9=1", "a,b=1", "ssl_motion_studio_8765=somebody-else"]
)
def test_cookies_of_other_servers_on_this_machine_lock_nobody_out(client, neighbour):
    # Browsers keep cookies by address and not by port, and so send those of a notebook's server, too.
    for cookies in (f"{neighbour}; ssl_motion_studio_8765={TOKEN}", f"ssl_motion_studio_8765={TOKEN}; {neighbour}"):
        assert client.get("/api/studio", headers={"Cookie": cookies.encode("latin-1")}).status_code == 200
    assert client.get("/api/studio", headers={"Cookie": neighbour.encode("latin-1")}).status_code == 401


@pytest.mark.parametrize("host", ["::ffff:0.0.0.0", "::ffff:0:0", "0:0::0"])
def test_all_addresses_are_refused_in_any_spelling(host):
    with pytest.raises(UsageError, match="one address"):
        server.checked_host(host)
    assert server.checked_host("::ffff:127.0.0.1") == "::ffff:127.0.0.1"


@pytest.fixture
def running(monkeypatch, folder, tmp_path):
    """A server in a thread: (itself, the thread, the port)."""
    started, urls = [], []

    class Kept(uvicorn.Server):
        def __init__(self, config: uvicorn.Config) -> None:
            super().__init__(config)
            started.append(self)

    monkeypatch.setattr(server.uvicorn, "Server", Kept)
    work = (parts["planted"](parts["HEIGHT"]), "planted", folder, tmp_path / "session", "127.0.0.1", 0, urls.append)
    thread = threading.Thread(target=server.serve, args=work, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not (started and started[0].started) and time.monotonic() < deadline:
        time.sleep(0.05)
    yield started[0], thread, int(urls[0].split(":")[2].split("/")[0])
    started[0].should_exit = started[0].force_exit = True
    thread.join(60)


def test_a_client_that_dawdles_does_not_keep_the_server_from_stopping(running, tmp_path):
    site, thread, port = running
    token = (tmp_path / "session" / "token").read_text()
    with socket.create_connection(("127.0.0.1", port), 60) as client:
        head = f"Host: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\nContent-Length: 9000\r\n\r\n"
        client.sendall(f"POST /api/pictures?name=slow.png HTTP/1.1\r\n{head}x".encode())
        added, deadline = tmp_path / "session" / "added", time.monotonic() + 60
        while not list(added.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(list(added.iterdir())) == 1
        site.should_exit = True  # as Ctrl-C does
        thread.join(30)
        assert not thread.is_alive()
    assert list(added.iterdir()) == []


@pytest.mark.parametrize("text", ["a", "x" * 43 + "\r\nSet-Cookie: a=b", '"><script>alert(1)</script>', "é" * 43, ""])
def test_a_token_that_somebody_else_put_there_is_replaced(tmp_path, text):
    # A folder may come from elsewhere with a session in it, whose token its maker knows.
    path = tmp_path / "token"
    path.write_text(text, encoding="utf-8", newline="")
    path.chmod(0o600)
    token = server.session_token(tmp_path)
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", token)
    assert server.session_token(tmp_path) == token == path.read_text()


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_a_token_that_others_can_read_is_replaced(tmp_path):
    path = tmp_path / "token"
    for spoil in (lambda: path.chmod(0o644), lambda: path.symlink_to(path.rename(tmp_path / "elsewhere"))):
        token = server.session_token(tmp_path)
        spoil()
        assert server.session_token(tmp_path) != token
        assert path.lstat().st_mode & 0o777 == 0o600
        assert not path.is_symlink()


def test_requests_are_reported_to_nobody(client, monkeypatch):
    # FastAPI knows how to send every request's address, of which the first holds the token, to a collector.
    trace = pytest.importorskip("opentelemetry.trace")
    seen = []

    class Tracer(trace.NoOpTracer):
        def start_span(self, *_, attributes=None, **__):
            seen.append(attributes)
            return super().start_span("spy")

    class Collector(trace.TracerProvider):
        def get_tracer(self, *_, **__):
            return Tracer()

    monkeypatch.setattr(trace, "get_tracer_provider", Collector)
    assert client.get(f"/?token={TOKEN}").status_code == 200
    assert seen == []


@pytest.fixture
def clips(folder, tmp_path):
    made = Clips(parts["make_studio"](folder, tmp_path / "session").desk)
    yield made
    made.close()


ORDER = ClipOrder.model_validate(
    {"script": {"keys": [{"frame": 0, "arrows": [[40, 30, 0, 0]]}, {"frame": 2, "arrows": [[40, 30, 8, 0]]}]}}
)


def test_clips_that_nobody_can_fetch_any_more_leave_no_file(clips, folder, monkeypatch):
    picture = Picture(FOLDER, folder / "one.png")
    orders = iter([8])  # so many more, while the first is being written: it is forgotten

    def save(_, target, __):
        for _ in range(next(orders, 0)):
            clips.start(picture, ORDER)
        target.write_bytes(b"a clip")

    monkeypatch.setattr(clips_module, "save_clip", save)
    first = clips.start(picture, ORDER)
    while first.state in ("waiting", "running"):
        time.sleep(0.01)
    clips._worker.submit(bool).result(60)  # all that were ordered are made
    assert {path.stem for path in clips._folder.iterdir()} == set(clips._jobs)
    assert len(clips._jobs) == 8


def test_clips_that_are_stopped_before_they_begin_cost_nothing(clips, folder):
    begin = threading.Event()
    clips._worker.submit(begin.wait, 60)
    jobs = [clips.start(Picture(FOLDER, folder / "one.png"), ORDER) for _ in range(20)]
    for job in jobs[-8:]:
        clips.stop(job.name)
    begin.set()
    clips._worker.submit(bool).result(60)
    assert {job.state for job in jobs} == {"stopped"}
    assert clips._desk.predictor.method.looks == 0


def test_uploads_that_are_broken_off_are_no_error_of_the_server(app, tmp_path):
    messages = iter([{"type": "http.request", "body": b"x", "more_body": True}, {"type": "http.disconnect"}])
    headers = [(b"host", HOST.encode()), (b"authorization", f"Bearer {TOKEN}".encode())]
    place = {"path": "/api/pictures", "raw_path": b"/api/pictures", "root_path": "", "query_string": b"name=a.png"}
    scope = {"type": "http", "method": "POST", "scheme": "http", "http_version": "1.1", "headers": headers, **place}

    async def receive():
        return next(messages)

    async def send(_):
        pass

    asyncio.run(app(scope, receive, send))  # else a traceback for every tab that is closed
    assert list((tmp_path / "session" / "added").iterdir()) == []


def test_what_uploads_left_behind_when_the_server_was_killed_is_removed(folder, tmp_path):
    added = tmp_path / "added"
    library = Library(folder, added)
    left = []

    async def killed():
        yield b"half of a picture"
        (part,) = added.iterdir()
        left.append(part.name)

    with pytest.raises(UsageError):
        asyncio.run(library.add("a.png", killed()))
    for name in (left[0], "own.part", ".own.part"):  # what a server that died cannot remove, and what is the user's
        (added / name).write_bytes(b"half")
    Library(folder, added)
    assert sorted(path.name for path in added.iterdir()) == [".own.part", "own.part"]

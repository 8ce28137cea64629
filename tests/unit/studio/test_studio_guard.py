"""Who gets through to the studio: this machine's own page, with the token; nobody else."""

import runpy
from pathlib import Path

import pytest

from ssl_motion.errors import UsageError

pytest.importorskip("fastapi", reason="needs the extra `studio`")
from fastapi.testclient import TestClient

from ssl_motion.studio.app import MOST_JSON_BYTES, create_app
from ssl_motion.studio.guard import POLICY
from ssl_motion.studio.server import checked_host, host_names, session_token

parts = runpy.run_path(str(Path(__file__).parents[2] / "studio_session.py"))
HOST, TOKEN, BEARER = parts["HOST"], parts["TOKEN"], parts["BEARER"]


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guard")
    studio = parts["make_studio"](parts["make_folder"](folder / "pictures"), folder / "session")
    return create_app(studio, TOKEN, host_names("127.0.0.1", 8765))


@pytest.fixture
def client(app):
    return TestClient(app, base_url=f"http://{HOST}", follow_redirects=False)


@pytest.mark.parametrize("path", ["/", "/api/studio", "/static/main.js", "/api/pictures/folder/one.png", "/nothing"])
def test_nothing_is_answered_without_the_token(client, path):
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer "}, {"Cookie": "token=" + TOKEN}):
        assert client.get(path, headers=headers).status_code == 401
    assert client.get(f"{path}?token=wrong").status_code == 401


def test_the_token_of_the_url_becomes_a_strict_cookie(client):
    answer = client.get(f"/?token={TOKEN}")
    assert answer.status_code == 200
    cookie = answer.headers["set-cookie"]
    assert cookie == f"ssl_motion_studio_8765={TOKEN}; Path=/; HttpOnly; SameSite=Strict"
    assert TOKEN not in answer.text
    assert client.get("/").status_code == 200  # the client kept the cookie
    assert len(client.get("/api/studio").json()["pictures"]) == 2


def test_the_token_in_the_url_opens_the_first_page_alone(client):
    assert client.get(f"/api/studio?token={TOKEN}").status_code == 401


@pytest.mark.parametrize("host", ["evil.example:8765", "127.0.0.1", "127.0.0.1:80", "127.0.0.1:8765.evil.example", ""])
def test_a_name_that_was_made_to_point_here_is_refused(client, host):
    answer = client.get("/api/studio", headers={**BEARER, "Host": host})
    assert answer.status_code == 403


def test_the_names_of_this_machine_are_known(client):
    assert client.get("/api/studio", headers={**BEARER, "Host": "localhost:8765"}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:8765", "http://127.0.0.1:9999"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
def test_requests_of_other_pages_are_refused(client, method, origin):
    answer = client.request(method, "/api/studio", headers={**BEARER, "Origin": origin})
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_pictures_cannot_be_embedded_elsewhere(client, site):
    headers = {**BEARER, "Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"}
    assert client.get("/api/pictures/folder/one.png", headers=headers).status_code == 403


def test_its_own_page_may_ask(client):
    headers = {**BEARER, "Origin": f"http://{HOST}", "Sec-Fetch-Site": "same-origin"}
    assert client.get("/api/studio", headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/", "/api/studio", "/static/main.js", "/api/pictures/folder/none.png"])
def test_every_answer_carries_the_policy(client, path):
    for headers in (BEARER, {}):
        answer = client.get(path, headers=headers)
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"
    assert "unsafe" not in POLICY


def test_bodies_have_a_limit_whatever_they_say_of_themselves(client):
    path = "/api/predict/folder/one.png"
    big = b" " * (MOST_JSON_BYTES + 1)
    assert client.post(path, headers=BEARER, content=big).status_code == 413

    def chunks():  # no Content-Length
        for _ in range(9):
            yield b" " * 2**20

    assert client.post(path, headers=BEARER, content=chunks()).status_code == 413
    for length in ("-5", "\u00b2".encode("latin-1"), "9" * 5000, "0x1"):
        headers = {**BEARER, "Content-Length": length}
        assert client.post(path, headers=headers, content=b"{}").status_code == 413


def test_nothing_but_the_pages_own_files_is_served(client):
    for path in (
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/docs",
        "/openapi.json",
        "/redoc",
    ):
        assert client.get(path, headers=BEARER).status_code == 404


def test_the_server_listens_on_one_known_address():
    assert checked_host("127.0.0.1") == "127.0.0.1"
    for host in ("0.0.0.0", "::", "example.org", ""):
        with pytest.raises(UsageError, match="expected"):
            checked_host(host)
    assert host_names("::1", 1) == {"[::1]:1", "localhost:1"}
    assert host_names("192.0.2.7", 80) == {"192.0.2.7:80"}


def test_the_token_is_long_secret_and_stays(tmp_path):
    token = session_token(tmp_path)
    assert len(token) >= 43
    assert session_token(tmp_path) == token
    assert (tmp_path / "token").stat().st_mode & 0o077 == 0
    (tmp_path / "other").mkdir()
    assert session_token(tmp_path / "other") != token

"""A studio on two flat pictures, and a client that holds its token; fixtures alone import the extra `studio`."""

import runpy
from pathlib import Path
from typing import Any

import pytest

SESSION = Path(__file__).parents[2] / "studio_session.py"


@pytest.fixture(scope="session")
def parts() -> dict[str, Any]:
    return runpy.run_path(str(SESSION))


@pytest.fixture
def folder(parts, tmp_path):
    return parts["make_folder"](tmp_path / "pictures")


@pytest.fixture
def app(parts, tmp_path, folder):
    from ssl_motion.studio.app import create_app

    return create_app(parts["make_studio"](folder, tmp_path / "session"), parts["TOKEN"], frozenset({parts["HOST"]}))


@pytest.fixture
def client(parts, app):
    from fastapi.testclient import TestClient

    return TestClient(app, base_url=f"http://{parts['HOST']}", headers=parts["BEARER"], raise_server_exceptions=False)

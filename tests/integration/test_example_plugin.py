"""A method from another package: installed by pip, listed, trained and checked, without a change in this repository."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ssl_motion.paths import config_root

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLE = REPOSITORY / "tests" / "example_plugin"
README = REPOSITORY / "methods" / "README.md"

SSLBench = Callable[..., subprocess.CompletedProcess[str]]


def _run(command: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder that pip has installed the example into, from a copy of its source."""
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copytree(EXAMPLE, folder / "source", ignore=shutil.ignore_patterns("__pycache__"))
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check"]
    _run(
        [sys.executable, "-m", "pip", "install", *options, "--target", str(folder / "site"), str(folder / "source")],
        folder,
    )
    return folder / "site"


@pytest.fixture
def ssl_bench(installed: Path, tmp_path: Path) -> SSLBench:
    """The command line in a fresh process and folder, with the example installed."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return _run([sys.executable, "-m", "ssl_motion", *arguments], tmp_path, PYTHONPATH=str(installed))

    return run


def test_it_is_listed_among_the_others(ssl_bench: SSLBench) -> None:
    rows: dict[str, Any] = {row["name"]: row for row in json.loads(ssl_bench("list", "methods", "--json").stdout)}
    row = rows["coarse_flow"]
    assert (row["distribution"], row["error"], row["trunks"]) == ("coarse-flow", None, "any")
    assert rows["cmp"]["distribution"] == "ssl-motion"


def test_it_trains_without_a_config_and_says_what_was_used(ssl_bench: SSLBench, tmp_path: Path) -> None:
    assert not list((config_root() / "pretrain").glob("coarse_flow*"))
    world = [f"--set=data.puppets.{key}" for key in ("pairs=8", "val_pairs=4", "size=32")]
    small = [*world, "--set=batch_size=4", "--iterations=3", "--device=cpu", "--threads=1", "--json"]
    done = ssl_bench("pretrain", "--method", "coarse_flow", *small)
    outcome = json.loads(done.stdout)
    assert (outcome["method"], outcome["images_seen"], outcome["backbone"]) == ("coarse_flow", 12, "alexnet_mini")
    assert {"val/loss", "val/epe"} <= outcome["figures"].keys()
    assert (tmp_path / outcome["path"] / "backbone.safetensors").is_file()
    assert "coarse_flow ships no coarse_flow_puppets.yaml" in done.stderr
    assert str(config_root() / "pretrain" / "_default_puppets.yaml") in done.stderr


def test_it_keeps_the_contract_where_it_is_installed(installed: Path, tmp_path: Path) -> None:
    code = next(block for block in _blocks("python") if "check_method" in block)
    (tmp_path / "test_it.py").write_text(code)
    _run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"], tmp_path, PYTHONPATH=str(installed))


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_the_page_on_methods_shows_the_very_files() -> None:
    assert (EXAMPLE / "coarse_flow.py").read_text(encoding="utf-8") in _blocks("python")
    assert (EXAMPLE / "pyproject.toml").read_text(encoding="utf-8") in _blocks("toml")


def test_the_links_of_the_page_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README.read_text(encoding="utf-8"))
    assert links
    for link in links:
        assert (README.parent / link).exists(), link

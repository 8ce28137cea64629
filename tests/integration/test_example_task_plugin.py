"""A transfer task from another package: installed by pip, listed, run, ranked, without a change in this repository."""

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

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLE = REPOSITORY / "tests" / "example_task_plugin"
README = REPOSITORY / "benchmarks" / "README.md"

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
    target = ["--target", str(folder / "site"), str(folder / "source")]
    _run([sys.executable, "-m", "pip", "install", *options, *target], folder)
    return folder / "site"


@pytest.fixture
def ssl_bench(installed: Path, tmp_path: Path) -> SSLBench:
    """The command line in a fresh process and folder, with the example installed."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return _run([sys.executable, "-m", "ssl_motion", *arguments], tmp_path, PYTHONPATH=str(installed))

    return run


def test_it_is_listed_run_reused_and_on_the_leaderboard(ssl_bench: SSLBench, tmp_path: Path) -> None:
    rows: dict[str, Any] = {row["name"]: row for row in json.loads(ssl_bench("list", "benchmarks", "--json").stdout)}
    row = rows["actor_kinds"]
    assert (row["distribution"], row["error"], row["metrics"]) == ("actor-tasks", None, ["mAP"])
    assert rows["voc_fcn"]["distribution"] == "ssl-motion"
    assert list(row["presets"]) == ["puppets_actor_kinds"]
    row = rows["actor_pixels"]
    assert (row["distribution"], row["error"], row["metrics"]) == ("actor-tasks", None, ["mIoU", "aAcc", "mAcc"])

    (tmp_path / "small.yaml").write_text("puppets: {size: 48, train_images: 24, val_images: 2, test_images: 16}\n")
    trunk = ["--set", "backbone.arch=alexnet_mini", "--set", "backbone.width=12"]
    options = ["--task", "actor_kinds", *trunk, "--device", "cpu", "--json", "small.yaml"]
    outcome = json.loads(ssl_bench("transfer", *options).stdout)
    assert (outcome["task"], outcome["scale"], outcome["cached"]) == ("actor_kinds", "builtin", False)
    assert 0 < outcome["metrics"]["mAP"] < 100
    assert json.loads(ssl_bench("transfer", *options).stdout)["cached"] is True
    record = json.loads((tmp_path / outcome["path"] / "record.json").read_text())
    assert record["protocol"]["ap_rule"] == "step"
    ssl_bench("report", "leaderboard")
    assert "actor_kinds" in next(tmp_path.rglob("leaderboard.md")).read_text()


def test_it_keeps_the_contract_where_it_is_installed(installed: Path, tmp_path: Path) -> None:
    code = next(block for block in _blocks("python") if "check_task" in block)
    (tmp_path / "test_it.py").write_text(code)
    _run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"], tmp_path, PYTHONPATH=str(installed))


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_the_page_on_tasks_shows_the_very_files() -> None:
    for name in ("actor_kinds.py", "actor_pixels.py", "puppets_actor_pixels.py"):
        assert (EXAMPLE / name).read_text(encoding="utf-8") in _blocks("python")
    assert (EXAMPLE / "pyproject.toml").read_text(encoding="utf-8") in _blocks("toml")


def test_the_links_of_the_page_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README.read_text(encoding="utf-8"))
    assert links
    for link in links:
        assert (README.parent / link).exists(), link

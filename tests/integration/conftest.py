"""Data that several tests of this folder start from."""

import runpy
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
make_devkit = runpy.run_path(str(TESTS / "voc_devkit.py"))["make_devkit"]
panning_video = runpy.run_path(str(TESTS / "panning_clips.py"))["panning_video"]


@pytest.fixture(scope="session")
def devkit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny VOC2012; tests that change it make their own."""
    return Path(make_devkit(tmp_path_factory.mktemp("data")))


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Four panning clips, for the test alone."""
    for number in range(4):
        panning_video(tmp_path / "videos" / f"clip{number}.mkv", seed=number)
    return tmp_path / "videos"

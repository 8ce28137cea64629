"""Shared fixtures and settings: where real sample data lies, one torch thread per test process, no time limits."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

# Hypothesis fails an example that takes 200 ms, which on a loaded machine any may: speed has tests of its own.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def sample_data() -> Path:
    """Folder of real samples (VOC, videos, flow): $SSL_MOTION_SAMPLE_DATA, else ../shared/data; skips without it."""
    folder = Path(os.environ.get("SSL_MOTION_SAMPLE_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"needs the real sample data; {folder} is not there (set SSL_MOTION_SAMPLE_DATA)")
    return folder

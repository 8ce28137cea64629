"""Shared fixtures: where real sample data lies, and one torch thread per test process."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def sample_data() -> Path:
    """Folder of real samples (VOC, videos, flow): $SSL_MOTION_SAMPLE_DATA, else ../shared/data; skips without it."""
    folder = Path(os.environ.get("SSL_MOTION_SAMPLE_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"needs the real sample data; {folder} is not there (set SSL_MOTION_SAMPLE_DATA)")
    return folder

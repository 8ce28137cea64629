"""The pace of long work, in words."""

import time

import pytest

from ssl_motion.progress import Progress


@pytest.mark.parametrize(
    ("unit", "done", "words"),
    [
        ("images", 40, "4.0 images/s"),
        ("images", 5, "2.0 s/image"),
        ("batches", 2, "5.0 s/batch"),
        ("classes", 5, "2.0 s/class"),
        ("it", 4, "2.5 s/it"),
        ("pairs", 1, "10.0 s/pair"),
    ],
)
def test_slow_work_is_told_in_seconds_for_one(unit, done, words, monkeypatch):
    progress = Progress("work", 100, unit)
    began = progress._began
    monkeypatch.setattr(time, "monotonic", lambda: began + 10.0)
    progress.done = done
    assert progress.pace == words

"""Ten thousand records: the leaderboard, as the command that writes it, in seconds and memory."""

import os
import resource
import runpy
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.perf
RECORDS, SECONDS, GIGABYTES = 10_000, 10.0, 1.0
many = runpy.run_path(str(Path(__file__).parents[1] / "many_records.py"))


def test_a_leaderboard_of_ten_thousand_records(tmp_path: Path) -> None:
    many["write_records"](tmp_path / "records", RECORDS)
    out = tmp_path / "out"
    options = ["--runs", str(tmp_path / "runs"), "--records", str(tmp_path / "records"), "--out", str(out)]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "ssl_motion", "report", "leaderboard", *options]
    subprocess.run(command, check=True, env=os.environ, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    gigabytes = after.ru_maxrss * 1024 / 1e9
    print(f"\n{RECORDS} records: {seconds:.1f} s, of the processor {processor:.1f} s, {gigabytes:.2f} GB")
    assert (out / "leaderboard.csv").read_text(encoding="utf-8").count("\n") > RECORDS / 3
    assert gigabytes <= GIGABYTES
    assert seconds <= SECONDS

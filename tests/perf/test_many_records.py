"""Ten thousand records: leaderboard and site, as the commands that write them, beside a bare reading of the same files.

The reference parses every file with the standard library and keeps nothing. All are processes of their own, imports
included, and timed by the clock, since pictures are drawn beside the rest: the machine is to have two cores and nothing
else to do. Memory is the most that a process held. `pytest -m perf tests/perf/test_many_records.py -s` prints all
figures.
"""

import os
import runpy
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.perf
RECORDS = 10_000
READ = "import json, pathlib, sys\nfor path in pathlib.Path(sys.argv[1]).glob('*.json'): json.loads(path.read_bytes())"
many = runpy.run_path(str(Path(__file__).parents[1] / "many_records.py"))


@dataclass(frozen=True)
class Cost:
    """Time in seconds, and the most resident memory in GB, of a process."""

    seconds: float
    gigabytes: float


def run(*arguments: str | Path) -> Cost:
    begun = time.perf_counter()
    process = subprocess.Popen([sys.executable, *map(str, arguments)], env=os.environ, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return Cost(time.perf_counter() - begun, usage.ru_maxrss * 1024 / 1e9)


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("many") / "records"
    many["write_records"](folder, RECORDS)
    return folder


@pytest.fixture(scope="module")
def reading(records: Path) -> float:
    run("-c", READ, records)  # for the disk's cache
    seconds = min(run("-c", READ, records).seconds for _ in range(3))
    print(f"\n{RECORDS} records: reading their JSON takes {seconds:.2f} s")
    return seconds


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A runs folder with the draws of the committed records' images, which the first report computes once for all."""
    folder: Path = tmp_path_factory.mktemp("runs")
    run("-m", "ssl_motion", "report", "leaderboard", "--runs", folder, "--out", folder / "first")
    return folder


@pytest.mark.parametrize(("report", "times", "gigabytes"), [("leaderboard", 20, 1.0), ("site", 80, 1.0)])
def test_a_report_takes_few_times_what_reading_does(
    report: str, times: float, gigabytes: float, records: Path, reading: float, runs: Path, tmp_path: Path
) -> None:
    folders = ["--runs", runs, "--records", records, "--out", tmp_path / "out"]
    # The better of two, as of the reading's three.
    cost = min((run("-m", "ssl_motion", "report", report, *folders) for _ in range(2)), key=lambda each: each.seconds)
    print(f"\n{report}: {cost.seconds:.1f} s, {cost.seconds / reading:.1f} times as long; {cost.gigabytes:.2f} GB")
    if report == "leaderboard":
        assert (tmp_path / "out" / "leaderboard.csv").read_text(encoding="utf-8").count("\n") > RECORDS / 3
    else:
        assert len(list((tmp_path / "out" / "runs").glob("*.html"))) > RECORDS / 3
    assert cost.gigabytes <= gigabytes
    assert cost.seconds <= times * reading

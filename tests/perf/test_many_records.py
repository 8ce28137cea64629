"""Ten thousand records: leaderboard and site, as the commands that write them, beside a bare reading of the same files.

The reference parses every file with the standard library and keeps nothing. All are processes of their own, imports
included, and timed by the clock, since pictures are drawn beside the rest: the machine is to have two cores and nothing
else to do. Memory is the most that a process held. `pytest -m perf tests/perf/test_many_records.py -s` prints all
figures.
"""

import json
import runpy
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.perf
RECORDS, TRIES = 10_000, 3
READ = "import json, pathlib, sys\nfor path in pathlib.Path(sys.argv[1]).glob('*.json'): json.loads(path.read_bytes())"
# Started by a process that is small itself: the most memory of one counts that of who started it, and tests are large.
MEASURED = """
import os, subprocess, sys, time
begun = time.perf_counter()
process = subprocess.Popen([sys.executable, *sys.argv[1:]], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print([time.perf_counter() - begun, usage.ru_maxrss * 1024 / 1e9, os.waitstatus_to_exitcode(status)])
"""
many = runpy.run_path(str(Path(__file__).parents[1] / "many_records.py"))


@dataclass(frozen=True)
class Cost:
    """Time in seconds, and the most resident memory in GB, of a process."""

    seconds: float
    gigabytes: float


def run(*arguments: str | Path) -> Cost:
    command = [sys.executable, "-c", MEASURED, *map(str, arguments)]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    seconds, gigabytes, code = json.loads(said)
    assert code == 0
    return Cost(seconds, gigabytes)


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("many") / "records"
    many["write_records"](folder, RECORDS)
    run("-c", READ, folder)  # for the disk's cache
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A runs folder with the draws of the committed records' images, which the first report computes once for all."""
    folder: Path = tmp_path_factory.mktemp("runs")
    run("-m", "ssl_motion", "report", "leaderboard", "--runs", folder, "--out", folder / "first")
    return folder


@pytest.mark.parametrize(("report", "times"), [("leaderboard", 20), ("site", 80)])
def test_a_report_takes_few_times_what_reading_does(
    report: str, times: float, records: Path, runs: Path, tmp_path: Path
) -> None:
    folders = ["--runs", runs, "--records", records, "--out", tmp_path / "out"]
    ratios = []
    for _ in range(TRIES):
        # Each beside a reading of its own, since what a second is worth changes within minutes.
        reading = min(run("-c", READ, records).seconds for _ in range(2))
        cost = run("-m", "ssl_motion", "report", report, *folders)
        ratios.append(cost.seconds / reading)
        print(f"\n{report}: {cost.seconds:.1f} s, {ratios[-1]:.1f} times the {reading:.2f} s of reading, ", end="")
        print(f"{cost.gigabytes:.2f} GB")
        assert cost.gigabytes <= 1
    if report == "leaderboard":
        assert (tmp_path / "out" / "leaderboard.csv").read_text(encoding="utf-8").count("\n") > RECORDS / 3
    else:
        assert len(list((tmp_path / "out" / "runs").glob("*.html"))) > RECORDS / 3
    assert statistics.median(ratios) <= times

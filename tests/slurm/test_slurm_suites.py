"""Suites on a real Slurm, which this file starts: whatever happens on the way, the records are those of a local run."""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from runpy import run_path
from typing import Any

import psutil
import pytest
import yaml

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(1800)]

_CLUSTER = run_path(str(Path(__file__).with_name("cluster.py")))
_STARTED: list["subprocess.Popen[str]"] = []
SECONDS = 600.0
BATCH = 8
SUITE = {
    "title": "Two starts",
    "puppets": {"size": 32, "pairs": 96, "val_pairs": 16, "train_images": 12, "val_images": 4, "test_images": 12},
    "pretrain_set": {
        "iterations": 150,
        "batch_size": BATCH,
        "checkpoint_every": 10,
        "validate_every": 60,
        "backbone.width": 6,
        "method_config.decoder_width": 8,
        "method_config.guidance.kernel_size": 11,
        "method_config.guidance.grid_stride": 20,
    },
    "pretrain": {"cmp": {"config": "cmp_puppets"}},
    "transfer": [
        {
            "task": "dense_linear",
            "task_config": {
                "preset": "puppets_dense",
                "backbone": {"arch": "alexnet_mini", "width": 6},
                "iterations": 20,
            },
            "inits": ["cmp", "random"],
        }
    ],
}
PARENT = "pretrain cmp seed 0"
CHILD = "transfer puppets_dense from cmp seed 0"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    # Not below pytest's own folder: the path of a socket must be short.
    try:
        with _CLUSTER["running"](tmp_path_factory.mktemp("slurm")) as started:
            before = dict(os.environ)
            os.environ.update(started.environment)
            try:
                yield started
            finally:
                os.environ.clear()
                os.environ.update(before)
    except _CLUSTER["CannotStart"] as reason:
        pytest.skip(f"no Slurm here: {reason}")


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("suite") / "tiny.yaml"
    path.write_text(yaml.safe_dump(SUITE))
    return path


@pytest.fixture(scope="module")
def expected(cluster: Any, suite: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The records of the same suite as processes of this machine."""
    runs = tmp_path_factory.mktemp("local")
    finish(start(suite, runs, "--executor", "local"))
    found = results(runs)
    assert len(found) == 3
    return found


def start(suite: Path, runs: Path, *options: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "ssl_motion", "run", str(suite), "--runs", str(runs), "--device", "cpu", "--json"]
    process = subprocess.Popen(
        [*command, *(options or ("--executor", "slurm", "--slurm-time", "30"))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    _STARTED.append(process)
    return process


@pytest.fixture(autouse=True)
def _no_command_outlives_its_test() -> Iterator[None]:
    yield
    while _STARTED:
        process = _STARTED.pop()
        process.kill()
        process.wait()


def finish(process: "subprocess.Popen[str]", code: int = 0) -> tuple[dict[str, Any], str]:
    """Wait for a command; returns (what it printed as JSON, its messages)."""
    out, messages = process.communicate(timeout=SECONDS)
    assert process.returncode == code, f"{process.returncode}\n{out}\n{messages}"
    return json.loads(out), messages


def results(runs: Path) -> dict[str, Any]:
    """What a suite gave, but times and places: records by their folders, and hashes of the exported weights."""
    found: dict[str, Any] = {}
    for path in runs.glob("transfer/*/record.json"):
        record = json.loads(path.read_text())
        for key in ("wall_seconds", "finished"):
            del record["origin"]["provenance"][key]
        for key in ("wall_seconds", "images_per_second", "peak_memory_mib"):
            (record["pretraining"] or {}).pop(key, None)
        record["spec"]["init"] = Path(record["spec"]["init"]).name  # a run's folder lies below another folder of runs
        found[path.parent.name] = record
    for path in runs.glob("pretrain/*/backbone.safetensors"):
        found[path.parent.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def wait_until(ready: Callable[[], Any], what: str, process: "subprocess.Popen[str] | None" = None) -> Any:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if value := ready():
            return value
        assert process is None or process.poll() is None, f"{what}: {process.communicate()}"
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come")


def checkpoint_of(runs: Path, at_least: int) -> Callable[[], bool]:
    """Whether the pretraining has written a checkpoint of so many iterations."""
    return lambda: any(
        int(path.stem.split("_")[1]) >= at_least for path in runs.glob("pretrain/*/checkpoints/iter_*.pth")
    )


def journal(runs: Path) -> dict[str, Any]:
    entries: dict[str, Any] = json.loads((runs / "suites" / "tiny" / "slurm" / "jobs.json").read_text())
    return entries


def training_process(runs: Path) -> psutil.Process:
    (owner,) = runs.glob("pretrain/*/owner.json")
    return psutil.Process(json.loads(owner.read_text())["pid"])


def log_of_pretraining(runs: Path) -> str:
    return (runs / "suites" / "tiny" / "pretrain-cmp-seed-0.log").read_text()


def test_the_suite_ends_without_the_command_that_submitted_it(
    cluster: Any, suite: Path, expected: dict[str, Any], tmp_path: Path
) -> None:
    process = start(suite, tmp_path)
    wait_until(checkpoint_of(tmp_path, 10), "a checkpoint", process)
    process.kill()
    process.communicate()
    submitted = journal(tmp_path)
    assert "_" in submitted[PARENT]["number"], "what waits for the same jobs is one array"
    assert submitted[PARENT]["number"] in submitted[CHILD]["after"]
    assert len(list(tmp_path.glob("transfer/*/record.json"))) < 2, "killed in the middle"
    wait_until(lambda: len(list(tmp_path.glob("transfer/*/record.json"))) == 2, "the last record")
    outcome, _ = finish(start(suite, tmp_path))
    assert {job["state"] for job in outcome["jobs"]} <= {"done", "reused"}
    assert journal(tmp_path) == submitted, "nothing is submitted twice"
    assert results(tmp_path) == expected


def test_a_preempted_job_and_one_out_of_time_continue_from_their_checkpoints(
    cluster: Any, suite: Path, expected: dict[str, Any], tmp_path: Path
) -> None:
    process = start(suite, tmp_path)
    wait_until(checkpoint_of(tmp_path, 10), "a checkpoint", process)
    # What Slurm sends before the time limit, which is a matter of minutes.
    cluster.command("scancel", "--signal=USR2", journal(tmp_path)[PARENT]["number"])
    wait_until(lambda: "stopped by SIGTERM" in log_of_pretraining(tmp_path), "the first stop", process)
    stopped_at = int(log_of_pretraining(tmp_path).split("after iteration ")[1].split()[0])
    assert stopped_at < 150
    wait_until(checkpoint_of(tmp_path, stopped_at // 10 * 10 + 10), "a checkpoint of the second start", process)
    taker = cluster.command(
        "sbatch", "--parsable", "--partition=high", "--nodes=2", "--exclusive", "--wrap=sleep 1", "--output=/dev/null"
    )
    assert taker
    outcome, _ = finish(process)
    assert {job["state"] for job in outcome["jobs"]} == {"done"}
    assert log_of_pretraining(tmp_path).count("stopped by SIGTERM after iteration") == 2
    facts = cluster.command("scontrol", "show", "job", journal(tmp_path)[PARENT]["number"])
    assert "Restarts=2" in facts, facts
    assert results(tmp_path) == expected


def test_a_lost_machine_costs_no_result(cluster: Any, suite: Path, expected: dict[str, Any], tmp_path: Path) -> None:
    process = start(suite, tmp_path)
    wait_until(checkpoint_of(tmp_path, 10), "a checkpoint", process)
    number = journal(tmp_path)[PARENT]["number"]
    node = cluster.command("squeue", "--noheader", f"--job={number}", "--format=%N").strip()
    cluster.kill_node(node, with_jobs=True)
    try:
        outcome, _ = finish(process)
    finally:
        cluster.start_node(node)
    assert {job["state"] for job in outcome["jobs"]} <= {"done", "reused"}
    facts = cluster.command("scontrol", "show", "job", number)
    assert "Restarts=1" in facts, facts
    assert f"NodeList={node}\n" not in facts
    assert results(tmp_path) == expected
    wait_until(lambda: set(cluster.node_states().values()) == {"IDLE"}, "the node")


def test_a_second_start_waits_for_a_first_that_slurm_has_lost_sight_of(
    cluster: Any, suite: Path, expected: dict[str, Any], tmp_path: Path
) -> None:
    """A node's daemon is gone, the job's processes are not: Slurm starts the job on the other node."""
    process = start(suite, tmp_path)
    wait_until(checkpoint_of(tmp_path, 10), "a checkpoint", process)
    number = journal(tmp_path)[PARENT]["number"]
    node = cluster.command("squeue", "--noheader", f"--job={number}", "--format=%N").strip()
    first = training_process(tmp_path)
    first.suspend()  # so that it is still at work by then, however fast the machine
    cluster.kill_node(node, with_jobs=False)
    try:
        messages = tmp_path / "suites" / "tiny" / "slurm" / "files" / f"{number}_0_log.err"
        wait_until(lambda: "is in use by process" in messages.read_text(), "the second start", process)
        first.resume()
        outcome, _ = finish(process)
    finally:
        cluster.start_node(node)
    assert {job["state"] for job in outcome["jobs"]} <= {"done", "reused"}
    assert results(tmp_path) == expected
    wait_until(lambda: set(cluster.node_states().values()) == {"IDLE"}, "the node")


def test_a_failure_is_named_and_the_same_command_mends_it(
    cluster: Any, suite: Path, expected: dict[str, Any], tmp_path: Path
) -> None:
    process = start(suite, tmp_path)
    wait_until(checkpoint_of(tmp_path, 10), "a checkpoint", process)
    training_process(tmp_path).kill()
    outcome, messages = finish(process, 1)
    assert {job["name"]: job["state"] for job in outcome["jobs"]} == {
        PARENT: "failed",
        CHILD: "skipped",
        "transfer puppets_dense from random seed 0": "done",
    }
    assert f"{PARENT}: killed by SIGKILL" in messages
    first = journal(tmp_path)
    wait_until(lambda: first[CHILD]["number"] not in cluster.command("squeue", "--noheader"), "the child's end")
    finish(start(suite, tmp_path))
    second = journal(tmp_path)
    assert {name for name in second if second[name] != first[name]} == {PARENT, CHILD}
    assert results(tmp_path) == expected


def test_two_processes_a_job_are_those_of_a_local_run(cluster: Any, suite: Path, tmp_path: Path) -> None:
    for executor in ("local", "slurm"):
        finish(start(suite, tmp_path / executor, "--executor", executor, "--processes", "2", "--slurm-cpus", "2"))
    local, slurm = results(tmp_path / "local"), results(tmp_path / "slurm")
    assert local == slurm
    (summary,) = (tmp_path / "slurm").glob("pretrain/*/done.json")
    assert json.loads(summary.read_text())["processes"] == 2
    (spec,) = (tmp_path / "slurm").glob("pretrain/*/spec.yaml")
    assert yaml.safe_load(spec.read_text())["batch_size"] == BATCH // 2


def test_what_slurm_refuses_is_said(cluster: Any, suite: Path, tmp_path: Path) -> None:
    process = start(suite, tmp_path, "--executor", "slurm", "--slurm-partition", "no_such_partition")
    _, messages = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert "Slurm does not take the jobs" in messages
    assert "invalid partition" in messages.lower()
    assert "Traceback" not in messages

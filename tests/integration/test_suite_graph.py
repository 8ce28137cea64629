"""A small suite as a user runs it: its graph, reuse, figures of the pretraining, and kill -9 at random moments."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import yaml

from ssl_motion.data.shard_pairs import ShardPairs
from ssl_motion.prepare.layers import ensure_puppets
from ssl_motion.record import read_record
from ssl_motion.spec import PuppetsSpec

WORLD = {"size": 64, "pairs": 40, "val_pairs": 8, "train_images": 12, "val_images": 2, "test_images": 8}
GRID = {"strategies": ["grid"], "grid_stride": 20}  # 4 x 4 points on 64 pixels
TRUNK = {"arch": "alexnet_mini", "width": 6}


def write_suite(folder: Path, **changes: Any) -> Path:
    """Two pretrainings, a transfer of each and of a random start, and an average, for one seed."""
    method = {"method_config.guidance": GRID, "method_config.decoder_width": 8, "method_config.strides": [1, 2]}
    content = {
        "title": "small",
        "puppets": WORLD,
        "seeds": [3],
        "pretrain_set": {"iterations": 30, "batch_size": 4, "backbone": TRUNK, "checkpoint_every": 5, **method},
        "pretrain": {
            "cmp": {"config": "cmp_puppets"},
            "untold": {"config": "cmp_puppets", "set": {"method_config.guidance": {"strategies": []}}},
        },
        "transfer": [
            {
                "task": "voc_fcn",
                "task_config": {"preset": "puppets_fcn", "backbone": TRUNK, "iterations": 20, "batch_size": 4},
                "recipe_overrides": {"checkpoint_every": 5},
                "inits": ["cmp", "untold", "random"],
            }
        ],
        "ensemble": [{"transfer": "puppets_fcn", "inits": ["cmp", "random"]}],
        **changes,
    }
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def start(suite: Path, runs: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "ssl_motion", "run", str(suite), "--runs", str(runs), "--device", "cpu", "--jobs"]
    return subprocess.Popen(
        [*command, "2", "--json"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str], code: int = 0) -> tuple[dict[str, Any], str]:
    out, err = process.communicate(timeout=900)
    assert process.returncode == code, f"{process.returncode}\n{out}\n{err}"
    return json.loads(out), err


def essence(runs: Path) -> dict[str, Any]:
    """All records, but for what depends on the machine's mood: times, memory, paths."""
    found = {}
    for path in (runs / "transfer").glob("*/record.json"):
        content = read_record(path).model_dump(mode="json")
        for key in ("wall_seconds", "finished"):
            del content["origin"]["provenance"][key]
        for key in ("wall_seconds", "images_per_second", "peak_memory_mib"):
            if content["pretraining"] is not None:
                del content["pretraining"][key]
        if "ensemble" not in content["spec"]:
            content["spec"]["init"] = Path(content["spec"]["init"]).name
        found[content["identity"]] = content
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], float]:
    """The suite, run once: (folder of all runs, what it printed, seconds)."""
    folder = tmp_path_factory.mktemp("undisturbed")
    began = time.monotonic()
    printed, _ = finish(start(write_suite(folder), folder / "runs"))
    return folder / "runs", printed, time.monotonic() - began


@pytest.mark.slow
def test_the_whole_graph_runs_once_and_is_reused(undisturbed: tuple[Path, dict[str, Any], float]) -> None:
    runs, printed, _ = undisturbed
    states = {job["name"]: job["state"] for job in printed["jobs"]}
    assert set(states.values()) == {"done"}
    assert len(states) == 2 + 3 + 1
    folders = {job["name"]: job["run"] for job in printed["jobs"]}
    average = read_record(Path(folders["ensemble puppets_fcn from cmp + random seed 3"]) / "record.json")
    members = [f"transfer puppets_fcn from {start} seed 3" for start in ("cmp", "random")]
    assert average.method == "cmp + random"
    assert sorted(average.spec["init"]) == sorted(Path(folders[name]).name[-16:] for name in members)
    assert any(path.endswith("leaderboard.html") for path in printed["reports"])
    again, err = finish(start(runs.parent / "small.yaml", runs))
    assert {job["state"] for job in again["jobs"]} == {"reused"}
    assert "6 runs: 2 pretrainings, 3 transfers, 1 ensembles; 6 finished already" in err


@pytest.mark.slow
def test_records_tell_what_the_pretraining_was_like(undisturbed: tuple[Path, dict[str, Any], float]) -> None:
    runs, printed, _ = undisturbed
    folders = {job["name"]: Path(job["run"]) for job in printed["jobs"]}
    figures = {}
    for label in ("cmp", "untold", "random"):
        before = read_record(folders[f"transfer puppets_fcn from {label} seed 3"] / "record.json").pretraining
        figures[label] = before.figures if before else None
    assert figures["random"] is None
    # 20 pixels apart there are 4 x 4 points on 64; where the flow is not known, nothing is told.
    pairs = ShardPairs([ensure_puppets(PuppetsSpec(**WORLD), runs / "data", ())], "train")
    told = [int(pair.valid[2::20, 2::20].sum()) for pair in pairs]
    assert 15 < np.mean(told) < 16
    assert figures["cmp"]["guidance_points"] == pytest.approx(np.mean(told))
    assert figures["untold"]["guidance_points"] == 0
    last = json.loads((folders["pretrain cmp seed 3"] / "log.jsonl").read_text().splitlines()[-1])
    for name in ("val/loss", "val/loss_blind", "val/gap"):
        assert figures["cmp"][name] == pytest.approx(last[name])
    assert figures["cmp"]["val/gap"] == pytest.approx(figures["cmp"]["val/loss_blind"] - figures["cmp"]["val/loss"])


def kill_all(process: subprocess.Popen[str]) -> int:
    """SIGKILL a suite, its server and its jobs; returns how many processes there were."""
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    for each in family:  # the suite first: it would see to the others otherwise
        try:
            each.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(family[1:], timeout=60)
    process.communicate(timeout=60)
    return len(family)


@pytest.mark.slow
@pytest.mark.timeout(1800)  # four starts of a suite, on a machine that may be busy
def test_killed_at_three_random_moments_it_ends_with_the_same_records(
    undisturbed: tuple[Path, dict[str, Any], float], tmp_path: Path
) -> None:
    reference, _, seconds = undisturbed
    suite, runs = write_suite(tmp_path), tmp_path / "runs"
    moments = random.SystemRandom()
    killed = []
    for number in range(3):
        process = start(suite, runs)
        if number == 1:
            # One of them surely in mid-run: once a job has written a checkpoint.
            deadline = time.monotonic() + 600
            while time.monotonic() < deadline and process.poll() is None and not list(runs.glob("*/*/checkpoints/*")):
                time.sleep(0.05)
        delay = moments.uniform(0.0, (0.5, 0.1, 0.2)[number] * seconds)
        end = time.monotonic() + delay
        while time.monotonic() < end and process.poll() is None:
            time.sleep(0.05)
        if process.poll() is None:
            killed.append((round(delay, 2), kill_all(process)))
        else:
            process.communicate()
    assert killed, "not one was still running"
    finish(start(suite, runs))
    assert essence(runs) == essence(reference), f"killed after {killed}"
    assert len(essence(runs)) == 4

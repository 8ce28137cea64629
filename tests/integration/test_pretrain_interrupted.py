"""Pretraining as real processes: killed, asked to stop, started twice, on a full disk, and in two processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import yaml

from ssl_motion.data.sample import FlowSample
from ssl_motion.data.shards import shard_name, write_dataset_index, write_shard
from ssl_motion.engine.pretrain import pretrain
from ssl_motion.errors import RunError
from ssl_motion.spec import PretrainSpec, RuntimeSpec
from ssl_motion.spec_text import load_yaml, parse_spec
from ssl_motion.store import Store

PLUGIN = Path(__file__).resolve().parents[1] / "tiny_plugin"
SMALL_DISK_MIB = 3


def scene(number: int) -> FlowSample:
    """Two moving ellipses of 48x48 pixels."""
    rng = np.random.default_rng([5, number])
    image, flow = np.full((48, 48, 3), 60, np.uint8), np.zeros((48, 48, 2), np.float32)
    for _ in range(2):
        mask = np.zeros((48, 48), np.uint8)
        x, y = (int(value) for value in rng.integers(10, 38, 2))
        cv2.ellipse(mask, (x, y), (11, 7), float(rng.uniform(0, 180)), 0, 360, 1, -1)
        flow[mask > 0], image[mask > 0] = rng.uniform(-4, 4, 2), rng.integers(0, 255, 3)
    return FlowSample(image, flow, np.ones((48, 48), bool), f"clip{number}", 0, 1)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    write_shard(folder / shard_name("train", 0), (scene(i) for i in range(20)))
    write_shard(folder / shard_name("val", 0), (scene(900 + i) for i in range(4)))
    facts: dict[str, Any] = {"flow_estimator": "exact", "flow_version": "1", "flow_supervision": "none", "extra": {}}
    write_dataset_index(folder, name="scenes", **facts)
    return folder


def write_spec(path: Path, pairs: Path, **changes: Any) -> Path:
    content = {
        "method": "tiny",
        "backbone": {"arch": "alexnet_mini", "width": 6},
        "data": {"shards": [str(pairs)], "crop": 40, "flip": True},
        "optimizer": {"type": "adamw", "lr": 0.003},
        "schedule": {"type": "onecycle"},
        "iterations": 150,
        "batch_size": 4,
        "checkpoint_every": 7,
    }
    path.write_text(yaml.safe_dump({**content, **changes}))
    return path


CMP = {
    "method": "cmp",
    "method_config": {
        "bins": 21,
        "boundary": 10.5,
        "decoder_width": 8,
        "guidance": {"kernel_size": 11, "grid_stride": 20},
    },
    "iterations": 60,
}

EARLY = {
    "schedule": {"type": "constant"},
    "optimizer": {"type": "adamw", "lr": 0.01},
    "iterations": 400,
    "validate_every": 10,
    "early_stopping": 2,
}


def start(spec: Path, runs: Path, *options: str, launcher: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(PLUGIN), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *(launcher or ("-m", "ssl_motion")), "pretrain", str(spec), "--runs", str(runs)]
    return subprocess.Popen(
        [*command, "--device", "cpu", "--threads", "1", "--json", *options],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def pretrain_here(spec: Path, runs: Path) -> None:
    """Run a spec in this process, which spares the start of another."""
    pretrain(parse_spec(PretrainSpec, load_yaml(spec), str(spec)), RuntimeSpec(device="cpu", threads=1), Store(runs))


@pytest.fixture(autouse=True)
def _plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PLUGIN))


def finish(process: subprocess.Popen[str], code: int = 0) -> tuple[str, str]:
    out, err = process.communicate(timeout=240)
    assert process.returncode == code, f"{process.returncode}\n{out}\n{err}"
    return out, err


def wait_for_checkpoint(process: subprocess.Popen[str], runs: Path, at_least: int) -> None:
    """Wait until a checkpoint of at least so many iterations is there."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        names = [path.stem for path in runs.glob("pretrain/*/checkpoints/iter_*.pth")]
        if any(int(name.split("_")[1]) >= at_least for name in names):
            return
        time.sleep(0.005)
    raise AssertionError(f"no checkpoint came; the process says {process.poll()}")


def result(runs: Path) -> tuple[dict[str, torch.Tensor], bytes, list[Any]]:
    """Return (all weights, bytes of the exported backbone, logged losses)."""
    (folder,) = (path for path in (runs / "pretrain").iterdir() if ".old-" not in path.name)
    state = torch.load(folder / "checkpoints" / "last.pth", weights_only=True)["state_dict"]
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    losses = [(line["iteration"], line.get("train/loss"), line.get("val/loss")) for line in lines]
    return state, (folder / "backbone.safetensors").read_bytes(), losses


def assert_same(a: Path, b: Path) -> None:
    (state_a, file_a, losses_a), (state_b, file_b, losses_b) = result(a), result(b)
    assert state_a.keys() == state_b.keys()
    assert all(torch.equal(state_a[key], state_b[key]) for key in state_a)
    assert file_a == file_b
    assert losses_a == losses_b


@pytest.mark.parametrize(
    ("workers", "moments", "changes"),
    [
        pytest.param(2, (28,), {"validate_every": 40, "iterations": 100}, id="workers"),
        pytest.param(0, (28,), CMP, id="cmp"),
        pytest.param(1, (14, 28), EARLY, id="early stopping", marks=pytest.mark.slow),
        pytest.param(0, (7, 28), {}, id="twice", marks=pytest.mark.slow),
        pytest.param(2, (7, 28), CMP, id="cmp twice", marks=pytest.mark.slow),
    ],
)
def test_killed_and_started_again_it_ends_with_the_same_weights(
    tmp_path: Path, pairs: Path, workers: int, moments: tuple[int, ...], changes: dict[str, Any]
) -> None:
    """SIGKILL comes at no particular moment; BN, dropout (tiny), random crops, flips and guidance are all active."""
    spec = write_spec(tmp_path / "spec.yaml", pairs, **changes)
    pretrain_here(spec, tmp_path / "whole")
    runs = tmp_path / "killed"
    for moment in moments:
        process = start(spec, runs, "--workers", str(workers))
        wait_for_checkpoint(process, runs, moment)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    assert not list(runs.glob("pretrain/*/done.json"))
    out, _ = finish(start(spec, runs, "--workers", str(workers)))
    assert json.loads(out)["cached"] is False
    assert_same(tmp_path / "whole", runs)


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_asked_to_stop_it_checkpoints_and_says_so(tmp_path: Path, pairs: Path, number: signal.Signals) -> None:
    spec = write_spec(tmp_path / "spec.yaml", pairs, checkpoint_every=100_000, iterations=100_000)
    process = start(spec, tmp_path / "runs", "--workers", "1")
    log = tmp_path / "runs" / "pretrain"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not any(path.stat().st_size for path in log.glob("*/log.jsonl")):
        time.sleep(0.01)
    process.send_signal(number)
    out, err = finish(process, 1)
    assert out == ""
    assert f"stopped by {number.name} after iteration " in err
    assert "Start the same command again to continue" in err
    assert "Traceback" not in err
    (checkpoint,) = log.glob("*/checkpoints/iter_*.pth")
    stopped_at = torch.load(checkpoint, weights_only=True)["meta"]["iter"]
    assert f"iteration {stopped_at} of 100000" in err
    assert not list(log.glob("*/owner.json"))


def test_two_processes_on_one_folder(tmp_path: Path, pairs: Path) -> None:
    spec = write_spec(tmp_path / "spec.yaml", pairs, iterations=100_000)
    first = start(spec, tmp_path / "runs")
    try:
        wait_for_checkpoint(first, tmp_path / "runs", 7)
        first.send_signal(signal.SIGSTOP)  # it holds the folder all the same, and leaves the core to the second
        with pytest.raises(RunError, match=f"in use by process {first.pid} on {os.uname().nodename}"):
            pretrain_here(spec, tmp_path / "runs")
        assert first.poll() is None
    finally:
        first.kill()
        first.communicate()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A mounted file system of a few MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = f"size={SMALL_DISK_MIB}m"
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]).returncode:
        pytest.skip("needs to mount a small tmpfs, which takes root")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path: Path, pairs: Path, small_disk: Path) -> None:
    changes: dict[str, Any] = {"backbone": {"arch": "alexnet_mini", "width": 6}, "iterations": 5000}
    spec = write_spec(tmp_path / "spec.yaml", pairs, **changes)
    process = start(spec, small_disk)
    wait_for_checkpoint(process, small_disk, 14)
    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    _, err = finish(process, 1)
    assert "No space left on device" in err
    assert "Traceback" not in err
    checkpoints = sorted(small_disk.glob("pretrain/*/checkpoints/*"))
    assert checkpoints
    assert all(path.suffix == ".pth" for path in checkpoints)  # no half-written leftovers
    last = torch.load(checkpoints[-1], weights_only=True)["meta"]["iter"]
    ballast.unlink()
    # The same command goes on from there; one step is proof enough.
    process = start(spec, small_disk)
    wait_for_checkpoint(process, small_disk, last + 7)
    process.kill()
    process.communicate()


@pytest.mark.slow
def test_two_gloo_processes_are_one_with_twice_the_batch(tmp_path: Path, pairs: Path) -> None:
    """Without BN and dropout; then killed and resumed, with both active."""
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", "ssl_motion")
    plain = {
        "method_config": {"stored_statistics": True, "dropout": 0.0},
        "optimizer": {"type": "sgd", "lr": 0.05},
        "iterations": 12,
        "validate_every": 5,
    }
    one = write_spec(tmp_path / "one.yaml", pairs, batch_size=8, **plain)
    two = write_spec(tmp_path / "two.yaml", pairs, batch_size=4, processes=2, **plain)
    finish(start(one, tmp_path / "one"))
    out, _ = finish(start(two, tmp_path / "two", launcher=torchrun))
    assert json.loads(out)["processes"] == 2
    (alone, _, losses_alone), (both, _, losses_both) = result(tmp_path / "one"), result(tmp_path / "two")
    assert all(torch.allclose(alone[key], both[key], atol=1e-6) for key in alone)
    validations = [[loss for *_, loss in losses if loss is not None] for losses in (losses_alone, losses_both)]
    # The batches, and so the exchanged images, differ; the loss over the split does not.
    assert validations[0] == pytest.approx(validations[1], rel=1e-5)

    _, err = finish(start(two, tmp_path / "refused"), 2)
    assert "torchrun --standalone --nproc_per_node 2" in err

    mixed = write_spec(tmp_path / "mixed.yaml", pairs, processes=2, **EARLY)
    finish(start(mixed, tmp_path / "whole", launcher=torchrun))
    runs = tmp_path / "killed"
    process = start(mixed, runs, launcher=torchrun)
    wait_for_checkpoint(process, runs, 14)
    # torchrun's own SIGKILL leaves its workers; SIGTERM stops them, and they checkpoint.
    process.terminate()
    process.communicate(timeout=120)
    assert not list(runs.glob("pretrain/*/done.json"))
    finish(start(mixed, runs, launcher=torchrun))
    assert_same(tmp_path / "whole", runs)

"""Pretraining end to end, in this process, with a small third-party method on shards."""

import importlib
import os
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from ssl_motion.data.shards import shard_name
from ssl_motion.engine.environment import launched_processes
from ssl_motion.engine.plan import make_plan
from ssl_motion.engine.pretrain import pretrain
from ssl_motion.engine.validation import Validation
from ssl_motion.errors import DataError, RunError, StoppedBySignal, UsageError
from ssl_motion.record import Provenance
from ssl_motion.spec import RuntimeSpec
from ssl_motion.store import RunFolder, Store
from ssl_motion.weights import read_weights

PLUGIN = Path(__file__).resolve().parents[1] / "tiny_plugin"
CPU = RuntimeSpec(device="cpu", threads=1)

RunTiny = Callable[..., RunFolder]
_tiny_runs = runpy.run_path(str(PLUGIN.parent / "tiny_runs.py"))
write_pairs, tiny_spec, weights, log, same_weights = (
    _tiny_runs[name] for name in ("write_pairs", "tiny_spec", "weights", "log", "same_weights")
)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pairs(tmp_path_factory.mktemp("pairs with späces"))


@pytest.fixture(autouse=True)
def _plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PLUGIN))
    importlib.invalidate_caches()


@pytest.fixture
def run(pairs: Path, tmp_path: Path) -> RunTiny:
    """Pretrain the small method; keyword arguments change the spec."""

    def run(force: bool = False, runtime: RuntimeSpec = CPU, runs: str = "runs", **changes: Any) -> RunFolder:
        return pretrain(tiny_spec(pairs, **changes), runtime, Store(tmp_path / runs), force=force)

    return run


def test_a_run_leaves_what_it_promises_and_is_reused(run: RunTiny, capfd: pytest.CaptureFixture[str]) -> None:
    folder = run(validate_every=4)
    names = {path.name for path in folder.path.iterdir()}
    assert {"spec.yaml", "log.jsonl", "previews", "checkpoints", "backbone.safetensors", "weights.json"} <= names
    assert [path.name for path in (folder.path / "checkpoints").iterdir()] == ["last.pth"]
    card, tensors = read_weights(folder.path)
    assert card.run == folder.identity
    assert Provenance.model_validate(folder.summary["provenance"]).device == "cpu"
    assert card.pretraining is not None
    assert (card.pretraining.data, card.pretraining.pairs, card.pretraining.images_seen) == ("shapes", 24, 32)
    assert card.pretraining.data_fingerprint == folder.summary["data"]["fingerprint"]
    state = weights(folder)
    assert all(
        torch.equal(state[f"method.backbone.{key}"], value) for key, value in tensors.items() if "num" not in key
    )

    lines = log(folder)
    assert [line["iteration"] for line in lines if "train/loss" in line] == list(range(1, 9))
    validations = {line["iteration"]: line for line in lines if "val/loss" in line}
    assert sorted(validations) == [4, 8]
    summary = folder.summary
    assert summary["figures"] == {key: value for key, value in validations[8].items() if key != "iteration"}
    assert set(summary["figures"]) == {"val/loss", "val/loss_blind", "val/gap", "val/epe"}
    assert summary["images_seen"] == 32
    assert summary["peak_memory_mib"] > 50
    preview = cv2.imread(str(folder.path / "previews" / "iter_00000008.png"))
    assert preview.shape == (7 * 36, 32, 3) or preview.shape == (4 * 36, 32, 3)

    before = (folder.path / "done.json").stat().st_mtime_ns
    assert run(validate_every=4).path == folder.path
    assert (folder.path / "done.json").stat().st_mtime_ns == before
    assert capfd.readouterr().out == ""  # standard output belongs to results

    again = run(validate_every=4, force=True)
    aside = list(again.path.parent.glob("*.old-*"))
    assert len(aside) == 1
    assert (aside[0] / "done.json").is_file()
    state_again = weights(again)
    assert all(torch.equal(state[key], state_again[key]) for key in state)


def test_seed_and_data_are_identity_paths_and_workers_are_not(run: RunTiny, pairs: Path, tmp_path: Path) -> None:
    first = run()
    other_seed = run(seed=1)
    assert other_seed.identity != first.identity
    assert not same_weights(first, other_seed)
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for file in pairs.iterdir():
        (moved / file.name).write_bytes(file.read_bytes())
    assert run(data={"shards": [str(moved)]}).path == first.path
    workers = run(runtime=RuntimeSpec(device="cpu", threads=1, workers=2), runs="others")
    assert workers.identity == first.identity
    assert same_weights(first, workers)
    fewer = run(data={"shards": [str(pairs)], "max_pairs": 5})
    assert fewer.identity != first.identity


def test_accumulated_passes_are_one_large_batch(run: RunTiny) -> None:
    """Without BN and dropout, 2 passes of 4 images are one of 8; the counts of steps agree too."""
    plain = {"method_config": {"stored_statistics": True, "dropout": 0.0}, "optimizer": {"type": "sgd", "lr": 0.05}}
    whole = run(batch_size=8, **plain)
    parts = run(batch_size=4, accumulate=2, **plain)
    assert same_weights(whole, parts, 1e-6)
    losses = [[line["train/loss"] for line in log(folder) if "train/loss" in line] for folder in (whole, parts)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert len(losses[0]) == 8


def test_validation_and_trackers_do_not_move_the_result(run: RunTiny) -> None:
    quiet = run()
    # Neither is part of the identity, so the second run needs a place of its own.
    tracked = RuntimeSpec(device="cpu", threads=1, trackers=["tensorboard"])
    watched = run(validate_every=2, checkpoint_every=5, runtime=tracked, runs="watched")
    assert watched.identity == quiet.identity
    assert same_weights(quiet, watched)
    assert list((watched.path / "tensorboard").iterdir())


def test_the_image_blind_loss_tells_who_looks(run: RunTiny, capfd: pytest.CaptureFixture[str]) -> None:
    seeing = run(iterations=60, batch_size=8, method_config={"dropout": 0.0})
    assert seeing.summary["uses_image"] is True
    assert "USES NO IMAGE" not in capfd.readouterr().err
    blind = run(method_config={"blind": True}, validate_every=4)
    assert blind.summary["uses_image"] is False
    figures = blind.summary["figures"]
    assert figures["val/gap"] == pytest.approx(0.0, abs=1e-6)
    error = capfd.readouterr().err
    assert "THIS RUN USES NO IMAGE (after 4 of 8 iterations)." in error
    assert "THIS RUN USES NO IMAGE (at the end)." in error


def test_low_precision(run: RunTiny) -> None:
    half = run(precision="bf16")
    assert not same_weights(half, run())
    assert all(np.isfinite(value) for value in half.summary["figures"].values())
    with pytest.raises(UsageError, match="fp16 needs a CUDA device"):
        run(precision="fp16")
    with pytest.raises(UsageError, match="sync_bn needs CUDA"):
        run(sync_bn=True)


def test_channels_last_and_optimisers(run: RunTiny) -> None:
    still = {"method_config": {"dropout": 0.0}, "optimizer": {"type": "sgd", "lr": 0.01}}  # masks follow the layout
    fast = run(runtime=RuntimeSpec(device="cpu", threads=1, channels_last=True), runs="fast", **still)
    assert same_weights(fast, run(**still), 1e-4)
    run(optimizer={"type": "sgd", "lr": 0.01}, schedule={"type": "step"})
    run(optimizer={"type": "adam", "lr": 0.01}, schedule={"type": "constant"})


@pytest.mark.parametrize("every", [1, 50])
def test_a_diverging_run_stops_and_names_the_iteration(every: int, run: RunTiny, tmp_path: Path) -> None:
    spec = {"optimizer": {"type": "sgd", "lr": 1e25}, "schedule": {"type": "constant"}, "checkpoint_every": every}
    with pytest.raises(RunError, match=r"the loss became (nan|inf) at iteration \d") as caught:
        run(iterations=50, **spec)
    assert "optimizer.lr" in str(caught.value)
    folder = next((tmp_path / "runs" / "pretrain").iterdir())
    assert not (folder / "done.json").exists()
    assert not (folder / "owner.json").exists()
    # What is said of checkpoints is what there is.
    written = sorted(path.name for path in (folder / "checkpoints").glob("*.pth"))
    assert bool(written) == (every == 1)
    named = f"Checkpoint {written[-1]} is from before. " if written else "There is no checkpoint of before. "
    assert named in str(caught.value)


def test_data_without_validation_pairs(run: RunTiny, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = run(data={"shards": [str(write_pairs(tmp_path / "only train", val=0))]})
    assert folder.summary["figures"] == {}
    assert folder.summary["uses_image"] is None
    assert "no validation pairs" in capfd.readouterr().err


def test_a_finished_run_is_reused_where_it_could_not_run(run: RunTiny, pairs: Path, tmp_path: Path) -> None:
    """A run of two processes, copied here from a larger machine."""
    folder = make_plan(tiny_spec(pairs, processes=2), Store(tmp_path / "runs")).folder
    folder.path.mkdir(parents=True)
    folder.finish({})
    assert run(processes=2) == folder


def test_figures_that_are_not_finite_do_not_lose_the_run(run: RunTiny, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = {"val/loss": 1.5, "val/epe": float("nan")}
    monkeypatch.setattr("ssl_motion.engine.validation.summarise", lambda rows: Validation(figures, None))
    assert run(iterations=2).summary["figures"] == {"val/loss": 1.5, "val/epe": None}


def test_wrong_requests_are_answered(run: RunTiny, pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"unknown method 'tinny'\. Did you mean 'tiny'"):
        run(method="tinny")
    with pytest.raises(UsageError, match=r"method_config of tiny: .*\n.*dropuot: unknown key. Did you mean 'dropout'"):
        run(method_config={"dropuot": 0.5})
    with pytest.raises(UsageError, match="alexnet_mini"):
        run(backbone={"arch": "alexnet_mimi"})
    with pytest.raises(UsageError, match="no folder"):
        run(data={"shards": [str(tmp_path / "missing")]})
    with pytest.raises(UsageError, match="torchrun --standalone --nproc_per_node 2 -m ssl_motion pretrain"):
        run(processes=2)
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="CUDA"):
            run(runtime=RuntimeSpec(device="cuda"))
    assert not (tmp_path / "runs").exists()  # nothing was begun


def test_a_truncated_shard_is_named(run: RunTiny, tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "damaged")
    shard = folder / shard_name("train", 0)
    shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 2])
    with pytest.raises(DataError, match=r"train-000000\.tar"):
        run(data={"shards": [str(folder)]})


def test_damaged_pixels_are_named(run: RunTiny, tmp_path: Path) -> None:
    """The shard has its length, but not its content."""
    folder = write_pairs(tmp_path / "altered")
    shard = folder / shard_name("train", 0)
    content = bytearray(shard.read_bytes())
    content[len(content) // 4 : len(content) // 2] = bytes(len(content) // 2 - len(content) // 4)
    shard.write_bytes(content)
    with pytest.raises(DataError, match=r"training pair \d+: .*train-000000"):
        run(data={"shards": [str(folder)]}, iterations=12)


def test_a_resumed_run_is_the_uninterrupted_one(run: RunTiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped as by a signal in the middle of an epoch, and between checkpoints."""
    whole = run()
    from ssl_motion.engine.environment import StopRequest

    calls = iter(range(100))

    def at_the_fifth(self: StopRequest, device: str) -> bool:
        self.signal_name = "SIGTERM"
        return next(calls) == 4

    monkeypatch.setattr(StopRequest, "seen_by_any", at_the_fifth)
    with pytest.raises(StoppedBySignal, match="stopped by SIGTERM after iteration 5 of 8"):
        run(runs="others")
    parts = run(runs="others")
    assert same_weights(whole, parts)
    assert [line["iteration"] for line in log(parts) if "train/loss" in line] == list(range(1, 9))
    whole_losses, part_losses = (
        [line["train/loss"] for line in log(f) if "train/loss" in line] for f in (whole, parts)
    )
    assert whole_losses == part_losses
    assert whole.summary["figures"] == parts.summary["figures"]


def test_a_run_lost_in_its_last_moments_repeats_them_only(run: RunTiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trained, validated, and then no weights could be written."""
    whole = run()

    def full_disk(*args: Any, **kwargs: Any) -> None:
        raise RunError("cannot write: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("ssl_motion.engine.finish.save_weights", full_disk)
        with pytest.raises(RunError, match="No space left"):
            run(runs="others")
    again = run(runs="others")
    assert same_weights(whole, again)
    keys = [
        [(line["iteration"], line.get("train/loss"), line.get("val/loss")) for line in log(f)] for f in (whole, again)
    ]
    assert keys[0] == keys[1]
    assert again.summary["wall_seconds"] > 0


def test_not_even_force_takes_a_folder_from_another_process(run: RunTiny) -> None:
    folder = run()
    with folder.locked({}), pytest.raises(RunError, match=f"in use by process {os.getpid()} on "):
        run(force=True)
    assert folder.is_finished
    assert not list(folder.path.parent.glob("*.old-*"))


def test_runs_of_one_process_leave_no_traces_in_mmengine(run: RunTiny) -> None:
    from mmengine.logging import MessageHub
    from mmengine.registry import DefaultScope

    before = dict(DefaultScope._instance_dict), dict(MessageHub._instance_dict)
    run()
    run(seed=3)
    assert (dict(DefaultScope._instance_dict), dict(MessageHub._instance_dict)) == before
    assert launched_processes().is_main

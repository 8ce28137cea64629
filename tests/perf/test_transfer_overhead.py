"""What the harness adds to a transfer epoch: seeded draws, exact resuming, log, beside MMEngine's Runner alone."""

import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ssl_motion.engine.runner import build_runner
from ssl_motion.engine.settings import common_settings
from ssl_motion.openmmlab import recipes
from ssl_motion.openmmlab.libraries import use_mmseg
from ssl_motion.puppets import ensure_dataset
from ssl_motion.spec import PuppetsSpec
from ssl_motion_benchmarks.voc_fcn import VocFCN
from ssl_motion_benchmarks.voc_fcn.devkit import voc_root

pytestmark = pytest.mark.perf
IMAGES, WARM, EPOCHS = 400, 3, 5
EPOCH = IMAGES // 16
LENGTH = WARM + EPOCH * EPOCHS + 1  # the last iteration is not counted: it writes the closing checkpoint


class Turns:
    """Lets two trainings take turns, an iteration each, so that every spell of the machine falls on both alike."""

    def __init__(self, *sides: str) -> None:
        self.waiting = {side: threading.Semaphore(side == sides[0]) for side in sides}
        self.seconds: dict[str, list[float]] = {side: [] for side in sides}
        self.began = 0.0

    def begin(self, side: str) -> None:
        """Wait for the turn."""
        self.waiting[side].acquire()
        self.began = time.process_time()

    def end(self, side: str, turns: int = 1) -> None:
        """Note the turn's processor time, which counts no other program, and give the other side its turns."""
        self.seconds[side].append(time.process_time() - self.began)
        for other in self.waiting.keys() - {side}:
            self.waiting[other].release(turns)


class TurnHook(Hook):  # type: ignore[misc]  # mmengine ships no types
    """A turn lasts from the end of one iteration to the end of the next: data, step, log and every other hook."""

    priority = "LOWEST"

    def __init__(self, turns: Turns, side: str) -> None:
        self.turns, self.side = turns, side

    def after_train_iter(self, runner: Any, *rest: Any, **named: Any) -> None:
        self.turns.end(self.side)
        self.turns.begin(self.side)


def recipe(root: Path) -> recipes.Recipe:
    task = VocFCN(VocFCN.Config.model_validate({"preset": "puppets_fcn", "iterations": LENGTH}))
    made = task.recipe()
    recipes.set_data_root(made, voc_root(root))
    return made


def through_the_harness(root: Path, folder: Path) -> Runner:
    made = recipe(root)
    length = made["train_cfg"]["max_iters"]
    options: dict[str, Any] = {"iterations": length, "checkpoint_every": made["checkpoint_every"], "label": "harness"}
    settings = common_settings(folder, **options, seed=0, device="cpu")
    made["test_evaluator"]["path"] = str(folder / "per_image.npz")
    return build_runner(Config({**made, **settings}))


def by_mmengine_alone(root: Path, folder: Path) -> Runner:
    """The same network, images, transforms, batches and optimiser, with MMEngine's own loop, sampler and hooks."""
    made = recipe(root)
    loader = made["train_dataloader"]
    loader["sampler"] = {"type": "InfiniteSampler", "shuffle": True}
    loader["dataset"] = loader["dataset"]["dataset"]
    made["train_cfg"] = {
        "type": "IterBasedTrainLoop",
        "max_iters": made["train_cfg"]["max_iters"],
        "val_interval": 10**9,
    }
    for key in ("test_dataloader", "test_evaluator", "test_cfg"):
        del made[key]
    return Runner.from_cfg(
        Config(
            {
                **made,
                "work_dir": str(folder),
                "log_processor": {"by_epoch": False},
                "default_hooks": {"checkpoint": {"type": "CheckpointHook", "by_epoch": False, "interval": 150}},
                "experiment_name": f"alone-{folder.name}",
                "log_level": "WARNING",
            }
        )
    )


def train(build: Callable[[Path, Path], Runner], root: Path, folder: Path, turns: Turns, side: str) -> None:
    turns.begin(side)
    try:
        torch.set_num_threads(1)
        folder.mkdir()
        runner = build(root, folder)
        runner.register_hook(TurnHook(turns, side))
        runner.train()
    finally:
        turns.end(side, LENGTH)  # all that it may want, so that it can end when this one has failed


def test_an_epoch_takes_no_longer_than_mmengines_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    use_mmseg()
    root = ensure_dataset(PuppetsSpec(train_images=IMAGES, val_images=1, test_images=1), tmp_path, ["voc"])
    sides = {"harness": through_the_harness, "alone": by_mmengine_alone}
    turns = Turns(*sides)
    with ThreadPoolExecutor(len(sides)) as pool:
        for run in [pool.submit(train, build, root, tmp_path / side, turns, side) for side, build in sides.items()]:
            run.result()
    epochs = {
        side: [sum(seconds[start : start + EPOCH]) for start in range(WARM, LENGTH - 1, EPOCH)]
        for side, seconds in turns.seconds.items()
    }
    ratios = [ours / alone for ours, alone in zip(epochs["harness"], epochs["alone"], strict=True)]
    ratio = statistics.median(ratios)
    with capsys.disabled():
        print(f"\nprocessor time of an epoch of {EPOCH} iterations:")
        for side, times in epochs.items():
            print(f"{side}: {[f'{each:.2f} s' for each in times]}")
        print(f"ratio: median {ratio:.3f}, {min(ratios):.3f} to {max(ratios):.3f}")
    assert ratio <= 1.03

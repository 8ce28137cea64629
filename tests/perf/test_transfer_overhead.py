"""What the harness adds to a transfer epoch: seeded draws, exact resuming, log, beside MMEngine's Runner alone."""

import statistics
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
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
IMAGES, WARM, ROUNDS = 400, 3, 6
EPOCH = IMAGES // 16


@HOOKS.register_module(force=True)
class EpochClock(Hook):  # type: ignore[misc]  # mmengine ships no types
    """Times one epoch, after a few iterations that warm up; loading of data included."""

    seconds: list[float] = []

    def after_train_iter(self, runner: Any, *rest: Any, **named: Any) -> None:
        if runner.iter + 1 == WARM:
            self.began = time.perf_counter()
        elif runner.iter + 1 == WARM + EPOCH:
            self.seconds.append(time.perf_counter() - self.began)


def recipe(root: Path) -> recipes.Recipe:
    task = VocFCN(VocFCN.Config.model_validate({"preset": "puppets_fcn", "iterations": WARM + EPOCH}))
    made = task.recipe()
    recipes.set_data_root(made, voc_root(root))
    return made


def through_the_harness(root: Path, folder: Path) -> float:
    made = recipe(root)
    length = made["train_cfg"]["max_iters"]
    options: dict[str, Any] = {"iterations": length, "checkpoint_every": made["checkpoint_every"], "label": "harness"}
    settings = common_settings(folder, **options, seed=0, device="cpu")
    settings["custom_hooks"] = [{"type": "EpochClock"}]
    made["test_evaluator"]["path"] = str(folder / "per_image.npz")
    runner = build_runner(Config({**made, **settings}))
    runner.train()
    runner.close()
    return EpochClock.seconds.pop()


def by_mmengine_alone(root: Path, folder: Path) -> float:
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
    runner = Runner.from_cfg(
        Config(
            {
                **made,
                "work_dir": str(folder),
                "custom_hooks": [{"type": "EpochClock"}],
                "log_processor": {"by_epoch": False},
                "default_hooks": {"checkpoint": {"type": "CheckpointHook", "by_epoch": False, "interval": 150}},
                "experiment_name": f"alone-{folder.name}",
                "log_level": "WARNING",
            }
        )
    )
    runner.train()
    return EpochClock.seconds.pop()


def test_an_epoch_takes_no_longer_than_mmengines_own(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    use_mmseg()
    root = ensure_dataset(PuppetsSpec(train_images=IMAGES, val_images=1, test_images=1), tmp_path, ["voc"])
    ratios, times = [], []
    for number in range(ROUNDS):
        # Turn and turn about, so that a slower spell of the machine falls on both.
        order = [through_the_harness, by_mmengine_alone]
        found = {}
        for run in order if number % 2 else order[::-1]:
            folder = tmp_path / f"{run.__name__}-{number}"
            folder.mkdir()
            found[run] = run(root, folder)
        times.append((found[through_the_harness], found[by_mmengine_alone]))
        ratios.append(found[through_the_harness] / found[by_mmengine_alone])
    best = min(ours for ours, _ in times) / min(alone for _, alone in times)
    print(f"\nepoch of {EPOCH} iterations, harness / MMEngine alone in s: {[f'{a:.2f}/{b:.2f}' for a, b in times]}")
    print(f"ratio: of the fastest {best:.3f}, median {statistics.median(ratios):.3f}")
    assert min(best, statistics.median(ratios)) <= 1.03

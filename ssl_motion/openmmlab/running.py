"""Running a resolved recipe in a run folder: train to the end, then test."""

import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mmengine.config import Config

from ssl_motion.engine.environment import launched_processes, resolve_device
from ssl_motion.engine.runner import build_runner
from ssl_motion.engine.settings import common_settings
from ssl_motion.errors import SSLMotionError, UsageError
from ssl_motion.openmmlab.drawing import NamedFaults
from ssl_motion.openmmlab.recipes import Recipe, save_recipe
from ssl_motion.protocols import RunContext

RECIPE = "recipe.py"


def train_and_test(recipe: Recipe, context: RunContext, label: str) -> tuple[dict[str, float], float]:
    """Run a recipe; continues from the run folder's last checkpoint where there is one.

    Args:
        recipe: with data folder, trunk, weights and overrides filled in.
        context: of the run.
        label: name of the run in the progress display.

    Returns:
        The figures of the recipe's test evaluator, and the seconds that training and testing took.

    Raises:
        StoppedBySignal: The run was asked to stop; a checkpoint is written.
        RunError: Training diverged, or a file could not be written.
    """
    settings = common_settings(
        context.run_dir,
        iterations=recipe["train_cfg"]["max_iters"],
        checkpoint_every=recipe["checkpoint_every"],
        label=label,
        seed=context.seed,
        device=context.device,
        trackers=context.trackers,
    )
    for loader in ("train_dataloader", "test_dataloader"):
        recipe[loader]["num_workers"] = context.workers
        recipe[loader]["persistent_workers"] = context.workers > 0
    config = {**recipe, **settings}
    if resolve_device(context.device) == "cpu":
        # torch has no synchronised batch norm for CPU processes.
        config.pop("sync_bn", None)
    if launched_processes().is_main:
        save_recipe(context.run_dir / RECIPE, config, f"{label}: resolved recipe of this run")
    with warnings.catch_warnings():
        # Remarks of these libraries on their own defaults and deprecations: nothing that a user could act on.
        warnings.filterwarnings("ignore", module=r"mm(seg|det|engine|cv)\.")
        with faults_of(context.recipe_overrides, f"{RECIPE} in the run folder"):
            runner = build_runner(Config(config))
            try:
                runner.train()
                tested = runner.test_loop.dataloader.dataset
                tested.pipeline = NamedFaults(tested.pipeline)
                began = time.monotonic()
                figures = {name: float(value) for name, value in runner.test().items()}
                return figures, runner.wall_seconds + time.monotonic() - began
            finally:
                runner.close()


@contextmanager
def faults_of(overrides: Mapping[str, Any], shown_in: str = "the preset's file in configs/transfer") -> Iterator[None]:
    """Turn what the libraries raise over a recipe that the user changed into a message on that change.

    Only the libraries know which keys and values are right, and they say so by any exception. An unchanged recipe is
    ours: there it stays a bug.

    Args:
        overrides: the changes.
        shown_in: where the recipe can be read.

    Raises:
        UsageError: Something failed, and there are overrides.
    """
    try:
        yield
    except (SSLMotionError, OSError, MemoryError):
        raise
    except Exception as error:
        if not overrides:
            raise
        changes = " ".join(f"{key}={value}" for key, value in overrides.items())
        raise UsageError(
            f"the recipe does not run as changed by --cfg-options {changes}: {type(error).__name__}: {error}\n"
            f"Every key of it is in {shown_in}."
        ) from error

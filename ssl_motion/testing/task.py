"""`check_task`: all that the harness relies on in a transfer task."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import BaseModel

from ssl_motion.engine.checkpoint import random_state, restore_random_state
from ssl_motion.protocols import TransferTask
from ssl_motion.puppets import ensure_dataset
from ssl_motion.spec import PuppetsSpec
from ssl_motion.testing.promise import expect
from ssl_motion.testing.task_claims import check_changes, check_claims, check_preset
from ssl_motion.testing.task_data import check_data_found, check_nothing_found
from ssl_motion.testing.task_runs import check_runs

SMALL_WORLD = PuppetsSpec(size=48, train_images=8, val_images=4, test_images=4)
"""The built-in data that tasks are tried on unless told otherwise."""


def check_task(
    task_class: type[TransferTask],
    config: BaseModel | Mapping[str, Any] | None = None,
    *,
    data_root: Path | None = None,
    puppets: PuppetsSpec = SMALL_WORLD,
    run: bool = True,
) -> None:
    """Check that a transfer task keeps what `TransferTask` promises.

    Everything happens on the CPU and in temporary folders. The task is run three times, so the settings should be
    small ones.

    Args:
        task_class: the class that the entry point names.
        config: the settings to run it with, or a mapping to validate; None takes the defaults.
        data_root: the data that these settings need, where they do not run on the built-in world.
        puppets: the built-in data, where they do.
        run: False leaves out everything that needs data.

    Raises:
        ContractError: The first promise that is broken.
    """
    settings = check_claims(task_class, config)
    task = task_class(settings)
    before = random_state()
    try:
        with TemporaryDirectory(prefix="check-task-") as folder:
            for preset in task_class.presets:
                check_preset(task_class, preset)
                check_nothing_found(task_class, preset, Path(folder))
            if settings != task_class.Config():
                check_changes(task_class, settings, f"{task_class.__name__} as configured")
            if not run:
                return
            if task.uses_puppets:
                data_root = ensure_dataset(puppets, Path(folder) / "data", task.puppets_layouts)
            expect(data_root is not None, "these settings read data of their own: give check_task(data_root=...)")
            assert data_root is not None
            check_data_found(task, data_root, Path(folder))
            check_runs(task, data_root, Path(folder))
    finally:
        restore_random_state(before)

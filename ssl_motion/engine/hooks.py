"""Hooks that every MMEngine run of this project uses: where the run is, and checkpoints with signals."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from ssl_motion.engine.checkpoint import FORMAT, gathered_random_states, write_checkpoint
from ssl_motion.errors import StoppedBySignal

STOP_CHECK_EVERY = 10


@HOOKS.register_module(force=True)
class RunInfoHook(Hook):  # type: ignore[misc]  # mmengine ships no types
    """Tells MMEngine's message hub where the run is, for components that ask it.

    Stands in for MMEngine's RuntimeInfoHook, which formats the whole config and copies the history of every
    figure at every iteration.
    """

    priority = "VERY_HIGH"

    def before_train(self, runner: Any) -> None:
        """Note the length of the run."""
        for key, value in (
            ("loop_stage", "train"),
            ("epoch", runner.epoch),
            ("max_iters", runner.max_iters),
            ("max_epochs", 1),
        ):
            runner.message_hub.update_info(key, value)

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Note the iteration."""
        runner.message_hub.update_info("iter", runner.iter)

    def before_val(self, runner: Any) -> None:
        """Note the stage."""
        runner.message_hub.update_info("loop_stage", "val")

    def after_val(self, runner: Any) -> None:
        """Note the stage."""
        runner.message_hub.update_info("loop_stage", "train")

    def before_test(self, runner: Any) -> None:
        """Note the stage."""
        runner.message_hub.update_info("loop_stage", "test")


@HOOKS.register_module(force=True)
class SafeCheckpointHook(Hook):  # type: ignore[misc]  # mmengine ships no types
    """Writes checkpoints that load with `weights_only=True` and continue the run exactly.

    Also answers SIGTERM and Ctrl-C: a checkpoint, then `StoppedBySignal`.

    Args:
        folder: where the checkpoints go.
        every: iterations between checkpoints; there is always one at the end.
    """

    priority = "VERY_LOW"

    def __init__(self, folder: str, every: int) -> None:
        self.folder, self.every = Path(folder), every

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Mapping[str, Any] | None = None
    ) -> None:
        """Write where it is due, or where somebody asked the run to stop."""
        done = runner.iter + 1
        # Asking the other processes costs a message, so not at every iteration.
        may_stop = runner.world_size == 1 or done % STOP_CHECK_EVERY == 0
        stop = may_stop and runner.stop_request.seen_by_any(runner.device)
        if stop or done % self.every == 0 or done == runner.max_iters:
            self.save(runner, done)
        if stop:
            raise StoppedBySignal(
                f"stopped by {runner.stop_request.signal_name} after iteration {done} of {runner.max_iters}; "
                f"a checkpoint is written. Start the same command again to continue."
            )

    def save(self, runner: Any, done: int) -> None:
        """Write a checkpoint of `done` finished iterations. Every process must call this."""
        module = getattr(runner.model, "module", runner.model)
        content = {
            "meta": {
                "iter": done,
                "epoch": runner.epoch,
                "wall_seconds": runner.wall_seconds,
                "seed": runner.seed,
                "format": FORMAT,
            },
            "state_dict": module.state_dict(),
            "optimizer": runner.optim_wrapper.state_dict(),
            "random": gathered_random_states(),
            "message_hub": {"log_scalars": {}, "runtime_info": {}, "resumed_keys": {}},
        }
        if runner.param_schedulers:
            content["param_schedulers"] = [scheduler.state_dict() for scheduler in runner.param_schedulers]
        runner.call_hook("before_save_checkpoint", checkpoint=content)
        if runner.rank == 0:
            write_checkpoint(self.folder, content)

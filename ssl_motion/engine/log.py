"""The log of a run, log.jsonl, with the progress display and the trackers; bad losses are noticed here."""

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from ssl_motion.engine.checkpoint import list_checkpoints
from ssl_motion.errors import RunError
from ssl_motion.fileio import write_text
from ssl_motion.progress import Progress


@HOOKS.register_module(force=True)
class LogHook(Hook):  # type: ignore[misc]  # mmengine ships no types
    """Writes log.jsonl, shows progress, feeds the trackers, and stops a run whose loss is not finite.

    Each line of the log is an object with "iteration" (finished ones) and either "train/..." means since the line
    before, or "val/..." figures. Lines that a resumed run will write again are dropped when it starts.

    Args:
        path: the log file.
        label: name of the run in the progress display.
        every: iterations between lines.
    """

    priority = "BELOW_NORMAL"

    def __init__(self, path: str, label: str, every: int) -> None:
        self.path, self.label, self.every = Path(path), label, every
        self._progress: Progress | None = None
        self._outputs: list[tuple[int, Mapping[str, Any]]] = []
        self._steps, self._data_seconds = 0, 0.0
        self._mark = self._since = 0.0

    def before_train(self, runner: Any) -> None:
        """Cut the log back to the iteration that the run continues from, and start the display."""
        if runner.rank == 0:
            truncate_log(self.path, runner.iter, keep_figures=runner.iter < runner.max_iters)
            self._progress = Progress(self.label, runner.max_iters, done=runner.iter)
            self._progress.__enter__()
        self._mark = self._since = time.monotonic()

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Take the time that was spent waiting for data."""
        self._data_seconds += time.monotonic() - self._mark

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Mapping[str, Any] | None = None
    ) -> None:
        """Keep the losses (without waiting for the device); write a line where it is due."""
        done = runner.iter + 1
        detached = {
            key: value.detach() if isinstance(value, torch.Tensor) else value for key, value in (outputs or {}).items()
        }
        self._outputs.append((done, detached))
        self._steps += 1
        note = ""
        if done % self.every == 0 or done == runner.max_iters:
            note = self._write(runner, done)
        if self._progress is not None:
            self._progress.advance(note=note)
        self._mark = time.monotonic()

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Never save weights that a bad loss has spoilt; keep what the next line of the log is made of."""
        self._check_finite(runner)
        checkpoint["log"] = [
            [done, {key: float(value) for key, value in outputs.items()}] for done, outputs in self._outputs
        ]

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Take up the unfinished line of the log."""
        self._outputs = [(done, outputs) for done, outputs in checkpoint.get("log", [])]

    def after_val_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Show that validation is under way."""
        if self._progress is not None:
            self._progress.advance(0, note=f"validating, batch {batch_idx + 1}")

    def after_val_epoch(self, runner: Any, metrics: Mapping[str, Any] | None = None) -> None:
        """Write the validation figures of MMEngine's loop."""
        self._figures(runner, "val", metrics)

    def on_figures(self, runner: Any, done: int, figures: Mapping[str, float]) -> None:
        """Write figures that were measured after `done` iterations; the time it took is not training time."""
        self._append(runner, done, figures)
        self._mark = self._since = time.monotonic()

    def before_test_epoch(self, runner: Any) -> None:
        """Show the progress of a test."""
        if runner.rank == 0:
            self._progress = Progress(f"{self.label}, test", len(runner.test_dataloader), unit="batches")
            self._progress.__enter__()

    def after_test_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Count a batch."""
        if self._progress is not None:
            self._progress.advance()

    def after_test_epoch(self, runner: Any, metrics: Mapping[str, Any] | None = None) -> None:
        """Write the test's figures."""
        self._close()
        self._figures(runner, "test", metrics)

    def after_train(self, runner: Any) -> None:
        """End the display."""
        self._close()

    def on_failure(self, runner: Any) -> None:
        """Leave the terminal in order."""
        if self._progress is not None:
            self._progress.__exit__(RuntimeError, None, None)
            self._progress = None

    def _close(self) -> None:
        if self._progress is not None:
            self._progress.__exit__(None, None, None)
            self._progress = None

    def _check_finite(self, runner: Any) -> None:
        """Fail where a loss since the last check is not finite.

        Raises:
            RunError: Names the first such iteration, and the checkpoint before it.
        """
        losses = [(done, float(outputs["loss"])) for done, outputs in self._outputs if "loss" in outputs]
        for done, loss in losses:
            if not math.isfinite(loss):
                known = list_checkpoints(Path(runner.work_dir) / "checkpoints")
                kept = f"Checkpoint {known[-1].name} is from before." if known else "There is no checkpoint of before."
                raise RunError(
                    f"the loss became {loss} at iteration {done}. {kept} "
                    f"Lower the learning rate (optimizer.lr), or look at the data around that iteration."
                )

    def _write(self, runner: Any, done: int) -> str:
        """Write a line with the means since the last one; returns a note for the display."""
        self._check_finite(runner)
        now = time.monotonic()
        line: dict[str, float] = {}
        for key in self._outputs[-1][1]:
            values = [float(outputs[key]) for _, outputs in self._outputs if key in outputs]
            line[f"train/{key}"] = sum(values) / len(values)
        line["train/lr"] = float(next(iter(runner.optim_wrapper.get_lr().values()))[0])
        line["train/seconds_per_iteration"] = (now - self._since) / self._steps
        line["train/data_seconds_per_iteration"] = self._data_seconds / self._steps
        self._outputs.clear()
        self._steps, self._data_seconds, self._since = 0, 0.0, now
        self._append(runner, done, line)
        return f"loss {line['train/loss']:.4f}" if "train/loss" in line else ""

    def _figures(self, runner: Any, prefix: str, metrics: Mapping[str, Any] | None) -> None:
        done = runner.iter if runner._train_loop is not None and not isinstance(runner._train_loop, dict) else 0
        line = {}
        for key, value in (metrics or {}).items():
            if isinstance(value, (int, float)) or (isinstance(value, torch.Tensor) and value.numel() == 1):
                line[key if "/" in key else f"{prefix}/{key}"] = float(value)
        self._append(runner, done, line)
        # Validation is not training time.
        self._mark = self._since = time.monotonic()

    def _append(self, runner: Any, done: int, line: Mapping[str, float]) -> None:
        """Append a line and hand it to the trackers; figures that are not finite become null."""
        if runner.rank != 0:
            return
        safe = {key: value if math.isfinite(value) else None for key, value in line.items()}
        append_log(self.path, {"iteration": done, **safe})
        runner.visualizer.add_scalars({key: value for key, value in safe.items() if value is not None}, step=done)


def append_log(path: Path, line: Mapping[str, Any]) -> None:
    """Append one object to a JSON-lines log.

    Raises:
        RunError: It cannot be written.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, allow_nan=False) + "\n")
    except OSError as error:
        raise RunError(f"cannot write the log {path}: {error.strerror or error}") from error


def truncate_log(path: Path, iteration: int, *, keep_figures: bool = True) -> None:
    """Drop from a JSON-lines log what a run that continues after `iteration` writes again, and half a last line.

    Args:
        path: the log, which need not be there.
        iteration: finished iterations that the run continues from.
        keep_figures: keep validation and test figures of that very iteration; not where they are measured again.
    """
    if not path.is_file():
        return
    kept = []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if not isinstance(line, dict) or not 0 < line.get("iteration", 0) <= iteration:
            continue
        if keep_figures or line["iteration"] < iteration or any(key.startswith("train/") for key in line):
            kept.append(text + "\n")
    write_text(path, "".join(kept))

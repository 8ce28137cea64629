"""Validation while training, and early stopping by it: when to end, and which weights are kept."""

import math
import sys
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.hooks import Hook
from torch import nn

from ssl_motion.engine.checkpoint import plain
from ssl_motion.engine.validation import Validation, Validator, warn_if_blind


@dataclass(frozen=True)
class Best:
    """The state of the lowest validation loss so far.

    Attributes:
        iteration: finished iterations.
        validation: its figures.
        weights: state of the method, on the CPU.
    """

    iteration: int
    validation: Validation
    weights: dict[str, torch.Tensor]

    @property
    def loss(self) -> float:
        """The validation loss."""
        return self.validation.figures["val/loss"]


class EarlyStopping:
    """Watches the validation loss of a run, and keeps the best weights.

    All of it is part of every checkpoint, so that a run that continues decides as if it had never been interrupted.
    Validation figures are the same in all processes, and so are the decisions.

    Args:
        method: whose weights are kept.
        patience: validations without a lower loss after which to stop; None never stops, and keeps nothing.
    """

    def __init__(self, method: nn.Module, patience: int | None) -> None:
        self.method, self.patience = method, patience
        self.best: Best | None = None
        self.waited = 0

    @property
    def has_stopped(self) -> bool:
        """Whether patience has run out; at the last iteration that ends nothing."""
        return self.patience is not None and self.waited >= self.patience

    def observe(self, done: int, validation: Validation) -> None:
        """Take a validation after `done` iterations into account; a loss that is not finite is no improvement."""
        if self.patience is None:
            return
        loss = validation.figures["val/loss"]
        if math.isfinite(loss) and (self.best is None or loss < self.best.loss):
            # Copies: the tensors themselves go on changing.
            weights = {name: value.detach().cpu().clone() for name, value in self.method.state_dict().items()}
            self.best, self.waited = Best(done, validation, weights), 0
        else:
            self.waited += 1

    def figures(self, *, early: bool) -> dict[str, float]:
        """Figures for the log, once training has ended, early or not."""
        if self.best is None:
            return {}
        return {
            "early_stopping/best_iteration": float(self.best.iteration),
            "early_stopping/best_loss": self.best.loss,
            "early_stopping/stopped": float(early),
        }

    def restore_best(self) -> Best | None:
        """Set the method to the best weights; None, and no change, where none were kept."""
        if self.best is not None:
            self.method.load_state_dict(self.best.weights)
        return self.best

    def announce(self, done: int, iterations: int) -> None:
        """Say on standard error that training ended early."""
        which = f"the weights of iteration {self.best.iteration} are kept" if self.best else "it was never finite"
        print(
            f"stopped early, after {done} of {iterations} iterations: no lower validation loss in the last "
            f"{self.patience} validation(s); {which}",
            file=sys.stderr,
            flush=True,
        )

    def state(self) -> dict[str, Any]:
        """Everything as plain data, for a checkpoint."""
        content: dict[str, Any] = {"waited": self.waited, "best": None}
        if self.best is not None:
            content["best"] = {
                "iteration": self.best.iteration,
                "figures": self.best.validation.figures,
                "uses_image": self.best.validation.uses_image,
                "weights": self.best.weights,
            }
        return dict(plain(content))

    def load(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave."""
        self.waited, best = state["waited"], state["best"]
        self.best = None
        if best is not None:
            self.best = Best(best["iteration"], Validation(best["figures"], best["uses_image"]), best["weights"])


class ValidationHook(Hook):  # type: ignore[misc]  # mmengine ships no types
    """Validates every so many iterations, before the checkpoint of the same iteration; not at the last one.

    The last validation is the caller's, since a run that was killed in it must repeat it.

    Args:
        validator: measures.
        every: iterations between validations; 0 never validates.
        stopping: told of every validation; ends the training.
    """

    priority = "LOW"

    def __init__(self, validator: Validator, every: int, stopping: EarlyStopping) -> None:
        self.validator, self.every, self.stopping = validator, every, stopping

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Take up the best weights so far."""
        if "early_stopping" in checkpoint:
            self.stopping.load(checkpoint["early_stopping"])

    def before_train(self, runner: Any) -> None:
        """Train no further where the run had stopped before it was interrupted."""
        runner.train_loop.stop_training = self.stopping.has_stopped

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Keep the best weights so far."""
        if self.stopping.patience is not None:
            checkpoint["early_stopping"] = self.stopping.state()

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Validate where it is due."""
        done = runner.iter + 1
        if not self.every or done % self.every or done == runner.max_iters:
            return
        result = self.validator.run(done, lambda batch: runner.call_hook("after_val_iter", batch_idx=batch))
        self.stopping.observe(done, result)
        runner.train_loop.stop_training = self.stopping.has_stopped
        ended = self.stopping.figures(early=True) if self.stopping.has_stopped else {}
        runner.call_hook("on_figures", done=done, figures={**result.figures, **ended})
        if runner.rank == 0:
            warn_if_blind(result, f"after {done} of {runner.max_iters} iterations")

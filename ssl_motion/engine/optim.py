"""Optimiser, learning rate and mixed precision of pretraining."""

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from ssl_motion.engine.adapter import arithmetic
from ssl_motion.spec import OptimizerSpec, ScheduleSpec


def build_optimizer(spec: OptimizerSpec, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Make the optimiser; weight decay applies to every parameter alike, as CMP's authors do."""
    if spec.type == "sgd":
        return torch.optim.SGD(parameters, lr=spec.lr, momentum=spec.momentum, weight_decay=spec.weight_decay)
    kind = torch.optim.Adam if spec.type == "adam" else torch.optim.AdamW
    return kind(parameters, lr=spec.lr, weight_decay=spec.weight_decay)


class StepWrapper(OptimWrapper):  # type: ignore[misc]  # mmengine ships no types
    """MMEngine's OptimWrapper with autocast on any device.

    MMEngine's own mixed-precision wrapper refuses the CPU.

    Args:
        optimizer: the optimiser.
        accumulate: backward passes per step.
        device: "cpu" or "cuda".
        precision: "fp32", "bf16" or "fp16" (the last with loss scaling, on CUDA).
    """

    def __init__(self, optimizer: torch.optim.Optimizer, *, accumulate: int, device: str, precision: str) -> None:
        super().__init__(optimizer, accumulative_counts=accumulate)
        self.device, self.precision = device, precision
        self.scaler = torch.amp.GradScaler(device, enabled=precision == "fp16")

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Context of a forward pass."""
        with super().optim_context(model), arithmetic(self.device, self.precision):
            yield

    def initialize_count_status(self, model: nn.Module, init_counts: int, max_counts: int) -> None:
        """Leave counting to the loop (`ResumableTrainLoop`), which knows how many passes an iteration has."""

    def backward(self, loss: Tensor, **kwargs: Any) -> None:
        """Propagate the (scaled) loss back."""
        scaled: Any = self.scaler.scale(loss)
        scaled.backward(**kwargs)
        self._inner_count += 1

    def step(self, **kwargs: Any) -> None:
        """Update the parameters."""
        self.scaler.step(self.optimizer, **kwargs)
        self.scaler.update()

    def state_dict(self) -> dict[str, Any]:
        """State of the optimiser and the loss scaler."""
        return {"optimizer": self.optimizer.state_dict(), "scaler": self.scaler.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Set the state of the optimiser and the loss scaler."""
        self.optimizer.load_state_dict(state_dict["optimizer"])
        if state_dict["scaler"]:
            self.scaler.load_state_dict(state_dict["scaler"])


def learning_rate(peak: float, spec: ScheduleSpec, iteration: int, iterations: int) -> float:
    """Learning rate of an iteration (from 0): a pure function, so that resuming needs no state.

    "step": a drop takes effect at the iteration `round(milestone * iterations)`. "onecycle": torch's OneCycleLR
    with its defaults (30 % rising from peak/25, cosine, down to peak/250,000).
    """
    if spec.type == "constant":
        return peak
    if spec.type == "step":
        drops = sorted(round(fraction * iterations) for fraction in spec.milestones)
        return float(peak * spec.gamma ** bisect_right(drops, iteration))
    return _one_cycle(peak / 25, peak, peak / 25 / 1e4, iteration, iterations)


def cycled_momentum(spec: ScheduleSpec, iteration: int, iterations: int) -> float | None:
    """Momentum (Adam: first beta) that OneCycleLR sets for an iteration; None where the schedule leaves it alone."""
    if spec.type != "onecycle":
        return None
    return _one_cycle(0.95, 0.85, 0.95, iteration, iterations)


def _one_cycle(first: float, middle: float, last: float, iteration: int, iterations: int) -> float:
    turn = 0.3 * iterations - 1
    if iteration <= turn:
        return _cosine(first, middle, iteration / turn)
    return _cosine(middle, last, (iteration - turn) / (iterations - 1 - turn))


def _cosine(begin: float, end: float, fraction: float) -> float:
    return end + (begin - end) / 2 * (1 + math.cos(math.pi * fraction))


class ScheduleHook(Hook):  # type: ignore[misc]  # mmengine ships no types
    """Sets learning rate and momentum before every iteration."""

    priority = "HIGH"

    def __init__(self, optimizer: OptimizerSpec, schedule: ScheduleSpec, iterations: int) -> None:
        self.peak, self.schedule, self.iterations = optimizer.lr, schedule, iterations

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Set the rates of this iteration."""
        rate = learning_rate(self.peak, self.schedule, runner.iter, self.iterations)
        momentum = cycled_momentum(self.schedule, runner.iter, self.iterations)
        for group in runner.optim_wrapper.param_groups:
            group["lr"] = rate
            if momentum is not None and "betas" in group:
                group["betas"] = (momentum, *group["betas"][1:])
            elif momentum is not None:
                group["momentum"] = momentum

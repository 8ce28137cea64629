"""Training linear probes: every step follows from the seed and its number alone, so that a run continues exactly."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from math import cos, isfinite, pi
from typing import Any, Literal

import torch
from torch import Tensor

from ssl_motion.engine.checkpoint import FORMAT, last_intact_checkpoint, write_checkpoint
from ssl_motion.errors import RunError, UsageError
from ssl_motion.fileio import write_text
from ssl_motion.frozen.probe import ProbeSet
from ssl_motion.identity import canonical_json
from ssl_motion.progress import Progress
from ssl_motion.protocols import RunContext
from ssl_motion.seeding import generator

CHECKPOINTS = "checkpoints"
CHECKPOINT_SECONDS = 60.0
LOG = "log.jsonl"
LOG_LINES = 200

Batches = Callable[[int], tuple[Mapping[str, Tensor], Tensor]]
"""Iteration -> stage -> features [N, D], and labels [N] (255: unknown)."""


@dataclass(frozen=True)
class ProbeRecipe:
    """How probes are trained.

    Attributes:
        iterations: optimiser steps.
        batch_size: images per step.
        optimiser: AdamW with torch's betas, or SGD with momentum 0.9.
        lr: peak learning rate.
        weight_decay: on weights and biases.
        schedule: "onecycle" rises linearly over `warmup` and falls to 0 as a cosine; "step" multiplies by 0.1 at each
            of `milestones`.
        warmup: share of the iterations.
        milestones: shares of the iterations.
        dropout: share of features left out at random.
    """

    iterations: int
    batch_size: int
    optimiser: Literal["adamw", "sgd"] = "adamw"
    lr: float = 1e-3
    weight_decay: float = 1e-3
    schedule: Literal["onecycle", "step"] = "onecycle"
    warmup: float = 0.0375
    milestones: tuple[float, ...] = ()
    dropout: float = 0.1

    def facts(self) -> dict[str, Any]:
        """State it for a protocol."""
        return {**asdict(self), "milestones": list(self.milestones)}

    def rate(self, iteration: int) -> float:
        """The learning rate of an iteration, from 0."""
        if self.schedule == "step":
            return self.lr * 0.1 ** sum(iteration >= round(share * self.iterations) for share in self.milestones)
        rising = self.warmup * self.iterations
        if iteration < rising:
            return self.lr * (iteration + 1) / (rising + 1)
        return self.lr * (1 + cos(pi * (iteration - rising) / max(self.iterations - rising, 1))) / 2

    def make_optimiser(self, probes: ProbeSet) -> torch.optim.Optimizer:
        """Build the optimiser over all probes."""
        if self.optimiser == "adamw":
            return torch.optim.AdamW(probes.parameters(), lr=self.lr, weight_decay=self.weight_decay)
        return torch.optim.SGD(probes.parameters(), lr=self.lr, momentum=0.9, weight_decay=self.weight_decay)


def probing_device(context: RunContext) -> str:
    """The device of a run that reads a frozen trunk: "cpu" or "cuda".

    Raises:
        UsageError: It was started in several processes.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError("this task reads a frozen trunk in one process; start it without torchrun")
    if context.device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return context.device


def train_probes(
    probes: ProbeSet, batches: Batches, recipe: ProbeRecipe, context: RunContext, device: str, label: str
) -> float:
    """Train to the end; continues from the run folder's last checkpoint where there is one.

    Args:
        probes: with their statistics in place, on `device`.
        batches: what an iteration sees, whatever came before it.
        recipe: how.
        context: of the run.
        device: "cpu" or "cuda".
        label: for the progress display.

    Returns:
        Seconds it took, interruptions not counted.

    Raises:
        RunError: A loss is not finite, or a file cannot be written.
        DataError: The folder's checkpoints are damaged.
    """
    folder = context.run_dir / CHECKPOINTS
    optimiser = recipe.make_optimiser(probes)
    first, spent = 0, 0.0
    lines: list[dict[str, Any]] = []
    if (found := last_intact_checkpoint(folder)) is not None:
        content = found[1]
        probes.load_state_dict(content["state_dict"])
        optimiser.load_state_dict(content["optimizer"])
        first, spent, lines = content["meta"]["iter"], content["meta"]["wall_seconds"], content["log"]
    began = saved = time.monotonic()

    def save(iteration: int) -> None:
        meta = {"iter": iteration, "epoch": 0, "wall_seconds": spent + time.monotonic() - began, "seed": context.seed}
        states = {"state_dict": probes.state_dict(), "optimizer": optimiser.state_dict()}
        write_text(context.run_dir / LOG, "".join(f"{canonical_json(line)}\n" for line in lines))
        write_checkpoint(folder, {"meta": {**meta, "format": FORMAT}, **states, "log": lines})

    probes.train()
    every = max(1, recipe.iterations // LOG_LINES)
    with torch.random.fork_rng(devices=[]), Progress(label, recipe.iterations, "it", first) as progress:
        for iteration in range(first, recipe.iterations):
            # Dropout draws from the global generator; seeded here, a continued run draws what it would have drawn.
            torch.manual_seed(int(generator(context.seed, "probe dropout", iteration).integers(2**63)))
            rate = recipe.rate(iteration)
            for group in optimiser.param_groups:
                group["lr"] = rate
            features, labels = batches(iteration)
            losses = probes.losses({stage: value.to(device) for stage, value in features.items()}, labels.to(device))
            summed = torch.stack(list(losses.values())).sum()
            total = float(summed.detach())
            if not isfinite(total):
                raise RunError(
                    f"the loss of iteration {iteration + 1} is {total}: training has diverged. Use a lower lr."
                )
            optimiser.zero_grad(set_to_none=True)
            summed.backward()  # type: ignore[no-untyped-call]  # torch ships no type for it
            optimiser.step()
            if (iteration + 1) % every == 0 or iteration + 1 == recipe.iterations:
                figures = {f"train/loss {stage}": float(loss.detach()) for stage, loss in losses.items()}
                lines.append({"iteration": iteration + 1, "train/lr": rate, "train/loss": total, **figures})
            progress.advance(1, f"loss {total:.3f}" if (iteration + 1) % every == 0 else "")
            if iteration + 1 == recipe.iterations or time.monotonic() - saved > CHECKPOINT_SECONDS:
                save(iteration + 1)
                saved = time.monotonic()
    probes.eval()
    return spent + time.monotonic() - began


def epoch_order(seed: int, purpose: str, images: int, batch_size: int, iteration: int) -> list[int]:
    """Indices of the images of an iteration: shuffled epochs one after another, the last ones of an epoch included.

    Args:
        seed: of the run.
        purpose: names the order (`ssl_motion.seeding.generator`).
        images: number of images.
        batch_size: draws per iteration.
        iteration: from 0.
    """
    chosen: list[int] = []
    position, end = iteration * batch_size, (iteration + 1) * batch_size
    while position < end:
        epoch, offset = divmod(position, images)
        order = generator(seed, purpose, epoch).permutation(images)
        chosen += order[offset : offset + end - position].tolist()
        position = iteration * batch_size + len(chosen)
    return chosen

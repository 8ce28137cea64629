"""Validation of pretraining: loss, the method's own figures, and whether the images are used at all."""

import math
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from ssl_motion.data.sample import UInt8Array
from ssl_motion.engine.adapter import PretrainModel, total_loss
from ssl_motion.engine.checkpoint import random_state, restore_random_state
from ssl_motion.fileio import write_atomically

MIN_GAP = 0.01
MIN_BATCHES = 4  # fewer say nothing about the noise of the gap
PREVIEWS = 8


@dataclass(frozen=True)
class Validation:
    """Figures over the validation split.

    Attributes:
        figures: "val/loss"; "val/loss_blind": the same with images exchanged within each batch; "val/gap": what that
            costs (blind - loss); "val/NAME" for each of the method's own.
        uses_image: whether the gap is above both 1 % of the loss (of what it is above the method's own "loss_floor",
            where it gives one) and, from four batches on, twice its standard error over batches; None where there were
            no two images to exchange.
    """

    figures: dict[str, float]
    uses_image: bool | None


class Validator:
    """Validates a model.

    Args:
        model: with the method.
        batches: the process's share of the validation batches; iterated anew each time.
        context: makes the context of a forward pass.
        previews: folder for pictures; None draws none.
    """

    def __init__(
        self,
        model: PretrainModel,
        batches: Iterable[Mapping[str, Tensor]],
        context: Callable[[], AbstractContextManager[Any]],
        previews: Path | None,
    ) -> None:
        self.model, self.batches, self.context, self.previews = model, batches, context, previews

    @torch.no_grad()
    def run(self, done: int, tick: Callable[[int], None] = lambda batch: None) -> Validation:
        """Validate after `done` iterations. Every process must call this.

        Neither training mode nor any random generator is different afterwards.

        Args:
            done: names the preview picture.
            tick: told the number of each finished batch.
        """
        method = self.model.method
        before, was_training = random_state(), method.training
        self.model.eval()
        rows = []
        try:
            for number, batch in enumerate(self.batches):
                data = self.model.data_preprocessor(batch)
                with self.context():
                    rows.append(self._measure(data))
                    if number == 0 and self.previews is not None:
                        self._draw(done, data, batch["image"])
                tick(number)
        finally:
            self.model.train(was_training)
            restore_random_state(before)
        return summarise(_from_all_processes(rows))

    def _measure(self, data: dict[str, Tensor]) -> dict[str, float]:
        method, image = self.model.method, data["image"]
        row = {"count": float(len(image)), "loss": float(total_loss(method.losses(data)))}
        row |= {key: float(value) for key, value in method.evaluate(data).items()}
        if len(image) > 1:
            # Into the image's own memory format, which rolling alone would lose, and with it half the speed.
            exchanged = torch.empty_like(image).copy_(image.roll(1, 0))
            row["loss_blind"] = float(total_loss(method.losses({**data, "image": exchanged})))
        return row

    def _draw(self, done: int, data: dict[str, Tensor], image: Tensor) -> None:
        assert self.previews is not None
        few = {key: value[:PREVIEWS] for key, value in data.items()}
        images = list(image[:PREVIEWS].permute(0, 2, 3, 1).contiguous().numpy())
        panels = self.model.method.preview(few, images)
        if panels:
            write_png(self.previews / f"iter_{done:08d}.png", stack_panels(panels))


def summarise(rows: list[dict[str, float]]) -> Validation:
    """Average per-batch rows, weighted by "count", and judge the gap."""
    if not rows:
        return Validation({}, None)
    figures = {}
    for key in rows[0]:
        having = [row for row in rows if key in row]
        total = sum(row["count"] for row in having)
        figures[f"val/{key}"] = sum(row[key] * row["count"] for row in having) / total
    del figures["val/count"]
    pairs = [row for row in rows if "loss_blind" in row]
    if not pairs:
        return Validation(figures, None)
    gaps = np.array([row["loss_blind"] - row["loss"] for row in pairs])
    weights = np.array([row["count"] for row in pairs])
    gap = float(np.average(gaps, weights=weights))
    figures["val/gap"] = gap
    error = float(gaps.std(ddof=1)) / math.sqrt(len(gaps)) if len(gaps) >= MIN_BATCHES else 0.0
    above_floor = abs(figures["val/loss"] - figures.get("val/loss_floor", 0.0))
    return Validation(figures, bool(gap > max(MIN_GAP * above_floor, 2 * error)))


def _from_all_processes(rows: list[dict[str, float]]) -> list[dict[str, float]]:
    if not (dist.is_available() and dist.is_initialized()):
        return rows
    gathered: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(gathered, rows)
    return [row for share in gathered for row in share]


def stack_panels(panels: list[UInt8Array]) -> UInt8Array:
    """Put panels below each other, padded with white to one width, 4 pixels apart."""
    width = max(panel.shape[1] for panel in panels)
    rows = [
        np.pad(panel, ((0, 4), (0, width - panel.shape[1]), (0, 0)), constant_values=255).astype(np.uint8)
        for panel in panels
    ]
    return np.concatenate(rows)


def write_png(path: Path, picture: UInt8Array) -> None:
    """Write an RGB picture atomically."""
    done, encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    assert done
    write_atomically(path, lambda file: file.write(encoded.tobytes()) and None)


def warn_if_blind(validation: Validation, when: str) -> None:
    """Say loudly, on standard error, that a run uses no image."""
    if validation.uses_image is not False:
        return
    figures = validation.figures
    bar = "!" * 78
    print(
        f"{bar}\n"
        f"THIS RUN USES NO IMAGE ({when}).\n"
        f"With the images exchanged the validation loss is {figures['val/loss_blind']:.4f}, with the right ones\n"
        f"{figures['val/loss']:.4f}: no difference beyond noise. What is predicted does not depend on the image:\n"
        "the backbone has learned next to nothing from images. Train longer; where guidance is\n"
        "given, give less of it, since it may say all that is asked.\n"
        f"{bar}",
        file=sys.stderr,
        flush=True,
    )

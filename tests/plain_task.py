"""A transfer task that keeps its contract and takes no time, to break in tests (read with `runpy`)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel

from ssl_motion.backbones import build_backbone
from ssl_motion.protocols import DataReport, Metric, RunContext, TaskResult, TransferTask
from ssl_motion.spec import BackboneSpec, Strict
from ssl_motion.weights import load_strict, read_weights


class Settings(Strict):
    preset: str = "short"
    lr: float = 0.1


class Sound(TransferTask):
    """Reads a file of numbers; its figure follows from them, the weights and the seed."""

    Config: type[BaseModel] = Settings
    recipe_version = 1
    metrics = (Metric("right", primary=True), Metric("error", unit="px", higher_is_better=False))
    presets: Mapping[str, str] = {"short": "a short one", "long": "a long one"}

    @property
    def scale(self) -> Any:
        return "full" if self.config.lr == 0.1 else "reduced"  # type: ignore[attr-defined]  # of Settings

    def backbone(self) -> dict[str, Any]:
        return {"arch": "alexnet_mini", "width": 6}

    def protocol(self) -> dict[str, Any]:
        return {"dataset": "numbers", **self.config.model_dump()}

    def check_data(self, root: Path) -> DataReport:
        path = root / "numbers.txt"
        if not path.is_file():
            return DataReport([], [str(path)], "Write some.")
        return DataReport([str(path)], fingerprint=path.read_text())

    def run(self, context: RunContext) -> TaskResult:
        torch.manual_seed(context.seed)
        trunk = build_backbone(BackboneSpec(**self.backbone()))
        if context.weights is not None:
            load_strict(trunk, read_weights(context.weights)[1], what="weights")
        right = float(next(trunk.parameters()).detach().abs().mean())
        np.savez(context.run_dir / "images.npz", right=np.array([right]))
        return TaskResult({"right": right, "error": 3.0}, {"per class": {"cat": 1.0}}, "images.npz", 0.1)

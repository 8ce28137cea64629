"""A method that moves the whole image by the mean of the given vectors, for tests of the applications.

`announce` makes it known under the name "copied_vectors" and writes a model of it.
"""

import importlib
from collections.abc import Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from ssl_motion import plugins
from ssl_motion.backbones import build_backbone
from ssl_motion.data.sample import FlowSample
from ssl_motion.models import save_model
from ssl_motion.protocols import PretrainMethod
from ssl_motion.spec import BackboneSpec

NAME = "copied_vectors"


class CopiedConfig(BaseModel):
    """Settings: `most` bounds each component of the flow, in pixels as the network sees them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    most: float = 50.0


class CopiedVectors(PretrainMethod):
    """Predicts the mean of the given vectors for every pixel, cut at `most`; no motion where none is given."""

    Config = CopiedConfig
    recipe_version = 1
    citation = "none"
    config: CopiedConfig

    def targets(self, sample: FlowSample, rng: np.random.Generator) -> dict[str, Tensor]:
        """Need nothing: it is never trained."""
        del sample, rng
        return {}

    def losses(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Have nothing to learn."""
        raise NotImplementedError

    def propagate(self, stages: Mapping[str, Tensor], sparse_B2HW: Tensor, mask_B1HW: Tensor) -> Tensor:
        """Return the mean of the given vectors everywhere."""
        del stages
        total = (sparse_B2HW * mask_B1HW).sum(dim=(2, 3), keepdim=True)
        mean = total / mask_B1HW.sum(dim=(2, 3), keepdim=True).clamp(min=1)
        return mean.clamp(-self.config.most, self.config.most).expand_as(sparse_B2HW)


def changed(method: PretrainMethod) -> PretrainMethod:
    """Move every weight a little, since one that equals a fresh start would be refused as untrained."""
    with torch.no_grad():
        for tensor in method.parameters():
            tensor.add_(0.01 * torch.rand_like(tensor))
    return method


def announce(monkeypatch: pytest.MonkeyPatch, folder: Path, **settings: Any) -> Path:
    """Make the method known for the length of a test, and write a model of it into `folder`."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    importlib.invalidate_caches()
    real = plugins.entry_points

    def entry_points(group: str) -> list[EntryPoint]:
        added = [EntryPoint(NAME, f"{NAME}:CopiedVectors", group)] if group == plugins.METHODS else []
        return [*real(group=group), *added]

    monkeypatch.setattr(plugins, "entry_points", entry_points)
    spec = BackboneSpec(arch="alexnet_mini", width=6)
    # The class as the entry point imports it, not as a runpy'd copy has it.
    kind = importlib.import_module(NAME).CopiedVectors
    method = changed(kind(kind.Config(**settings), build_backbone(spec)))
    save_model(folder, method, method=NAME, spec=spec, source="a test")
    return folder

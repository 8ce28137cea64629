"""CMP keeps the contract of pretraining methods on every kind of trunk, and the checks catch those that break it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import BaseModel
from torch import Tensor, nn

from ssl_motion.data.sample import FlowSample, UInt8Array
from ssl_motion.plugins import METHODS, load
from ssl_motion.protocols import Backbone, PretrainMethod
from ssl_motion.spec import BackboneSpec, Strict
from ssl_motion.testing import ContractError, check_method

SMALL_CMP: dict[str, Any] = {
    "guidance": {"kernel_size": 15, "grid_stride": 20},
    "decoder_width": 16,
    "image_channels": 24,
}


@pytest.mark.parametrize(
    ("settings", "backbone", "size"),
    [
        ({}, BackboneSpec(arch="alexnet_mini", width=12), 96),
        ({"guidance": {"strategies": []}}, BackboneSpec(arch="alexnet_mini", width=12), 64),
        ({"bins": 21, "boundary": 10.5, "guidance_channels": 3}, BackboneSpec(arch="alexnet_8x", width=12), 64),
        ({}, BackboneSpec(arch="alexnet_32x", width=12), 128),
        ({"decoder": "skip", "strides": [1, 2, 4, 8]}, BackboneSpec(arch="resnet18", width=8, output_stride=8), 64),
        ({"strides": [1, 2]}, BackboneSpec(arch="resnet50", width=4, output_stride=8), 64),
        ({"initialisation": "default"}, BackboneSpec(arch="resnet34", width=4, output_stride=16), 64),
    ],
)
def test_cmp_keeps_the_contract(settings: dict[str, Any], backbone: BackboneSpec, size: int) -> None:
    check_method(load(METHODS, "cmp"), {**SMALL_CMP, **settings}, backbone=backbone, size=size)


class Settings(Strict):
    channels: int = 2


class MeanFlow(PretrainMethod):
    """A sound little method: predict the sample's mean flow."""

    Config: type[BaseModel] = Settings
    recipe_version = 1
    citation = "none"

    def __init__(self, config: BaseModel, backbone: Backbone) -> None:
        super().__init__(config, backbone)
        self.out = nn.Linear(backbone.channels[backbone.last_stage], 2)

    def targets(self, sample: FlowSample, rng: np.random.Generator) -> dict[str, Tensor]:
        return {"mean": torch.from_numpy(sample.flow.mean(axis=(0, 1)))}

    def losses(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        features = self.backbone(batch["image"])[self.backbone.last_stage].mean(dim=(2, 3))
        return {"loss": (self.out(features) - batch["mean"]).square().mean()}


def test_a_sound_method_passes_without_previews_or_figures() -> None:
    check_method(MeanFlow)


class LooseConfig(BaseModel):
    channels: int = 2


class Loose(MeanFlow):
    Config = LooseConfig


class Unversioned(MeanFlow):
    recipe_version = 0


class Impure(MeanFlow):
    def targets(self, sample: FlowSample, rng: np.random.Generator) -> dict[str, Tensor]:
        return {"mean": super().targets(sample, rng)["mean"] + torch.rand(1)}


class Vandal(MeanFlow):
    def targets(self, sample: FlowSample, rng: np.random.Generator) -> dict[str, Tensor]:
        sample.flow[0, 0] = 1
        return super().targets(sample, rng)


class View(MeanFlow):
    def targets(self, sample: FlowSample, rng: np.random.Generator) -> dict[str, Tensor]:
        return {**super().targets(sample, rng), "flow": torch.from_numpy(sample.flow)}


class Greedy(MeanFlow):
    def targets(self, sample: FlowSample, rng: np.random.Generator) -> dict[str, Tensor]:
        return {**super().targets(sample, rng), "image": torch.zeros(1)}


class Ragged(MeanFlow):
    def targets(self, sample: FlowSample, rng: np.random.Generator) -> dict[str, Tensor]:
        moving = torch.from_numpy(sample.flow[np.abs(sample.flow).sum(axis=2) > 0].copy())
        return {**super().targets(sample, rng), "moving": moving}


class Nameless(MeanFlow):
    def losses(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"mean": super().losses(batch)["loss"]}


class PerPixel(MeanFlow):
    def losses(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"loss": super().losses(batch)["loss"].repeat(3)}


class Detached(MeanFlow):
    def losses(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        with torch.no_grad():
            features = self.backbone(batch["image"])[self.backbone.last_stage].mean(dim=(2, 3))
        return {"loss": (self.out(features) - batch["mean"]).square().mean()}


class Dicing(MeanFlow):
    def losses(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"loss": super().losses(batch)["loss"] * float(np.random.default_rng().uniform(1, 2))}


class Dividing(MeanFlow):
    def losses(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"loss": super().losses(batch)["loss"] / batch["mean"].abs().sum()}


class Hidden(MeanFlow):
    def losses(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"loss": super().losses(batch)["loss"] * self.scale}

    def __init__(self, config: BaseModel, backbone: Backbone) -> None:
        super().__init__(config, backbone)
        self.scale = 1.0 + float(np.random.default_rng().uniform())


class Painter(MeanFlow):
    def preview(self, batch: Mapping[str, Tensor], images: list[UInt8Array]) -> list[UInt8Array]:
        return [images[0] / 255.0 for _ in images]


class Verbose(MeanFlow):
    def evaluate(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"error": self.losses(batch)["loss"]}


class Averaging(MeanFlow):
    @classmethod
    def describe_sample(cls, config: BaseModel, sample: FlowSample, rng: np.random.Generator) -> dict[str, float]:
        return {"speed": float(np.abs(sample.flow).sum() / np.float64(sample.valid.sum() or np.nan))}


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (Loose, "accepts unknown keys"),
        (Unversioned, "recipe_version"),
        (Impure, "same state of rng"),
        (Vandal, "changed the sample"),
        (View, "views of the sample"),
        (Greedy, "harness's own"),
        (Ragged, "could not be stacked"),
        (Nameless, 'no key contains "loss"'),
        (PerPixel, "expected a scalar"),
        (Detached, "no gradient reaches the trunk's first convolution"),
        (Dicing, "the same seed gives two losses"),
        (Dividing, r"with still and still samples: losses\(\)\['loss'\] is inf"),
        (Hidden, "two losses|rebuilt from its state_dict"),
        (Painter, "expected uint8"),
        (Averaging, "unknown sample is nan"),
        (Verbose, "finite scalar without gradient"),
    ],
)
def test_broken_promises_are_caught(method: type[PretrainMethod], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        check_method(method)


def test_the_random_state_of_the_caller_is_left_alone() -> None:
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    check_method(MeanFlow)
    assert torch.equal(torch.random.get_rng_state(), before)

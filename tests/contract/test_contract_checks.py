"""The contract checks pass a sound method and catch those that break a promise of samples, losses or figures."""

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from pydantic import BaseModel
from torch import Tensor, nn

from ssl_motion.data.sample import FlowSample, UInt8Array
from ssl_motion.protocols import Backbone, PretrainMethod
from ssl_motion.spec import Strict
from ssl_motion.testing import ContractError, check_method


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


class Uphill(MeanFlow):
    def losses(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        loss = super().losses(batch)["loss"]
        return {"loss": 2 * loss.detach() - loss}


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
        (Uphill, "steps of Adam on one batch do not lower its loss"),
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

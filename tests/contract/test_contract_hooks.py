"""The contract checks catch methods that break a promise of a hook: layers, fit, view or export."""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import count
from typing import Annotated, Any

import numpy as np
import pytest
import torch
from pydantic import BaseModel, Field
from torch import Tensor, nn
from torch.nn import functional as F

from ssl_motion.data.augment import crop
from ssl_motion.data.sample import UNKNOWN_LABEL, FlowSample
from ssl_motion.protocols import Backbone, PretrainMethod
from ssl_motion.similarity import FlowKernel
from ssl_motion.spec import BackboneSpec, Strict
from ssl_motion.testing import ContractError, check_method, example_sample


class Settings(Strict):
    speed: float | None = None


class Separate(PretrainMethod):
    """A sound little method with every hook: segment a random window by the masks; fitted to the mean speed."""

    Config: type[BaseModel] = Settings
    recipe_version = 1
    citation = "none"

    def __init__(self, config: BaseModel, backbone: Backbone) -> None:
        super().__init__(config, backbone)
        assert config.speed is not None, "built before it was fitted"
        self.out = nn.Conv2d(backbone.channels[backbone.last_stage], 2, 1)

    @classmethod
    def layers(cls, config: BaseModel) -> tuple[str, ...]:
        return ("masks",)

    @classmethod
    def fit(cls, config: BaseModel, samples: Sequence[FlowSample], fingerprint: str) -> BaseModel:
        speed = float(np.mean([np.hypot(*sample.flow[sample.valid].T).sum() for sample in samples]))
        return config.model_copy(update={"speed": speed})

    def view(self, sample: FlowSample, rng: np.random.Generator | None) -> FlowSample:
        top, left = (0, 0) if rng is None else (int(place) for place in rng.integers(0, 33, 2))
        return crop(sample, top, left, 64, 64)

    def targets(self, sample: FlowSample, rng: np.random.Generator) -> dict[str, Tensor]:
        return {"mask": torch.from_numpy(sample.layers["masks"].astype(np.int64))}

    def losses(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        logits = F.interpolate(self.out(self.backbone(batch["image"])[self.backbone.last_stage]), size=(64, 64))
        pixels = F.cross_entropy(logits, batch["mask"], ignore_index=UNKNOWN_LABEL, reduction="sum")
        return {"loss": pixels / (batch["mask"] != UNKNOWN_LABEL).sum().clamp(min=1)}


def test_a_sound_method_with_every_hook_passes() -> None:
    check_method(Separate)


def test_example_layers_say_what_moves() -> None:
    moving = example_sample(layers=("masks", "parts"), seed=3)
    speed = np.hypot(*np.moveaxis(moving.flow, -1, 0))
    assert set(np.unique(moving.layers["masks"])) == {0, 1, UNKNOWN_LABEL}
    assert (speed[moving.layers["masks"] == 1] > 0.5).all()
    assert (speed[moving.layers["masks"] == 0] == 0).all()
    assert (moving.layers["masks"][~moving.valid] == UNKNOWN_LABEL).all()
    assert set(np.unique(moving.layers["parts"])) == {0, 2}
    still, unknown = (example_sample(kind, layers=("masks", "parts")) for kind in ("still", "unknown"))
    assert set(np.unique(still.layers["masks"])) == {0}
    assert set(np.unique(still.layers["parts"])) == {0, 1}
    assert all((layer == UNKNOWN_LABEL).all() for layer in unknown.layers.values())


class OneLayer(Separate):
    @classmethod
    def layers(cls, config: BaseModel) -> Any:
        return "masks"


class MeanOverNothing(Separate):
    def losses(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        logits = F.interpolate(self.out(self.backbone(batch["image"])[self.backbone.last_stage]), size=(64, 64))
        return {"loss": F.cross_entropy(logits, batch["mask"], ignore_index=UNKNOWN_LABEL)}


class Fickle(Separate):
    @classmethod
    def fit(cls, config: BaseModel, samples: Sequence[FlowSample], fingerprint: str) -> BaseModel:
        return config.model_copy(update={"speed": float(np.random.default_rng().uniform())})


class Restless(Separate):
    @classmethod
    def fit(cls, config: BaseModel, samples: Sequence[FlowSample], fingerprint: str) -> BaseModel:
        return config.model_copy(update={"speed": (config.speed or 0) + 1})


class Dictating(Separate):
    @classmethod
    def fit(cls, config: BaseModel, samples: Sequence[FlowSample], fingerprint: str) -> Any:
        return {"speed": 1.0}


class Smoothing(Separate):
    @classmethod
    def fit(cls, config: BaseModel, samples: Sequence[FlowSample], fingerprint: str) -> BaseModel:
        for sample in samples:
            sample.flow[:] = 0
        return super().fit(config, samples, fingerprint)


class Secret(Settings):
    speed: Annotated[float | None, Field(exclude=True)] = None


class Secretive(Separate):
    Config = Secret


class Mutable(BaseModel):
    model_config = {"extra": "forbid"}
    speed: float | None = None


class InPlace(Separate):
    Config = Mutable

    @classmethod
    def fit(cls, config: BaseModel, samples: Sequence[FlowSample], fingerprint: str) -> BaseModel:
        assert isinstance(config, Mutable)
        config.speed = 1.0
        return config


class Wandering(Separate):
    def view(self, sample: FlowSample, rng: np.random.Generator | None) -> FlowSample:
        return super().view(sample, rng or np.random.default_rng())


class Dicing(Separate):
    def view(self, sample: FlowSample, rng: np.random.Generator | None) -> FlowSample:
        return super().view(sample, rng and np.random.default_rng())


class Fitting(Separate):
    def view(self, sample: FlowSample, rng: np.random.Generator | None) -> FlowSample:
        return crop(sample, 0, 0, 64, 64 if sample.flow.any() else 48)


class Bleaching(Separate):
    def view(self, sample: FlowSample, rng: np.random.Generator | None) -> FlowSample:
        return replace(super().view(sample, rng), image=np.ones((64, 64, 3), np.float32))


class Mirroring(Separate):
    def view(self, sample: FlowSample, rng: np.random.Generator | None) -> FlowSample:
        return replace(sample, image=sample.image[:, ::-1])


class Painting(Separate):
    def view(self, sample: FlowSample, rng: np.random.Generator | None) -> FlowSample:
        sample.image[:] = 0
        return super().view(sample, rng)


class Forgetful(Separate):
    def view(self, sample: FlowSample, rng: np.random.Generator | None) -> FlowSample:
        return replace(super().view(sample, rng), layers={})


class WrongSpec(Separate):
    def export(self, spec: BackboneSpec) -> tuple[Backbone, BackboneSpec]:
        return self.backbone, spec.model_copy(update={"width": 24})


class Halved(Separate):
    """Exports a trunk that computes something that its parameters do not say."""

    def export(self, spec: BackboneSpec) -> tuple[Backbone, BackboneSpec]:
        trunk = deepcopy(self.backbone)
        trunk.get_submodule("conv1").register_forward_hook(lambda module, inputs, output: output / 2)
        return trunk, spec


class Rounding(Separate):
    def export(self, spec: BackboneSpec) -> tuple[Backbone, BackboneSpec]:
        with torch.no_grad():
            for parameter in self.backbone.parameters():
                parameter.copy_(parameter.bfloat16().float())
        return self.backbone, spec


class Bare(Separate):
    def export(self, spec: BackboneSpec) -> Any:
        return nn.Sequential(self.backbone), spec


class Embedding(Separate):
    """A sound one: embeds every pixel by the values of its nearest cell."""

    def embed(self, stages: Mapping[str, Tensor], points_BP2: Tensor) -> Tensor:
        cells = stages["conv5"]
        column, row = (points_BP2 / 8).long().unbind(-1)
        images = torch.arange(len(cells))[:, None]
        return cells[images, :, row.clamp(max=cells.shape[2] - 1), column.clamp(max=cells.shape[3] - 1)]

    def flow_kernel(self) -> FlowKernel | None:
        return FlowKernel(0.1, 24.0, "chosen")


class Centred(Embedding):
    def embed(self, stages: Mapping[str, Tensor], points_BP2: Tensor) -> Tensor:
        embedding_BPD = super().embed(stages, points_BP2)
        return embedding_BPD - embedding_BPD.mean(dim=1, keepdim=True)


class Transposed(Embedding):
    def embed(self, stages: Mapping[str, Tensor], points_BP2: Tensor) -> Tensor:
        return super().embed(stages, points_BP2).transpose(1, 2)


class Widthless(Embedding):
    def flow_kernel(self) -> FlowKernel | None:
        return FlowKernel(0.0, 24.0, "chosen")


class Counting(Separate):
    """Names a parameter by the number of models made so far."""

    made: Iterator[int] = count()

    def __init__(self, config: BaseModel, backbone: Backbone) -> None:
        super().__init__(config, backbone)
        self.register_parameter(f"scale{next(Counting.made)}", nn.Parameter(torch.ones(())))


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (OneLayer, "expected a tuple of names"),
        (MeanOverNothing, r"with unknown and unknown samples: losses\(\)\['loss'\] is nan"),
        (Fickle, "two results for the same samples"),
        (Restless, "already completed"),
        (Dictating, "returned a dict; expected a Settings"),
        (Smoothing, "fit.. changed the samples"),
        (Secretive, "on its way through JSON"),
        (InPlace, "changed the settings it was given"),
        (Wandering, "rng None, as in validation"),
        (Dicing, "the same state of rng"),
        (Fitting, r"several sizes: \[\(64, 48\), \(64, 64\)\]"),
        (Bleaching, "no sound sample of a moving one.*uint8"),
        (Mirroring, "no sound sample of a moving one.*negative"),
        (Painting, "view.. changed the sample"),
        (Forgetful, "lost layers"),
        (WrongSpec, "does not come back from disk.*conv1.0.weight has shape"),
        (Halved, "other features in stage conv1"),
        (Rounding, "changed the method"),
        (Bare, "expected a Backbone"),
        (Centred, "when others are asked for"),
        (Transposed, r"expected float32 \[2, 5, D\]"),
        (Widthless, r"flow_kernel\(\) returned"),
        (Counting, "differ in their state"),
    ],
)
def test_broken_promises_of_hooks_are_caught(method: type[PretrainMethod], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        check_method(method)


def test_a_sound_embedding_passes() -> None:
    check_method(Embedding)


def test_a_method_that_names_no_trunks_properly_is_caught() -> None:
    class Vague(Separate):
        trunks: Any = None

    with pytest.raises(ContractError, match="trunks: expected str"):
        check_method(Vague)

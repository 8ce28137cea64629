"""What `visualise --init` finds: the trunk of each, its values, its label, and the images that it was trained on."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from ssl_motion.backbones import build_backbone
from ssl_motion.errors import UsageError
from ssl_motion.inspection.models import DEFAULT_TRUNK, Inspected, open_models, shared_side, shared_world
from ssl_motion.protocols import Backbone
from ssl_motion.spec import BackboneSpec, PretrainSpec, PuppetsSpec
from ssl_motion.spec_text import parse_spec
from ssl_motion.store import Store
from ssl_motion.weights import TENSORS, save_weights

SPEC = BackboneSpec(arch="resnet18", width=8, output_stride=8)


def trunk(seed: int = 3) -> Backbone:
    torch.manual_seed(seed)
    return build_backbone(SPEC).eval()


def same(first: Backbone, second: Backbone) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A backbone folder, as of `ssl-bench import-weights`."""
    save_weights(tmp_path / "imported", trunk(), spec=SPEC, method="mocap", run=None, pretraining=None, source="a test")
    return tmp_path / "imported"


def test_a_backbone_folder_and_random_starts_of_its_trunk(folder: Path, tmp_path: Path) -> None:
    store = Store(tmp_path)
    imported, drawn, other = open_models([str(folder), "random", "random:xavier"], store, device="cpu")
    assert [model.label for model in (imported, drawn, other)] == ["mocap", "random", "random (xavier)"]
    assert same(imported.network, trunk())
    assert drawn.network.strides == other.network.strides == trunk().strides
    assert not same(drawn.network, imported.network)
    assert all(model.run is None and model.spec is None for model in (imported, drawn, other))
    assert not any(parameter.requires_grad for parameter in imported.network.parameters())
    again, seeded = (open_models(["random", str(folder)], store, seed=seed, device="cpu")[0] for seed in (0, 1))
    assert same(again.network, drawn.network)
    assert not same(seeded.network, drawn.network)


def test_a_file_is_of_the_trunk_that_it_fits_or_that_is_named(tmp_path: Path) -> None:
    torch.save(trunk().state_dict(), tmp_path / "weights.pth")
    (guessed,) = open_models([str(tmp_path / "weights.pth")], Store(tmp_path), device="cpu")
    assert (guessed.label, guessed.network.strides["layer4"]) == ("weights", 32)
    (named,) = open_models([str(tmp_path / "weights.pth")], Store(tmp_path), backbone=SPEC, device="cpu")
    assert named.network.strides["layer4"] == 8
    assert same(named.network, trunk())
    (tmp_path / "elsewhere").mkdir()
    save_file(dict(trunk().state_dict()), tmp_path / "elsewhere" / TENSORS)  # of that name, but in no backbone folder
    (bare,) = open_models([str(tmp_path / "elsewhere" / TENSORS)], Store(tmp_path), device="cpu")
    assert same(bare.network, trunk())
    with pytest.raises(UsageError, match=r"no value for conv1\.0\.weight"):
        open_models([str(tmp_path / "weights.pth")], Store(tmp_path), backbone=DEFAULT_TRUNK, device="cpu")


def test_random_alone_is_of_the_small_trunk_and_stages_are_its_own(tmp_path: Path) -> None:
    (model,) = open_models(["random"], Store(tmp_path), device="cpu")
    assert model.network.arch == "alexnet_mini"
    assert [model.resolve_stage(stage) for stage in (None, "conv2")] == ["conv5", "conv2"]
    with pytest.raises(UsageError, match="--stage: alexnet_mini has no stage 'embedding'"):
        model.resolve_stage("embedding")


def of_run(data: dict[str, Any]) -> Inspected:
    content = {"method": "cmp", "backbone": {"arch": "alexnet_mini"}, "data": data, "iterations": 1, "batch_size": 1}
    optimizer = {"type": "adamw", "lr": 0.01}
    spec = parse_spec(PretrainSpec, {**content, "optimizer": optimizer, "schedule": {"type": "onecycle"}}, "test")
    return Inspected("cmp", trunk(), spec=spec)


def test_images_are_those_of_the_first_run_that_tells() -> None:
    unknown, cropped = of_run({"shards": ["a"]}), of_run({"shards": ["a"], "short_side": 300, "crop": 200})
    world = of_run({"puppets": {"world": "weak_pan", "size": 64}})
    plain = Inspected("random", trunk())
    assert shared_side([plain, unknown]) is None
    assert shared_side([plain, unknown, cropped, world]) == 200
    assert shared_side([world, cropped]) == 64
    assert shared_world([plain, cropped]) == PuppetsSpec()
    assert shared_world([plain, cropped, world]).world == "weak_pan"

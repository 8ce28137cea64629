"""Trunks without batch norms: what absorption keeps, and which trunks may be built so."""

from pathlib import Path

import pytest
import torch
from torch import nn

from ssl_motion.backbones import build_backbone
from ssl_motion.backbones.absorb import absorb_batch_norm
from ssl_motion.errors import UsageError
from ssl_motion.importing import import_weights
from ssl_motion.protocols import Backbone
from ssl_motion.spec import BackboneSpec
from ssl_motion.weights import TENSORS, load_strict, read_weights, save_weights

TRUNKS = [
    BackboneSpec(arch="alexnet_32x", width=12),
    BackboneSpec(arch="alexnet_8x", width=12),
    BackboneSpec(arch="alexnet_mini", width=24),
]


def trained(spec: BackboneSpec) -> Backbone:
    """A trunk whose batch norms are far from the identity; its statistics fit its features, as after training."""
    torch.manual_seed(0)
    net = build_backbone(spec).train()
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = 0.5
            nn.init.uniform_(part.weight, -2, 2)
            nn.init.normal_(part.bias)
        elif isinstance(part, nn.Conv2d):
            assert part.bias is not None
            nn.init.normal_(part.bias)
    with torch.no_grad():
        for _ in range(4):
            net(torch.randn(4, 3, 96, 96) * 3 + 1)
    return net.eval()


@pytest.mark.parametrize("spec", TRUNKS, ids=lambda spec: spec.arch)
def test_features_of_every_stage_stay_the_same(spec: BackboneSpec) -> None:
    net = trained(spec)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    plain, plain_spec = absorb_batch_norm(net, spec)
    image = torch.randn(2, 3, 100, 71) * 3 + 1
    with torch.no_grad():
        expected, got = net(image), plain(image)
    assert list(got) == list(expected)
    for stage, features in expected.items():
        assert features.abs().max() > 0.5, stage  # something to compare
        assert (got[stage] - features).abs().max() <= 1e-5 * features.abs().max(), stage
    assert plain_spec == spec.model_copy(update={"norm": "none"})
    assert not any(isinstance(part, nn.BatchNorm2d) for part in plain.modules())
    assert plain.state_dict().keys() == {f"{layer}.0.{kind}" for layer in expected for kind in ("weight", "bias")}
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


def test_the_copy_shares_no_memory_can_be_trained_and_draws_no_random_number() -> None:
    net = trained(TRUNKS[2])
    state = torch.random.get_rng_state()
    plain, _ = absorb_batch_norm(net, TRUNKS[2])
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not plain.training
    kept = net.state_dict()["conv1.0.weight"].clone()
    with torch.no_grad():
        for parameter in plain.parameters():
            assert parameter.requires_grad
            parameter.add_(1)
    assert torch.equal(net.state_dict()["conv1.0.weight"], kept)
    assert absorb_batch_norm(net.train(), TRUNKS[2])[0].training


def test_weights_travel_through_a_folder_and_are_recognised_as_a_file(tmp_path: Path) -> None:
    plain, spec = absorb_batch_norm(trained(TRUNKS[0]), TRUNKS[0])
    save_weights(tmp_path / "a", plain, spec=spec, method="m", run=None, pretraining=None, source="a test")
    card, tensors = read_weights(tmp_path / "a")
    assert card.backbone == spec
    fresh = build_backbone(card.backbone).eval()
    load_strict(fresh, tensors, what="folder")
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(fresh(image)["fc7"], plain(image)["fc7"])
    assert import_weights(tmp_path / "a" / TENSORS, tmp_path / "b", method="m") == spec
    with pytest.raises(UsageError, match=r"conv1\.1\.weight"):
        load_strict(build_backbone(TRUNKS[0]), tensors, what="folder")


@pytest.mark.parametrize("arch", ["resnet18", "resnet50"])
def test_resnets_keep_their_batch_norms(arch: str) -> None:
    with pytest.raises(UsageError, match=rf"backbone\.norm: {arch} cannot do without.*alexnet_mini"):
        build_backbone(BackboneSpec(arch=arch, width=4, norm="none"))
    spec = BackboneSpec(arch=arch, width=4)
    with pytest.raises(UsageError, match="AlexNets only"):
        absorb_batch_norm(build_backbone(spec), spec)


def test_nothing_is_absorbed_twice() -> None:
    spec = BackboneSpec(arch="alexnet_mini", norm="none")
    with pytest.raises(UsageError, match="has none"):
        absorb_batch_norm(build_backbone(spec), spec)

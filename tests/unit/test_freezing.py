"""Freezing the first stages of a trunk: exactly what they depend on, and nothing else, stays as it is."""

import pytest
import torch

from ssl_motion.backbones import build_backbone
from ssl_motion.backbones.freezing import batch_norms, freeze, stage_parameters
from ssl_motion.errors import UsageError
from ssl_motion.openmmlab.backbone import TrunkBackbone
from ssl_motion.spec import BackboneSpec

RESNET = {"arch": "resnet18", "width": 8}


def test_a_stage_depends_on_the_stages_before_it() -> None:
    trunk = build_backbone(BackboneSpec(**RESNET))
    for stage, own in (("stem", ("conv1", "bn1")), ("layer2", ("conv1", "bn1", "layer1", "layer2"))):
        expected = {name for name, _ in trunk.named_parameters() if name.split(".")[0] in own}
        assert stage_parameters(trunk, stage) == expected


@pytest.mark.parametrize("arch", ["resnet18", "alexnet_mini"])
def test_frozen_stages_do_not_move_and_the_others_do(arch: str) -> None:
    torch.manual_seed(0)
    backbone = TrunkBackbone({"arch": arch, "width": 6}, out_stages=(), frozen="")
    stages = list(backbone.trunk.channels)
    kept, last = stages[1], stages[-1]
    backbone = TrunkBackbone({"arch": arch, "width": 6}, out_stages=(kept, last), frozen=kept)
    backbone.train()
    before = {name: value.clone() for name, value in backbone.trunk.state_dict().items()}
    frozen = stage_parameters(backbone.trunk, kept)
    optimiser = torch.optim.SGD([each for each in backbone.parameters() if each.requires_grad], lr=1.0)
    backbone(torch.randn(2, 3, 64, 64))[1].square().mean().backward()
    optimiser.step()
    norms = set(freeze(build_backbone(BackboneSpec(arch=arch, width=6)), kept))
    for name, value in backbone.trunk.state_dict().items():
        owner = name.rpartition(".")[0]
        if name in frozen or owner in norms:
            assert torch.equal(value, before[name]), name
        elif "running" in name or name.endswith("weight"):
            assert not torch.equal(value, before[name]), name


def test_stored_statistics_with_trained_affine_parameters() -> None:
    backbone = TrunkBackbone(RESNET, out_stages=("layer4",), norm_eval=True).train()
    norms = [backbone.trunk.get_submodule(name) for name in batch_norms(backbone.trunk)]
    assert norms
    assert not any(norm.training for norm in norms)
    assert all(each.requires_grad for each in backbone.parameters())
    assert backbone.trunk.layer1.training


def test_looking_changes_nothing() -> None:
    trunk = build_backbone(BackboneSpec(**RESNET)).train()
    next(trunk.parameters()).requires_grad_(False)
    trunk.bn1.eval()
    before = {name: value.clone() for name, value in trunk.state_dict().items()}
    stage_parameters(trunk, "layer4")
    assert trunk.training
    assert not trunk.bn1.training
    assert not next(trunk.parameters()).requires_grad
    assert all(torch.equal(value, before[name]) for name, value in trunk.state_dict().items())


def test_an_unknown_stage_is_named_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"no stage 'layer9'.*Its stages: stem, layer1"):
        freeze(build_backbone(BackboneSpec(**RESNET)), "layer9")

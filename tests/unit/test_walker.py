"""Walker in CMP's reading: CMP that is told nothing, and that spends nothing on being told."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ssl_motion.backbones import build_backbone
from ssl_motion.errors import UsageError
from ssl_motion.paths import find_config
from ssl_motion.plugins import METHODS, load
from ssl_motion.spec import BackboneSpec
from ssl_motion.spec_text import load_yaml, parse_spec
from ssl_motion.testing import SMALL, check_method, example_batch, example_sample
from ssl_motion_methods import cmp
from ssl_motion_methods.cmp import CMP, CMPConfig, CMPNetworkConfig
from ssl_motion_methods.walker import Walker, WalkerConfig

NARROW: dict[str, Any] = {"decoder_width": 16, "image_channels": 24}


def build(kind: type[CMP], settings: dict[str, Any], trunk: BackboneSpec = SMALL) -> CMP:
    torch.manual_seed(0)
    return kind(kind.Config.model_validate({**NARROW, **settings}), build_backbone(trunk))


def test_walker_keeps_the_contract() -> None:
    trunk = BackboneSpec(arch="alexnet_32x", width=12)
    check_method(load(METHODS, "walker"), {**NARROW, "guidance_channels": 3}, backbone=trunk, size=128)


@pytest.mark.parametrize(
    ("settings", "trunk"),
    [
        ({}, SMALL),
        ({"guidance_channels": 3, "bins": 21, "boundary": 10.5}, SMALL),
        ({"initialisation": "default"}, BackboneSpec(arch="resnet18", width=8, output_stride=8)),
    ],
)
@pytest.mark.parametrize("none_at_all", [{"max_points": 0}, {"strategies": []}])
def test_losses_and_steps_are_those_of_cmp_without_points_bit_for_bit(
    settings: dict[str, Any], trunk: BackboneSpec, none_at_all: dict[str, Any]
) -> None:
    told = build(CMP, {**settings, "guidance": none_at_all}, trunk)
    walker = build(Walker, settings, trunk)
    for method in (told, walker):
        optimiser = torch.optim.SGD(method.parameters(), lr=0.1)
        for _ in range(2):
            optimiser.zero_grad()
            losses = method.losses(example_batch(method))
            torch.stack(list(losses.values())).sum().backward()
            optimiser.step()
    first, second = (method.losses(example_batch(method)) for method in (told, walker))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert all(map(torch.equal, told.state_dict().values(), walker.state_dict().values()))


def test_what_it_predicts_depends_on_the_image_alone() -> None:
    walker = build(Walker, {"initialisation": "default"})
    batch = example_batch(walker)
    other = {**batch, "flow": torch.randn_like(batch["flow"]), "valid": ~batch["valid"]}
    walker.eval()
    assert torch.equal(walker.logits(batch), walker.logits(other))
    assert torch.equal(walker.predict(batch), walker.predict({"image": batch["image"]}))
    darker = {**batch, "image": batch["image"] - 1}
    assert not torch.equal(walker.logits(batch), walker.logits(darker))
    assert not torch.equal(walker.losses(batch)["loss_x"], walker.losses(other)["loss_x"])


def test_nothing_is_sampled_and_no_zeros_are_carried(monkeypatch: pytest.MonkeyPatch) -> None:
    def sampled(*args: object) -> None:
        raise AssertionError("guidance was sampled")

    monkeypatch.setattr(cmp.method, "sample_guidance", sampled)
    walker = build(Walker, {})
    sample = example_sample("moving")
    made = walker.targets(sample, np.random.default_rng(0))
    assert set(made) == {"flow", "valid"}
    assert np.array_equal(made["flow"].numpy(), sample.flow.transpose(2, 0, 1))
    assert Walker.describe_sample(walker.config, sample, np.random.default_rng(0)) == {}
    with pytest.raises(AssertionError, match="guidance was sampled"):
        build(CMP, {}).targets(sample, np.random.default_rng(0))


def test_the_branch_is_fed_zeros_and_its_first_norm_sees_a_constant() -> None:
    walker = build(Walker, {"initialisation": "default"})
    seen: list[Tensor] = []
    encoder = walker.head.motion_encoder.features
    for position in (0, 1):
        encoder[position].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach()))
    walker.losses(example_batch(walker))
    fed, convolved = seen
    assert fed.shape == (2, 4, 96, 96)
    assert not fed.any()
    assert torch.equal(convolved, convolved[:1, :, :1, :1].expand_as(convolved)), "nothing but the bias"
    assert convolved.any()


def test_settings_are_those_of_cmp_less_the_guidance() -> None:
    assert set(WalkerConfig.model_fields) == set(CMPNetworkConfig.model_fields)
    assert set(CMPConfig.model_fields) == {*WalkerConfig.model_fields, "guidance"}
    assert WalkerConfig(bins=21, boundary=10.5).as_cmp() == CMPConfig.model_validate(
        {"bins": 21, "boundary": 10.5, "guidance": {"strategies": []}}
    )
    walker = build(Walker, {"bins": 21})
    assert isinstance(walker.config, WalkerConfig)
    with pytest.raises(UsageError, match="guidance"):
        parse_spec(WalkerConfig, {"guidance": {"max_points": 0}}, "method_config")


def test_panels_say_that_there_is_no_guidance_and_published_models_are_refused() -> None:
    walker = build(Walker, {}).eval()
    samples = [example_sample("moving"), example_sample("still")]
    panels = walker.preview(example_batch(walker, ("moving", "still")), [sample.image for sample in samples])
    left = panels[0][18 : 18 + 192, :192]
    assert np.array_equal(left, samples[0].image.repeat(2, axis=0).repeat(2, axis=1)), "no arrow is drawn"
    with pytest.raises(UsageError, match="--method cmp"):
        Walker.from_published({}, None)


@pytest.mark.parametrize(
    ("walker", "told"),
    [
        ("walker_puppets", "cmp_puppets"),
        ("walker_videos", "cmp_videos"),
        ("walker_alexnet_yfcc_youtube_voc", "cmp_alexnet_yfcc_youtube_voc_16gpu_140k"),
        ("walker_resnet50_yfcc_voc", "cmp_resnet50_yfcc_voc_16gpu_42k"),
        ("walker_resnet50_yfcc_coco", "cmp_resnet50_yfcc_coco_16gpu_42k"),
    ],
)
def test_configs_are_those_of_cmp_less_the_guidance(walker: str, told: str) -> None:
    own, other = (load_yaml(find_config("pretrain", name)) for name in (walker, told))
    assert (own.pop("method"), other.pop("method")) == ("walker", "cmp")
    own_settings, other_settings = (each.pop("method_config", {}) for each in (own, other))
    assert own == other
    assert other_settings.pop("guidance")
    assert own_settings == other_settings

"""The two methods as a whole: what is counted, batch norm, export, pictures."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from ssl_motion.backbones import build_backbone
from ssl_motion.errors import UsageError
from ssl_motion.protocols import PretrainMethod
from ssl_motion.similarity import normalise_flow
from ssl_motion.spec import BackboneSpec
from ssl_motion.spec_text import parse_spec
from ssl_motion.testing import example_batch, example_sample
from ssl_motion_methods.mahendran import Mahendran, MahendranConfig, MahendranDirect, MahendranDirectConfig
from ssl_motion_methods.mahendran.direct import to_bin

MINI = BackboneSpec(arch="alexnet_mini", width=12)
Kind = type[Mahendran] | type[MahendranDirect]
BOTH = pytest.mark.parametrize("kind", [Mahendran, MahendranDirect])


def build(kind: Kind, spec: BackboneSpec = MINI, **settings: Any) -> PretrainMethod:
    torch.manual_seed(0)
    config = kind.Config.model_validate({"points": 48, "hidden": 16, **settings})
    return kind(config, build_backbone(spec))  # type: ignore[arg-type]  # each takes its own


def total(method: PretrainMethod, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.stack([value for key, value in method.losses(batch).items() if "loss" in key]).sum()


def test_the_paper_is_the_default() -> None:
    config = MahendranConfig()
    assert (config.points, config.dimensions, config.saturation) == (512, 16, 56)
    assert MahendranDirectConfig().bins == 16


@BOTH
def test_images_without_known_flow_count_for_nothing(kind: Kind) -> None:
    method = build(kind).eval()
    moving = example_batch(method, ("moving",))
    both = example_batch(method, ("moving", "unknown"))
    assert total(method, both).item() == pytest.approx(total(method, moving).item(), rel=1e-5)
    nothing = example_batch(method, ("unknown", "unknown"))
    loss = total(method, nothing)
    loss.backward()
    assert loss.item() == 0
    assert all(p.grad is None or not p.grad.any() for p in method.parameters())
    assert all(math.isfinite(value) for value in method.evaluate(nothing).values())


def test_figures_are_logged_and_not_minimised() -> None:
    method = build(Mahendran).eval()
    batch = example_batch(method, ("moving", "moving"))
    losses = method.losses(batch)
    assert [key for key in losses if "loss" in key] == ["loss"]
    figures = method.evaluate(batch)
    assert losses.keys() - {"loss"} == figures.keys() - {"loss_floor"} == {"kl", "kl_ratio", "sigma"}
    assert figures["loss_floor"].item() == pytest.approx(losses["loss"].item() - losses["kl"].item(), abs=1e-5)
    assert not any(value.requires_grad for key, value in losses.items() if key != "loss")
    assert figures["sigma"].item() == pytest.approx(0.08)
    # An embedding that is the same everywhere is what the ratio compares with.
    for parameter in (method.head.output.weight, method.head.hidden.weight):  # type: ignore[union-attr]
        nn.init.zeros_(parameter)  # type: ignore[arg-type]
    constant = method.evaluate(batch)
    assert constant["kl_ratio"].item() == pytest.approx(1.0, abs=1e-3)
    assert constant["kl"].item() > 0.01


def test_still_flow_has_a_finite_ratio() -> None:
    method = build(Mahendran).eval()
    figures = method.evaluate(example_batch(method, ("still", "still")))
    assert math.isfinite(figures["kl_ratio"])


def test_direct_prediction_is_right_where_its_logits_are() -> None:
    method = build(MahendranDirect, saturation=6).eval()
    assert isinstance(method, MahendranDirect)
    batch = example_batch(method, ("moving", "still"))
    bins = method.settings.bins
    # Logits that name the true bins leave half a bin as error, which is largest at the saturation.
    index = to_bin(normalise_flow(batch["flow"], 6.0), bins)
    logits = nn.functional.one_hot(index, bins).float().flatten(2) * 100
    method.read = lambda batch, points: logits  # type: ignore[method-assign]
    assert total(method, batch).item() < 1e-6
    assert 0 < method.evaluate(batch)["epe"].item() < math.sqrt(2) * (7 ** (1 + 1 / 16) - 7)
    method.read = lambda batch, points: torch.zeros_like(logits)  # type: ignore[method-assign]
    assert total(method, batch).item() == pytest.approx(2 * math.log(bins), rel=1e-5)
    speed = torch.linalg.vector_norm(batch["flow"], dim=-1).mean().item()
    assert method.evaluate(batch)["epe"].item() == pytest.approx(speed, rel=1e-4)  # even odds mean no motion


@BOTH
def test_affine_free_batch_norm_stays_at_one_and_zero(kind: Kind) -> None:
    trunk = build_backbone(MINI)
    names = trunk.state_dict().keys()
    for part in trunk.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.weight)
    method = kind(kind.Config.model_validate({"points": 48, "batch_norm": "affine_free"}), trunk).train()  # type: ignore[arg-type]
    assert method.backbone.state_dict().keys() == names
    optimiser = torch.optim.AdamW(method.parameters(), lr=0.1, weight_decay=0.1)
    total(method, example_batch(method)).backward()
    optimiser.step()
    norms = [part for part in method.backbone.modules() if isinstance(part, nn.BatchNorm2d)]
    assert len(norms) == 5
    for norm in norms:
        assert torch.equal(norm.weight, torch.ones_like(norm.weight))
        assert torch.equal(norm.bias, torch.zeros_like(norm.bias))
        assert norm.running_mean is not None
        assert norm.running_mean.abs().sum() > 0  # the statistics are followed all the same
    given = build(kind).train()
    assert all(parameter.requires_grad for parameter in given.parameters())


def test_export_absorbs_only_where_asked() -> None:
    method = build(Mahendran, batch_norm="affine_free", absorb_batch_norm=True).train()
    with torch.no_grad():
        total(method, example_batch(method))  # gives the statistics something to follow
    plain, spec = method.eval().export(MINI)
    assert spec.norm == "none"
    image = torch.randn(2, 3, 96, 96)
    with torch.no_grad():
        for stage, features in method.backbone(image).items():
            assert (plain(image)[stage] - features).abs().max() <= 1e-5 * features.abs().max()
    kept = build(Mahendran)
    assert kept.export(MINI) == (kept.backbone, MINI)


@BOTH
def test_settings_that_the_trunk_cannot_do_are_refused_before_training(kind: Kind) -> None:
    with pytest.raises(UsageError, match="AlexNets only"):
        build(kind, BackboneSpec(arch="resnet18", width=8), absorb_batch_norm=True)
    bare = BackboneSpec(arch="alexnet_mini", width=12, norm="none")
    with pytest.raises(UsageError, match=r"affine_free, but this alexnet_mini has no batch norms"):
        build(kind, bare, batch_norm="affine_free")
    with pytest.raises(UsageError, match="no stage 'conv9'"):
        build(kind, stages=["conv9"])
    total(build(kind, bare), example_batch(build(kind, bare))).backward()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"sigma_range": [1.0, 0.1]}, "smallest, largest"),
        ({"stages": ["conv1", "conv1"]}, "without repeats"),
        ({"point": 5}, "points"),
        ({"batch_norm": "none"}, "affine_free"),
    ],
)
def test_wrong_settings_are_refused(content: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_spec(MahendranConfig, content, "method_config")


@BOTH
def test_previews_are_the_same_every_time_and_show_the_motion(kind: Kind) -> None:
    method = build(kind).eval()
    batch = example_batch(method)
    images = [example_sample(seed=index).image for index in range(2)]
    panels = method.preview(batch, images)
    torch.manual_seed(99)
    for first, second in zip(panels, method.preview(batch, images), strict=True):
        assert (first == second).all()
    width = (panels[0].shape[1] - 2 * 4) // 3
    truth = panels[0][18:, -width:]
    # The disc is coloured, the still ground white, the strip of unknown flow black.
    assert (truth == 0).all(axis=2).mean() > 0.03
    assert (truth == 255).all(axis=2).mean() > 0.5
    assert (truth.max(axis=2) != truth.min(axis=2)).mean() > 0.1

"""Walker 2015's heads, and the part of an image that they look at."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ssl_motion.backbones import build_backbone
from ssl_motion.errors import UsageError
from ssl_motion.plugins import METHODS, load
from ssl_motion.seeding import generator
from ssl_motion.spec import BackboneSpec
from ssl_motion.testing import SMALL, check_method, example_sample
from ssl_motion_methods.walker2015 import Walker2015, Walker2015Config
from ssl_motion_methods.walker2015.heads import FullyConnectedHead

ALEXNET = BackboneSpec(arch="alexnet_32x", width=12)
RESNET = BackboneSpec(arch="resnet18", width=8, output_stride=8)
FITTED = Walker2015.fit(Walker2015Config(clusters=9), [example_sample(seed=seed) for seed in range(6)], "these")


def build(trunk: BackboneSpec, **changes: Any) -> Walker2015:
    torch.manual_seed(0)
    config = Walker2015Config.model_validate({**FITTED.model_dump(mode="json"), "hidden": 32, **changes})
    return Walker2015(config, build_backbone(trunk))


@pytest.mark.parametrize(
    ("settings", "backbone", "size"),
    [
        ({"head": "fc", "grid": 8}, SMALL, 96),
        ({"grid": 8, "crop": 64}, ALEXNET, 96),
        ({"head": "conv", "kernel": 3}, ALEXNET, 128),
        ({"stage": "layer3"}, RESNET, 64),
    ],
)
def test_walker2015_keeps_the_contract(settings: dict[str, Any], backbone: BackboneSpec, size: int) -> None:
    check_method(load(METHODS, "walker2015"), {"hidden": 32, **settings}, backbone=backbone, size=size)


def test_the_fully_connected_head_has_the_papers_shapes() -> None:
    with torch.device("meta"):
        head = FullyConnectedHead(256, clusters=40, grid=20, hidden=4096)
    assert (head.fc6.in_features, head.fc7.in_features, head.fc8.out_features) == (9216, 4096, 16000)
    with torch.device("meta"):
        features = build_backbone(BackboneSpec(arch="alexnet_32x"))(torch.empty(1, 3, 200, 200))["conv5"]
        assert features.shape == (1, 256, 13, 13)
        assert head(features).shape == (1, 40, 20, 20)


def test_pooling_to_six_cells_is_the_papers_pool5_at_200_pixels() -> None:
    features = torch.randn(2, 5, 13, 13)
    assert torch.equal(F.adaptive_max_pool2d(features, 6), F.max_pool2d(features, 3, stride=2, ceil_mode=True))


def test_classes_of_a_cell_lie_together() -> None:
    head = FullyConnectedHead(4, clusters=3, grid=2, hidden=8).eval()
    with torch.no_grad():
        head.fc8.weight.zero_()
        head.fc8.bias.copy_(torch.arange(12.0))
    # As the authors reshape 16000 numbers: cluster by cluster, each a map in rows.
    assert head(torch.zeros(1, 4, 6, 6))[0].tolist() == [[[0, 1], [2, 3]], [[4, 5], [6, 7]], [[8, 9], [10, 11]]]


def test_start_of_the_fully_connected_head() -> None:
    torch.manual_seed(0)
    head = FullyConnectedHead(16, clusters=40, grid=4, hidden=256)
    for layer, bias in ((head.fc6, 0.1), (head.fc7, 0.1), (head.fc8, 0.0)):
        assert float(layer.weight.detach().var()) * layer.in_features == pytest.approx(1, rel=0.05)
        assert bool((layer.bias == bias).all())


@pytest.mark.parametrize(
    ("trunk", "changes", "stage", "grid"),
    [
        (SMALL, {}, "conv5", (12, 12)),
        (SMALL, {"head": "fc", "grid": 7}, "conv5", (7, 7)),
        (SMALL, {"stage": "conv1"}, "conv1", (48, 48)),
        (ALEXNET, {}, "conv5", (20, 20)),
        (ALEXNET, {"head": "conv"}, "fc7", (3, 3)),
        (RESNET, {}, "layer4", (12, 12)),
        (RESNET, {"head": "fc"}, "layer4", (20, 20)),
    ],
)
def test_which_head_stands_where(trunk: BackboneSpec, changes: Any, stage: str, grid: tuple[int, int]) -> None:
    method = build(trunk, **changes).eval()
    assert method.stage == stage
    assert method.logits({"image": torch.zeros(1, 3, 96, 96)}).shape == (1, 9, *grid)


def test_a_stage_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match=r"no stage 'conv6'\. Did you mean 'conv"):
        build(SMALL, stage="conv6")


@pytest.mark.parametrize(
    ("trunk", "changes", "fixed"),
    [(ALEXNET, {}, ("fc6", "fc7")), (ALEXNET, {"head": "conv"}, ()), (RESNET, {"stage": "layer3"}, ("layer4",))],
)
def test_all_that_can_learn_learns_and_the_rest_is_fixed(
    trunk: BackboneSpec, changes: Any, fixed: tuple[str, ...]
) -> None:
    method = build(trunk, **changes).train()
    before = {name: value.clone() for name, value in method.backbone.state_dict().items()}
    assert all(map(torch.equal, build_backbone_again(trunk).values(), before.values())), "the probe leaves no trace"
    for name, value in method.backbone.named_parameters():
        assert value.requires_grad != name.startswith(fixed), name
    batch = {"image": torch.randn(2, 3, 96, 96), "flow": torch.randn(2, 2, 96, 96)}
    method.losses({**batch, "valid": torch.ones(2, 1, 96, 96, dtype=torch.bool)})["loss"].backward()
    for name, value in method.named_parameters():
        assert (value.grad is not None) == value.requires_grad, name


def build_backbone_again(trunk: BackboneSpec) -> dict[str, Tensor]:
    torch.manual_seed(0)
    return build_backbone(trunk).state_dict()


def test_a_view_is_a_squeezed_whole_or_a_crop() -> None:
    method = build(ALEXNET, crop=48)
    sample = example_sample(size=96)
    kinds = {"squeezed": 0, "cropped": 0}
    for number in range(200):
        seen = method.view(sample, generator(0, "view", number))
        assert seen.size == (48, 48)
        # Squeezed to half its size, a flow is half as fast.
        fastest = float(np.abs(seen.flow).max() / np.abs(sample.flow).max())
        kinds["cropped" if fastest > 0.9 else "squeezed"] += 1
        if fastest > 0.9:
            windows = np.lib.stride_tricks.sliding_window_view(sample.image[..., 0], (48, 48))
            assert (windows == seen.image[..., 0]).all(axis=(2, 3)).any()
    assert 70 < kinds["squeezed"] < 130
    whole = method.view(sample, None)
    assert whole.size == (48, 48)
    np.testing.assert_allclose(whole.flow[24, 24], sample.flow[48, 48] / 2, atol=0.1)
    assert method.view(example_sample(size=32), generator(0, "view")).size == (48, 48)
    assert build(ALEXNET).view(sample, generator(0, "view")) is sample


def test_panels_show_image_predictions_and_truth() -> None:
    method, sample = build(SMALL).eval(), example_sample(size=96)
    batch = {
        "image": torch.zeros(1, 3, 96, 96),
        **{k: v[None] for k, v in method.targets(sample, generator(0, "")).items()},
    }
    (panel,) = method.preview(batch, [sample.image])
    assert panel.shape == (2 * 96 + 18, 4 * 2 * 96 + 3 * 4, 3)
    assert (panel[18:, :192] == sample.image.repeat(2, axis=0).repeat(2, axis=1)).all()
    assert (panel[18:, -192:][~sample.valid.repeat(2, axis=0).repeat(2, axis=1)] == 0).all()

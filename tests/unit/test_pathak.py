"""Mask prediction: loss, targets, heads and figures, and the contract on several trunks."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ssl_motion.backbones import build_backbone
from ssl_motion.data.sample import UNKNOWN_LABEL, FlowSample
from ssl_motion.errors import UsageError
from ssl_motion.plugins import METHODS, load
from ssl_motion.seeding import generator
from ssl_motion.spec import BackboneSpec
from ssl_motion.testing import SMALL, check_method, example_batch, example_sample, example_samples
from ssl_motion_methods.pathak import Pathak, PathakConfig
from ssl_motion_methods.pathak.heads import ConvHead, DeepMaskHead
from ssl_motion_methods.pathak.loss import mask_iou, mask_loss
from ssl_motion_methods.pathak.preview import draw_panel

RESNET = BackboneSpec(arch="resnet18", width=8, output_stride=8)
LITTLE: dict[str, Any] = {"channels": 8, "rank": 16}


def build(trunk: BackboneSpec = SMALL, **settings: Any) -> Pathak:
    torch.manual_seed(0)
    return Pathak(PathakConfig.model_validate({**LITTLE, "image_size": 96, **settings}), build_backbone(trunk))


@pytest.mark.parametrize(
    ("settings", "backbone", "size"),
    [
        ({"image_size": 64}, SMALL, 96),
        ({"image_size": 96}, BackboneSpec(arch="alexnet_32x", width=12), 128),
        ({"mask_size": 20}, RESNET, 64),
    ],
)
def test_pathak_keeps_the_contract(settings: dict[str, Any], backbone: BackboneSpec, size: int) -> None:
    check_method(load(METHODS, "pathak"), {**LITTLE, **settings}, backbone=backbone, size=size)


def random_mask(*shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).choice(np.array([0, 1, 255], np.uint8), shape))


def test_loss_is_the_mean_over_known_cells_of_a_naive_one_in_float64() -> None:
    torch.manual_seed(0)
    logits, mask = torch.randn(3, 7, 9) * 4, random_mask(3, 7, 9)
    naive = []
    for logit, label in zip(logits.double().flatten().tolist(), mask.flatten().tolist(), strict=True):
        if label != UNKNOWN_LABEL:
            chance = 1 / (1 + np.exp(-logit))
            naive.append(-np.log(chance if label == 1 else 1 - chance))
    assert 0 < len(naive) < mask.numel()
    assert float(mask_loss(logits.double(), mask)) == pytest.approx(np.mean(naive), rel=1e-12)
    assert float(mask_loss(logits, mask)) == pytest.approx(np.mean(naive), rel=1e-5)
    half = mask_loss(logits.bfloat16(), mask)
    assert half.dtype == torch.float32
    assert float(half) == pytest.approx(np.mean(naive), rel=2e-2)


@pytest.mark.parametrize("wild", [0.0, float("inf"), -float("inf"), float("nan"), 1e30])
def test_ignored_cells_have_a_gradient_of_exactly_zero(wild: float) -> None:
    torch.manual_seed(0)
    mask = random_mask(2, 6, 6)
    logits = torch.randn(2, 6, 6)
    logits[mask == UNKNOWN_LABEL] = wild
    logits.requires_grad_()
    loss = mask_loss(logits, mask)
    loss.backward()
    assert torch.isfinite(loss)
    assert logits.grad is not None
    assert (logits.grad[mask == UNKNOWN_LABEL] == 0).all()
    assert (logits.grad[mask != UNKNOWN_LABEL] != 0).all()


def test_a_crop_that_is_all_ignored_contributes_nothing() -> None:
    torch.manual_seed(0)
    logits, mask = torch.randn(2, 6, 6, requires_grad=True), random_mask(2, 6, 6)
    mask[1] = UNKNOWN_LABEL
    assert torch.equal(mask_loss(logits, mask), mask_loss(logits[:1], mask[:1]))
    nothing = mask_loss(logits, torch.full_like(mask, UNKNOWN_LABEL))
    assert float(nothing.detach()) == 0
    nothing.backward()
    assert logits.grad is not None
    assert not logits.grad.any()
    method = build()
    batch = example_batch(method, ("unknown", "unknown"))
    assert (batch["mask"] == UNKNOWN_LABEL).all()
    loss = method.losses(batch)["loss_mask"]
    loss.backward()
    assert float(loss.detach()) == 0
    assert all(p.grad is not None and not p.grad.any() for p in method.parameters())


def test_overlap_counts_known_cells_only() -> None:
    mask = torch.zeros(3, 4, 4, dtype=torch.uint8)
    logits = torch.full((3, 4, 4), -1.0)
    mask[0, 0] = 1  # 4 cells of object, 2 of them found, and 2 more claimed beside: 2 / 6
    logits[0, 0, :2] = logits[0, 1, :2] = 1.0
    mask[1, 0], mask[1, 1:] = 1, UNKNOWN_LABEL  # all found, and what is claimed elsewhere is unknown: 1
    logits[1] = 1.0
    assert float(mask_iou(logits, mask)) == pytest.approx((2 / 6 + 1) / 2), "the third has nothing to be found"
    assert float(mask_iou(logits[2:], mask[2:])) == 0


def whole(mask: np.ndarray) -> FlowSample:
    height, width = mask.shape
    flow, valid = np.zeros((height, width, 2), np.float32), np.ones((height, width), bool)
    return FlowSample(np.zeros((height, width, 3), np.uint8), flow, valid, "planted", 0, 1, {"masks": mask})


def test_a_cell_is_what_covers_more_than_half_of_it() -> None:
    method = build(object_crops=False, image_size=16, mask_size=4, head="conv")
    mask = np.zeros((16, 16), np.uint8)
    mask[0:4, 0:4] = 1
    mask[0:4, 4:6] = 1  # half of a cell: neither
    mask[0:3, 8:12] = 1  # three quarters: object
    mask[0:1, 12:16] = 1  # a quarter: background
    mask[4:8, 0:4] = UNKNOWN_LABEL
    mask[4:8, 4:7] = UNKNOWN_LABEL  # three quarters are unknown, a quarter is background
    mask[4:5, 8:12] = UNKNOWN_LABEL  # a quarter is unknown, the rest background
    cells = method.targets(whole(mask), generator(0, "t"))["mask"]
    assert cells.dtype == torch.uint8
    assert cells[:2].tolist() == [[1, 255, 1, 0], [255, 255, 0, 0]]
    assert not cells[2:].any()


def test_targets_follow_the_object_at_sizes_that_do_not_divide() -> None:
    method = build(object_crops=False)
    (sample,) = example_samples(method, ["moving"])
    cells = method.targets(sample, generator(0, "t"))["mask"].numpy()
    rows, columns = (
        ((np.arange(56) + 0.5) * 96 / 56).astype(int)[:, None],
        ((np.arange(56) + 0.5) * 96 / 56).astype(int),
    )
    nearest = sample.layers["masks"][rows, columns]
    known = (cells != UNKNOWN_LABEL) & (nearest != UNKNOWN_LABEL)
    assert known.mean() > 0.75
    assert (cells == nearest)[known].mean() > 0.995
    assert (cells == 1).any()


def test_a_mask_of_one_size_sees_the_whole_image_or_its_surroundings() -> None:
    for head, everywhere in ((DeepMaskHead, True), (ConvHead, False)):
        trunk = build_backbone(SMALL)
        torch.manual_seed(0)
        net = head(trunk, PathakConfig.model_validate({**LITTLE, "image_size": 96})).eval()
        features = torch.randn(1, trunk.channels["conv5"], 12, 12, requires_grad=True)
        logits = net(features)
        assert logits.shape == (1, 56, 56)
        logits[0, 0, 0].backward()
        assert features.grad is not None
        reached = features.grad.abs().sum(dim=1)[0] > 0
        assert bool(reached[-1, -1]) == everywhere
        assert reached[0, 0]


def test_alexnets_get_the_linear_head_and_others_the_convolutional_one() -> None:
    assert isinstance(build().head, DeepMaskHead)
    assert isinstance(build(RESNET).head, ConvHead)
    assert isinstance(build(head="conv").head, ConvHead)
    assert isinstance(build(RESNET, head="deepmask").head, DeepMaskHead)
    assert build().layers(PathakConfig()) == ("masks",)
    # Its sizes by default; 12 x 12 features come of 384 pixels at stride 32.
    with torch.device("meta"):
        trunk = build_backbone(BackboneSpec(arch="alexnet_32x", width=12))
        head = DeepMaskHead(trunk, PathakConfig(image_size=384))
    assert [tuple(p.shape) for p in head.mask.parameters()] == [(512, 128 * 144), (512,), (3136, 512), (3136,)]


def test_a_wrong_image_size_says_what_to_do() -> None:
    with pytest.raises(UsageError, match=r"image_size.*head: conv"):
        build(image_size=None)
    with pytest.raises(UsageError, match=r"the image is 96 x 96 pixels, method_config.image_size is 64: set data.crop"):
        build(image_size=64, object_crops=False).targets(example_sample(layers=("masks",)), np.random.default_rng(0))
    method = build()
    batch = example_batch(method)
    with pytest.raises(UsageError, match=r"features are 8 x 8; method_config.image_size: 96 gives 12 x 12"):
        method.losses({**batch, "image": batch["image"][..., :64, :64]})


def test_without_jitter_or_crops_the_view_is_what_it_should_be() -> None:
    sample = example_sample(layers=("masks",))
    assert build(object_crops=False).view(sample, generator(0, "t")) is sample
    method = build()
    fixed = [method.view(sample, None).image for _ in range(2)]
    moved = [method.view(sample, generator(0, "t", n)).image for n in range(2)]
    assert np.array_equal(*fixed)
    assert not np.array_equal(*moved)


def test_overfitting_finds_the_objects() -> None:
    method = build(object_crops=False, mask_size=24)
    batch = example_batch(method, ("moving",) * 4)
    optimiser = torch.optim.AdamW(method.parameters(), lr=3e-3)
    for _ in range(40):
        optimiser.zero_grad()
        loss = method.losses(batch)["loss_mask"]
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < 0.15
    assert float(method.evaluate(batch)["iou"]) > 0.85


def test_panels_show_ignored_cells_in_grey() -> None:
    image = np.full((96, 96, 3), 7, np.uint8)
    mask = np.zeros((56, 56), np.uint8)
    mask[20:40, 20:40], mask[10:20] = 1, UNKNOWN_LABEL
    panel = draw_panel(image, np.full((56, 56), 0.5, np.float32), mask)
    assert panel.shape == (18 + 192, 3 * 192 + 8, 3)
    left, middle, right = (panel[18:, i * 196 :][:, :192] for i in range(3))
    assert (left == 7).all()
    assert (middle == 128).all()
    large = F.interpolate(torch.from_numpy(mask)[None, None].float(), size=(192, 192))[0, 0].numpy()
    assert (right[large == 1] == 255).all()
    assert (right[large == UNKNOWN_LABEL] == 128).all()
    assert (right[large == 0] == 0).all()


def test_a_sample_is_described_by_its_mask() -> None:
    mask = np.zeros((10, 10), np.uint8)
    mask[:3], mask[3:5] = 1, UNKNOWN_LABEL
    described = Pathak.describe_sample(PathakConfig(), whole(mask), generator(0, "t"))
    assert described == {"object pixels, %": pytest.approx(30), "ignored pixels, %": pytest.approx(20)}
    assert Pathak.describe_sample(PathakConfig(), example_sample(), generator(0, "t")) == {}

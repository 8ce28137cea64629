"""CMP's network and method: sizes, counts, start, targets, figures."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from ssl_motion.backbones import build_backbone
from ssl_motion.backbones.initialise import initialise_cmp
from ssl_motion.data.sample import FlowSample
from ssl_motion.errors import UsageError
from ssl_motion.spec import BackboneSpec, Strict
from ssl_motion.spec_text import parse_spec
from ssl_motion.testing import SMALL, example_batch, example_sample
from ssl_motion_methods.cmp import CMP, CMPConfig, CMPNetwork
from ssl_motion_methods.cmp.encoders import MotionEncoder
from ssl_motion_methods.cmp.preview import draw_panel

ALEXNET = BackboneSpec(arch="alexnet_32x")
RESNET = BackboneSpec(arch="resnet50", output_stride=8)
SKIP = {"decoder": "skip", "strides": [1, 2, 4, 8]}


def config(**settings: Any) -> CMPConfig:
    return parse_spec(CMPConfig, settings, "test")


def small(**settings: Any) -> CMP:
    torch.manual_seed(0)
    settings = {
        "guidance": {"kernel_size": 15, "grid_stride": 20},
        "decoder_width": 16,
        "image_channels": 24,
    } | settings
    return CMP(config(**settings), build_backbone(SMALL))


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("spec", "settings", "total", "decoder"),
    [
        (ALEXNET, {}, 32_502_694, 1_460_934),
        (RESNET, {}, 25_497_510, 1_460_934),
        (RESNET, SKIP, 28_516_422, 4_479_846),
    ],
)
def test_parameter_counts_are_the_authors(
    spec: BackboneSpec, settings: dict[str, Any], total: int, decoder: int
) -> None:
    with torch.device("meta"):
        network = CMPNetwork(build_backbone(spec), config(**settings))
    assert count(network) == total
    assert count(network.head.motion_encoder) == 4_000
    assert count(network.head.decoder) == decoder


@pytest.mark.parametrize("side", [256, 320, 384])
def test_output_sizes_are_the_authors(side: int) -> None:
    for spec, settings, cells in (
        (ALEXNET, {}, {256: 8, 320: 10, 384: 12}),
        (RESNET, {}, {256: 32, 320: 40, 384: 48}),
        (RESNET, SKIP, {256: 128, 320: 160, 384: 192}),
    ):
        with torch.device("meta"):
            network = CMPNetwork(build_backbone(spec), config(**settings))
            logits = network(torch.empty(2, 3, side, side), torch.empty(2, 4, side, side))
            motion = network.head.motion_encoder(torch.empty(2, 4, side, side))
        assert logits.shape == (2, 198, cells[side], cells[side])
        encoder = side // (32 if spec is ALEXNET else 8)
        assert motion.shape == (2, 16, encoder, encoder)


def test_sizes_that_are_no_multiple_of_the_stride_fit_and_padding_is_unguided() -> None:
    net = small(strides=[1]).eval()
    logits = net.head(net.backbone(torch.randn(1, 3, 67, 91)), torch.zeros(1, 4, 67, 91))
    assert logits.shape == (1, 198, 9, 12)
    encoder = MotionEncoder(stride=8).eval()
    guided = torch.randn(1, 4, 67, 91)
    padded = torch.zeros(1, 4, 72, 96)
    padded[..., :67, :91] = guided
    assert torch.equal(encoder(guided), encoder(padded))


def test_only_the_average_pool_depends_on_the_stride() -> None:
    first, second = MotionEncoder(stride=8), MotionEncoder(stride=32)
    assert [p.shape for p in first.parameters()] == [p.shape for p in second.parameters()]
    pools = [next(m for m in e.modules() if isinstance(m, nn.AvgPool2d)).kernel_size for e in (first, second)]
    assert pools == [2, 8]
    assert MotionEncoder(stride=4)(torch.zeros(2, 4, 16, 16)).shape == (2, 16, 4, 4)


def test_the_authors_start() -> None:
    torch.manual_seed(0)
    net = CMPNetwork(build_backbone(BackboneSpec(arch="alexnet_32x", width=48)), config())
    initialise_cmp(net)
    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d):
            area = module.kernel_size[0] * module.kernel_size[1]
            expected = 0.02 * math.sqrt(2 / (area * (module.in_channels + module.out_channels)))
            spread = 6 / math.sqrt(2 * module.weight.numel())
            assert float(module.weight.detach().std()) == pytest.approx(expected, rel=spread), name
            assert not module.bias.any(), name
        if isinstance(module, nn.BatchNorm2d):
            assert abs(float(module.weight.detach().mean()) - 1) < 0.02, name
            assert float(module.weight.detach().std()) == pytest.approx(
                0.02, rel=6 / math.sqrt(2 * module.num_features)
            ), name
            assert not module.bias.any(), name


def test_initialisation_leaves_the_trunk_where_asked() -> None:
    for choice, kept, head_scale in (("original", False, 0.1), ("original_head", True, 0.1), ("default", True, 0.5)):
        torch.manual_seed(3)
        trunk = build_backbone(SMALL)
        before = trunk.conv3[0].weight.clone()
        method = CMP(config(initialisation=choice, decoder_width=16), trunk)
        assert torch.equal(method.backbone.conv3[0].weight, before) == kept
        largest = float(method.head.decoder.classifier.weight.detach().abs().max())
        assert (largest < 0.02) == (head_scale == 0.1)


def test_loss_starts_at_twice_the_logarithm_of_the_bins() -> None:
    for kinds in (("still", "still"), ("moving", "moving")):
        for bins, boundary in ((99, 50.0), (21, 10.5)):
            method = small(bins=bins, boundary=boundary)
            losses = method.losses(example_batch(method, kinds))
            assert set(losses) == {"loss_x", "loss_y"}
            assert float(sum(losses.values())) == pytest.approx(2 * math.log(bins), rel=5e-3)


def test_overfitting_a_batch_drives_loss_and_end_point_error_down() -> None:
    method = small(bins=21, boundary=10.5, initialisation="original")
    batch = example_batch(method, ("moving",) * 4)
    optimiser = torch.optim.AdamW(method.parameters(), lr=3e-3)
    before = float(method.eval().evaluate(batch)["epe"])
    method.train()
    for _ in range(140):
        optimiser.zero_grad()
        loss = sum(method.losses(batch).values())
        loss.backward()
        optimiser.step()
    assert float(loss) < 0.2
    assert float(method.evaluate(batch)["epe"]) < 0.4 * before


def test_targets_hold_guidance_flow_and_validity() -> None:
    sample = example_sample("moving")
    for channels in (3, 4):
        made = small(guidance_channels=channels).targets(sample, np.random.default_rng(0))
        mask = made["guidance"][2].bool()
        assert mask.any()
        assert made["guidance"].shape == (channels, 96, 96)
        assert all(torch.equal(made["guidance"][2], made["guidance"][i]) for i in range(2, channels))
        assert torch.equal(made["guidance"][:2], made["flow"] * mask)
        assert np.array_equal(made["flow"].numpy(), sample.flow.transpose(2, 0, 1))
        assert np.array_equal(made["valid"][0].numpy(), sample.valid)


def test_no_guidance_is_given_where_flow_is_unknown() -> None:
    full = small(guidance={"strategies": ["full"]})
    sample = example_sample("moving")
    made = full.targets(sample, np.random.default_rng(0))
    assert np.array_equal(made["guidance"][3].numpy() > 0, sample.valid)
    assert not full.targets(example_sample("unknown"), np.random.default_rng(0))["guidance"].any()


@pytest.mark.parametrize("guidance", [{"strategies": []}, {"max_points": 0}])
def test_zero_guidance_is_all_zero_and_trains(guidance: dict[str, Any]) -> None:
    method = small(guidance={"kernel_size": 15, **guidance})
    batch = example_batch(method)
    assert not batch["guidance"].any()
    sum(method.losses(batch).values()).backward()
    assert all(torch.isfinite(p.grad).all() for p in method.parameters())


def test_end_point_error_is_the_mean_over_valid_pixels() -> None:
    method = small().eval()
    batch = example_batch(method, ("moving", "moving"))
    predicted = method.predict(batch).detach().double().numpy()
    error = np.hypot(*np.moveaxis(predicted - batch["flow"].numpy(), 1, 0))
    valid = batch["valid"][:, 0].numpy()
    assert float(method.evaluate(batch)["epe"]) == pytest.approx(error[valid].mean(), rel=1e-5)
    batch["valid"] = torch.zeros_like(batch["valid"])
    assert float(method.evaluate(batch)["epe"]) == 0


def test_prediction_is_the_flow_whose_bins_are_certain() -> None:
    method = small(bins=21, boundary=10.5)

    class Certain(nn.Module):
        def forward(self, stages: object, sparse: torch.Tensor) -> torch.Tensor:
            logits = torch.zeros(len(sparse), 42, 3, 3)
            logits[:, 10 + 4] = 50  # u = +4 px
            logits[:, 21 + 10 - 2] = 50  # v = -2 px
            return logits

    method.head = Certain()
    flow = method.predict(example_batch(method))
    assert flow.shape == (2, 2, 96, 96)
    torch.testing.assert_close(flow[:, 0], torch.full((2, 96, 96), 4.0))
    torch.testing.assert_close(flow[:, 1], torch.full((2, 96, 96), -2.0))


def test_preview_shows_arrows_and_flow_in_one_scale() -> None:
    image = np.zeros((96, 128, 3), np.uint8)
    flow = np.zeros((2, 96, 128), np.float32)
    flow[0, 30:60, 40:80] = 8
    mask = np.zeros((96, 128), bool)
    panel = draw_panel(image, flow, mask, flow, flow, np.ones((96, 128), bool))
    height, width = 96 * 2, 128 * 2  # enlarged to be legible
    assert panel.shape == (height + 18, 3 * width + 8, 3)
    left, middle, right = (panel[18:, i * (width + 4) :][:, :width] for i in range(3))
    assert not left.any(), "no guidance, no arrow"
    assert np.array_equal(middle, right), "a perfect prediction looks like the truth"
    assert (right[0, 0] == 255).all()
    assert right[90, 120, 0] == 255, "motion to the right is red"
    assert right[90, 120, 1] < 60
    mask[45, 60] = True
    left = draw_panel(image, flow, mask, flow, flow, np.ones((96, 128), bool))[18:, :width]
    rows, columns = np.nonzero(left.any(axis=2))
    assert rows.min() > 80
    assert rows.max() < 100
    assert columns.min() >= 115
    assert columns.max() >= 120 + 2 * 8, "the arrow is as long as the motion"


def test_preview_on_small_and_unknown_samples() -> None:
    method = small().eval()
    batch = example_batch(method, ("moving", "unknown"))
    images = [example_sample("moving").image] * 2
    panels = method.preview(batch, images)
    assert [panel.shape for panel in panels] == [(96 * 2 + 18, 96 * 2 * 3 + 8, 3)] * 2


def test_wrong_settings_say_what_to_do() -> None:
    for settings, message in (
        ({"bins": 98}, "must be odd"),
        ({"strides": [2, 1]}, "ascending"),
        ({"strides": [1, 3]}, "1, 2, 4 or 8"),
        ({"strides": []}, "at least 1"),
        ({"decoder_width": 30}, "multiple of 4"),
        ({"guidance_channels": 5}, "3 or 4"),
        ({"guidence": {}}, "Did you mean 'guidance'"),
        ({"guidance": {"kernel_size": 80}}, "odd"),
    ):
        with pytest.raises(UsageError, match=message):
            config(**settings)
    with pytest.raises(ValidationError):
        CMPConfig(strides=(1, 1))


def test_networks_that_do_not_fit_say_why() -> None:
    with pytest.raises(UsageError, match="skip decoder needs a trunk with a stage of stride 2"):
        CMP(config(**SKIP), build_backbone(BackboneSpec(arch="alexnet_32x", width=12)))
    method = small()
    batch = example_batch(method)
    with pytest.raises(UsageError, match=r"features are 3 x 3, too small to be pooled by 4"):
        method.losses({**batch, "image": batch["image"][..., :24, :24], "guidance": batch["guidance"][..., :24, :24]})
    with pytest.raises(UsageError, match="takes 4 guidance channels"):
        method.losses({**batch, "guidance": batch["guidance"][:, :3]})
    with pytest.raises(UsageError, match="does not fit the image"):
        method.losses({**batch, "guidance": batch["guidance"][..., :64]})


def test_a_sample_of_another_shape_than_square_works() -> None:
    rng = np.random.default_rng(0)
    sample = FlowSample(
        image=rng.integers(0, 255, (40, 72, 3)).astype(np.uint8),
        flow=rng.normal(0, 3, (40, 72, 2)).astype(np.float32),
        valid=np.ones((40, 72), bool), clip="c", frame=0, gap=1,
    )  # fmt: skip
    made = small().targets(sample, rng)
    assert made["guidance"].shape == (4, 40, 72)
    assert made["flow"].shape == (2, 40, 72)


def test_config_is_a_strict_frozen_model() -> None:
    assert issubclass(CMPConfig, Strict)
    again = CMPConfig.model_validate_json(config(**SKIP).model_dump_json())
    assert again == config(**SKIP)

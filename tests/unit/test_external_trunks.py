"""Trunks of torchvision and timm: stages, strides, errors, and that their weights come back.

Networks themselves are tried where the packages are installed; all else without them.
"""

import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch
from torch import nn

from ssl_motion.backbones import build_backbone
from ssl_motion.backbones.external import ExternalTrunk
from ssl_motion.backbones.initialise import draw
from ssl_motion.errors import UsageError
from ssl_motion.listing import list_backbones
from ssl_motion.openmmlab.libraries import use_mmseg
from ssl_motion.protocols import Backbone
from ssl_motion.spec import BackboneSpec
from ssl_motion.starts import describe
from ssl_motion.testing import check_method
from ssl_motion.weights import load_strict, read_weights, save_weights
from ssl_motion_methods.cmp import CMP


def build(arch: str, **settings: object) -> Backbone:
    """Build a trunk; skips where its library does not work here."""
    package = arch.partition(":")[0]
    try:
        import_module(package)
    except Exception as error:
        pytest.skip(f"needs {package}: {error}")
    return build_backbone(BackboneSpec.model_validate({"arch": arch, **settings}))


class Halves(nn.Module):
    """Two poolings that round down."""

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        half = nn.functional.max_pool2d(image, 2)
        return [half, nn.functional.max_pool2d(half, 2)]


def test_sides_round_up_and_whole_multiples_pass_as_they_are() -> None:
    trunk = ExternalTrunk("x", Halves(), [3, 3], [2, 4])
    assert (trunk.channels, trunk.strides) == ({"stage1": 3, "stage2": 3}, {"stage1": 2, "stage2": 4})
    assert trunk.last_stage == "stage2"
    image = torch.rand(1, 3, 13, 18)
    sizes = {stage: tuple(features.shape[2:]) for stage, features in trunk(image).items()}
    assert sizes == {"stage1": (7, 9), "stage2": (4, 5)}
    whole = torch.rand(1, 3, 16, 20)
    for given, expected in zip(trunk(whole).values(), Halves()(whole), strict=True):
        assert torch.equal(given, expected)
    # What lies inside does not see the padding.
    assert torch.equal(trunk(image)["stage2"][..., :3, :4], Halves()(image)[1])


@pytest.mark.parametrize("package", ["torchvision", "timm"])
def test_a_missing_package_is_named_with_its_cure(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match=f"needs the package {package}, which is not installed: pip install {package}"):
        build_backbone(BackboneSpec(arch=f"{package}:resnet18"))


def test_a_broken_package_is_told_from_a_missing_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> None:
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr("ssl_motion.backbones.external.import_module", broken)
    with pytest.raises(UsageError, match=r"is installed, but does not work with torch \d.*nms does not exist"):
        build_backbone(BackboneSpec(arch="torchvision:resnet18"))


def test_what_the_name_says_already_cannot_be_set() -> None:
    with pytest.raises(UsageError, match=r"backbone\.width: timm:resnet18"):
        build_backbone(BackboneSpec(arch="timm:resnet18", width=32))
    with pytest.raises(UsageError, match=r"backbone\.norm: torchvision:resnet18"):
        build_backbone(BackboneSpec(arch="torchvision:resnet18", norm="none"))
    with pytest.raises(UsageError, match=r"unknown trunk 'resnet19'.*torchvision:NAME, timm:NAME"):
        build_backbone(BackboneSpec(arch="resnet19"))


def test_the_list_of_trunks_mentions_both_forms() -> None:
    assert {"torchvision:NAME", "timm:NAME"} <= {row["name"] for row in list_backbones()}


@pytest.mark.parametrize(
    ("arch", "channels", "strides"),
    [
        ("torchvision:resnet18", [64, 64, 128, 256, 512], [2, 4, 8, 16, 32]),
        pytest.param("torchvision:convnext_tiny", [96, 192, 384, 768], [4, 8, 16, 32], marks=pytest.mark.slow),
        ("torchvision:mobilenet_v3_small", [16, 72, 96, 288, 576], [2, 4, 8, 16, 32]),
        ("torchvision:regnet_x_400mf", [32, 32, 64, 160, 400], [2, 4, 8, 16, 32]),
        ("torchvision:vgg11_bn", [64, 128, 256, 512, 512, 512], [1, 2, 4, 8, 16, 32]),
        ("timm:resnet18", [64, 64, 128, 256, 512], [2, 4, 8, 16, 32]),
        ("timm:mobilenetv3_small_050", [16, 8, 16, 24, 288], [2, 4, 8, 16, 32]),
        ("timm:convnext_atto", [40, 80, 160, 320], [4, 8, 16, 32]),
    ],
)
def test_stages_have_the_sizes_that_strides_say(arch: str, channels: list[int], strides: list[int]) -> None:
    trunk = build(arch)
    assert list(trunk.channels.values()) == channels
    assert list(trunk.strides.values()) == strides
    for training in (True, False):
        stages = trunk.train(training)(torch.zeros(2, 3, 67, 99))
        assert list(stages) == list(trunk.channels) == [f"stage{1 + index}" for index in range(len(channels))]
        for name, features in stages.items():
            stride = trunk.strides[name]
            assert features.shape == (2, trunk.channels[name], -(-67 // stride), -(-99 // stride)), name


def test_timm_trunks_are_dilated_where_they_can_be() -> None:
    trunk = build("timm:resnet18", output_stride=8)
    assert list(trunk.strides.values()) == [2, 4, 8, 8, 8]
    assert trunk(torch.zeros(2, 3, 64, 64))["stage5"].shape[2:] == (8, 8)
    assert describe(BackboneSpec(arch="timm:resnet18", output_stride=8)) == "timm:resnet18-os8"
    assert list(build("timm:densenet121", output_stride=32).strides.values())[-1] == 32
    with pytest.raises(UsageError, match="densenet121 has stride 32 and cannot have 8"):
        build("timm:densenet121", output_stride=8)


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        ("torchvision:resnet81", "torchvision has no model 'resnet81'. Did you mean 'resnet18'"),
        ("timm:convnext_ato", "timm has no model 'convnext_ato'. Did you mean 'convnext_atto'"),
        ("torchvision:vit_b_16", "cannot serve as a trunk"),
        ("torchvision:alexnet", "cannot serve as a trunk: it has maps at the strides none only"),
        ("timm:vit_tiny_patch16_224", "cannot serve as a trunk"),
        ("timm:inception_v3", "cannot serve as a trunk: of an image of 256 x 320 it makes"),
    ],
)
def test_what_cannot_serve_is_refused(arch: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build(arch)


@pytest.mark.parametrize("arch", ["torchvision:mobilenet_v3_small", "timm:convnext_atto"])
def test_weights_come_back_through_the_gate_into_a_transfer_trunk(arch: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    trunk, spec = build(arch), BackboneSpec(arch=arch)
    draw(trunk, "xavier", 0)
    save_weights(tmp_path, trunk, spec=spec, method="cmp", run=None, pretraining=None, source="a test")
    card, tensors = read_weights(tmp_path)
    assert card.backbone == spec
    fresh = build_backbone(card.backbone)
    load_strict(fresh, tensors, what="test")
    image = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        for given, expected in zip(fresh.eval()(image).values(), trunk.eval()(image).values(), strict=True):
            assert torch.equal(given, expected)
    use_mmseg()
    from ssl_motion.openmmlab.backbone import TrunkBackbone

    start = TrunkBackbone(spec.model_dump(), [trunk.last_stage], weights=str(tmp_path))
    start.init_weights()
    with torch.no_grad():
        assert torch.equal(start.eval()(image)[0], trunk(image)[trunk.last_stage])


def test_looking_at_a_trunk_costs_no_memory() -> None:
    """As plans do."""
    arch = "torchvision:regnet_x_400mf"
    build(arch)
    with torch.device("meta"):
        assert all(parameter.is_meta for parameter in build_backbone(BackboneSpec(arch=arch)).parameters())


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["torchvision:resnet18", "timm:mobilenetv3_small_050"])
def test_a_method_keeps_its_contract_on_them(arch: str) -> None:
    build(arch)
    settings = {
        "decoder_width": 8,
        "strides": [1, 2],
        "guidance": {"kernel_size": 15, "grid_stride": 20},
        "image_channels": 16,
    }
    check_method(CMP, settings, backbone=BackboneSpec(arch=arch), size=96)

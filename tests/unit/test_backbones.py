"""Trunks: names, counts, strides, and what dilation does."""

import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ssl_motion.backbones import BACKBONES, build_backbone
from ssl_motion.errors import UsageError
from ssl_motion.protocols import Backbone
from ssl_motion.spec import BackboneSpec


def build(arch: str, width: int | None = None, output_stride: int | None = None) -> Backbone:
    return build_backbone(BackboneSpec.model_validate({"arch": arch, "width": width, "output_stride": output_stride}))


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("arch", "parameters"),
    [
        # The CMP authors' image encoders without their additional 1x1 convolution to 256 channels.
        ("alexnet_32x", 31_037_760 - (4096 * 256 + 256)),
        ("alexnet_8x", 31_037_760 - (4096 * 256 + 256)),
        ("resnet50", 24_032_576 - (2048 * 256 + 256)),
        # torchvision's published counts without the 1000-way classifier.
        ("resnet18", 11_689_512 - 513_000),
        ("resnet34", 21_797_672 - 513_000),
        ("resnet101", 44_549_160 - 2_049_000),
    ],
)
def test_parameter_counts(arch: str, parameters: int) -> None:
    with torch.device("meta"):
        assert count(build(arch)) == parameters


@pytest.mark.parametrize("arch", list(BACKBONES))
def test_shapes_follow_strides_even_at_odd_sizes(arch: str) -> None:
    net = build(arch, width=12).eval()
    with torch.no_grad():
        stages = net(torch.zeros(1, 3, 67, 99))
    assert list(stages) == list(net.channels) == list(net.strides)
    for name, features in stages.items():
        stride = net.strides[name]
        assert features.shape == (1, net.channels[name], -(-67 // stride), -(-99 // stride)), name


@pytest.mark.parametrize("arch", ["resnet18", "resnet34", "resnet50", "resnet101"])
@pytest.mark.parametrize("output_stride", [4, 8, 16, 32])
def test_resnets_reach_every_output_stride(arch: str, output_stride: int) -> None:
    net = build(arch, width=4, output_stride=output_stride).eval()
    with torch.no_grad():
        deepest = net(torch.zeros(1, 3, 64, 64))["layer4"]
    assert net.strides["layer4"] == output_stride
    assert deepest.shape[-2:] == (64 // output_stride, 64 // output_stride)


def test_own_strides() -> None:
    assert build("alexnet_32x", width=12).strides == {
        "conv1": 4, "conv2": 8, "conv3": 16, "conv4": 16, "conv5": 16, "fc6": 32, "fc7": 32
    }  # fmt: skip
    assert set(build("alexnet_8x", width=12).strides.values()) == {2, 4, 8}
    assert build("alexnet_mini").strides["conv5"] == 8
    assert build("alexnet_mini").channels == {"conv1": 24, "conv2": 64, "conv3": 96, "conv4": 96, "conv5": 64}
    assert build("resnet50").channels == {"stem": 64, "layer1": 256, "layer2": 512, "layer3": 1024, "layer4": 2048}
    assert build("resnet18", output_stride=8).strides == {"stem": 2, "layer1": 4, "layer2": 8, "layer3": 8, "layer4": 8}


@pytest.mark.parametrize("arch", ["resnet18", "resnet50"])
def test_every_block_of_a_dilated_stage_is_dilated_the_first_included(arch: str) -> None:
    net = build(arch, width=4, output_stride=8)
    seen = {"layer3": set(), "layer4": set()}
    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3):
            stage = name.split(".")[0]
            if stage in seen:
                assert module.padding == module.dilation
                assert module.stride == (1, 1)
                seen[stage].add(module.dilation)
            elif stage != "conv1":
                assert module.dilation == (1, 1)
    assert seen == {"layer3": {(2, 2)}, "layer4": {(4, 4)}}


def torchvision_like_names(depths: tuple[int, ...], convolutions: int) -> set[str]:
    """torchvision's ResNet state dict, spelt out from its naming rule, classifier left out."""
    statistics = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    names = {"conv1.weight"} | {f"bn1.{s}" for s in statistics}
    for layer, depth in enumerate(depths, start=1):
        for block in range(depth):
            root = f"layer{layer}.{block}"
            for conv in range(1, convolutions + 1):
                names |= {f"{root}.conv{conv}.weight"} | {f"{root}.bn{conv}.{s}" for s in statistics}
            if block == 0 and (layer > 1 or convolutions == 3):
                names |= {f"{root}.downsample.0.weight"} | {f"{root}.downsample.1.{s}" for s in statistics}
    return names


def test_resnet_names_are_torchvisions_at_every_stride() -> None:
    for stride in (8, 32):
        assert set(build("resnet18", 4, stride).state_dict()) == torchvision_like_names((2, 2, 2, 2), 2)
        assert set(build("resnet50", 4, stride).state_dict()) == torchvision_like_names((3, 4, 6, 3), 3)


def test_resnet_computes_what_torchvision_computes_at_stride_32() -> None:
    models = pytest.importorskip("torchvision.models")
    for arch in ("resnet18", "resnet50"):
        theirs = getattr(models, arch)().eval()
        ours = build(arch).eval()
        ours.load_state_dict({k: v for k, v in theirs.state_dict().items() if not k.startswith("fc.")})
        theirs.avgpool = theirs.fc = nn.Identity()
        image = torch.randn(1, 3, 64, 64)
        with torch.no_grad():
            torch.testing.assert_close(ours(image)["layer4"].flatten(1), theirs(image))


def test_alexnet_names() -> None:
    names = set(build("alexnet_32x", width=12).state_dict())
    for layer in ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"):
        assert {f"{layer}.0.weight", f"{layer}.0.bias", f"{layer}.1.weight", f"{layer}.1.running_var"} <= names
    assert len(names) == 7 * 7
    assert build("alexnet_8x", width=12).state_dict().keys() == names


def dense_block(x: Tensor, p: dict[str, Tensor], root: str, stride: int, dilation: int) -> Tensor:
    """A basic block from its parameters alone, with dilated kernels spelt out as large ones with holes."""

    def conv(x: Tensor, name: str, stride: int) -> Tensor:
        kernel = p[f"{root}.{name}.weight"]
        holes = torch.zeros(*kernel.shape[:2], 2 * dilation + 1, 2 * dilation + 1, dtype=kernel.dtype)
        holes[..., ::dilation, ::dilation] = kernel
        return F.conv2d(x, holes, stride=stride, padding=dilation)

    def norm(x: Tensor, name: str) -> Tensor:
        n = {k: p[f"{root}.{name}.{k}"][:, None, None] for k in ("weight", "bias", "running_mean", "running_var")}
        return (x - n["running_mean"]) / (n["running_var"] + 1e-5).sqrt() * n["weight"] + n["bias"]

    out = norm(conv(x, "conv1", stride), "bn1").clamp(min=0)
    out = norm(conv(out, "conv2", 1), "bn2")
    if f"{root}.downsample.0.weight" in p:
        x = norm(F.conv2d(x, p[f"{root}.downsample.0.weight"], stride=stride), "downsample.1")
    return (out + x).clamp(min=0)


def test_basic_blocks_are_right_at_output_stride_8() -> None:
    torch.manual_seed(0)
    net = build("resnet18", width=4, output_stride=8).double().eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    p = net.state_dict()
    with torch.no_grad():
        stages = net(torch.randn(1, 3, 64, 64, dtype=torch.float64))
        x = stages["layer2"]
        for stage, dilation in (("layer3", 2), ("layer4", 4)):
            for block in (0, 1):
                x = dense_block(x, p, f"{stage}.{block}", stride=1, dilation=dilation)
            torch.testing.assert_close(stages[stage], x, rtol=1e-9, atol=1e-9)


def test_dropout_works_in_training_only() -> None:
    net = build("alexnet_32x", width=12)
    image = torch.randn(2, 3, 64, 64)
    assert (net(image)["fc6"] == 0).float().mean() > 0.6  # ReLU and dropout each zero a half
    net.eval()
    assert torch.equal(net(image)["fc7"], net(image)["fc7"])


def test_wrong_requests_say_what_to_do() -> None:
    with pytest.raises(UsageError, match="Did you mean 'resnet50'"):
        build("resnet5O")
    with pytest.raises(UsageError, match="alexnet_32x has stride 32, not 8"):
        build("alexnet_32x", output_stride=8)
    with pytest.raises(UsageError, match="multiple of 3, such as 15"):
        build("alexnet_mini", width=16)


def test_listing_trunks_imports_no_torch() -> None:
    code = "import sys, ssl_motion.backbones as b; assert b.BACKBONES; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

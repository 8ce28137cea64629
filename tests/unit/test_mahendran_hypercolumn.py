"""Sparse hypercolumns: where a cell lies, what a read is, and which stages are read."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ssl_motion.backbones import build_backbone
from ssl_motion.errors import UsageError
from ssl_motion.hypercolumns import read_bilinear
from ssl_motion.protocols import Backbone
from ssl_motion.spec import BackboneSpec
from ssl_motion_methods.mahendran.hypercolumn import HypercolumnNetwork
from ssl_motion_methods.mahendran.stages import Stage, known_stages, resolve_stages, take_stages


def build(arch: str, width: int = 12) -> Backbone:
    torch.manual_seed(0)
    return build_backbone(BackboneSpec(arch=arch, width=width))


def upsampled(features: Tensor, stride: int, height: int, width: int) -> Tensor:
    """Dense bilinear up-sampling by `stride`, cell i on pixel i * stride, continued by the border's value."""
    rows, columns = features.shape[2:]
    size = ((rows - 1) * stride + 1, (columns - 1) * stride + 1)
    dense = F.interpolate(features, size=size, mode="bilinear", align_corners=True)
    return F.pad(dense, (0, width - size[1], 0, height - size[0]), mode="replicate")


@pytest.mark.parametrize("stride", [1, 2, 4, 8, 16, 32])
def test_reads_equal_dense_up_sampling_at_every_pixel(stride: int) -> None:
    torch.manual_seed(stride)
    height, width = 64, 96
    features = torch.randn(2, 3, -(-height // stride), -(-width // stride), dtype=torch.float64)
    dense = upsampled(features, stride, height, width)
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    points = torch.stack([x, y], dim=-1).reshape(1, -1, 2).expand(2, -1, -1).double()
    read = read_bilinear(features, points, stride)
    torch.testing.assert_close(read, dense.flatten(2).transpose(1, 2), rtol=1e-12, atol=1e-12)
    single = read_bilinear(features.float(), points.float(), stride)
    torch.testing.assert_close(single.double(), read, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("arch", ["alexnet_32x", "alexnet_8x", "alexnet_mini", "resnet18"])
def test_a_cell_lies_where_its_receptive_field_is_centred(arch: str) -> None:
    """The pixels that move a cell's value are spread evenly about pixel i * stride, for every stage."""
    net = build(arch, 6).double().eval()
    for parameter in net.parameters():
        torch.nn.init.constant_(parameter, 0.1)  # everything positive: every pixel of the field counts
    for name, module in net.named_children():
        if isinstance(module, torch.nn.MaxPool2d):  # a maximum takes one pixel of its window, a mean all of them
            setattr(net, name, torch.nn.AvgPool2d(module.kernel_size, module.stride, module.padding))
    image = torch.rand(1, 3, 513, 65, dtype=torch.float64).requires_grad_()
    stages = resolve_stages(net, None)
    for stage, features in zip(stages, take_stages(net, net(image), stages), strict=True):
        cell = features.shape[2] // 2
        (gradient,) = torch.autograd.grad(features[0, :, cell].sum(), image, retain_graph=True)
        rows = gradient.sum(dim=(0, 1, 3)).nonzero()[:, 0]
        assert 0 < rows[0] < rows[-1] < 512, "the image is too small for this test"
        assert (rows[0] + rows[-1]).item() / 2 == cell * stage.stride, stage


def test_stages_of_the_paper() -> None:
    with torch.device("meta"):
        net = build_backbone(BackboneSpec(arch="alexnet_32x"))
    stages = resolve_stages(net, None)
    assert [stage.name for stage in stages] == ["conv1", "pool1", "conv3", "pool5", "fc7"]
    assert [stage.channels for stage in stages] == [96, 96, 384, 256, 4096]
    assert sum(stage.channels for stage in stages) == 4928
    assert [stage.stride for stage in stages] == [4, 8, 16, 32, 32]


@pytest.mark.parametrize(
    ("arch", "names"),
    [
        ("alexnet_8x", ["conv1", "pool1", "conv3", "pool5", "fc7"]),
        ("alexnet_mini", ["conv1", "pool1", "conv3", "conv5"]),
        ("resnet18", ["stem", "layer1", "layer2", "layer3", "layer4"]),
    ],
)
def test_automatic_stages_have_the_shapes_they_say(arch: str, names: list[str]) -> None:
    net = build(arch).eval()
    stages = resolve_stages(net, None)
    assert [stage.name for stage in stages] == names
    assert list(net.channels) == [name for name, stage in known_stages(net).items() if stage.pool is None]
    with torch.no_grad():
        features = take_stages(net, net(torch.randn(1, 3, 70, 90)), stages)
    for stage, value in zip(stages, features, strict=True):
        assert value.shape == (1, stage.channels, -(-70 // stage.stride), -(-90 // stage.stride)), stage


def test_pooled_stages_are_what_the_trunk_itself_goes_on_with() -> None:
    net = build("alexnet_32x").eval()
    with torch.no_grad():
        image = torch.randn(1, 3, 64, 64)
        (pooled,) = take_stages(net, net(image), [known_stages(net)["pool1"]])
        assert torch.equal(net.conv2(pooled), net(image)["conv2"])


def test_wrong_stages_are_named_with_those_there_are() -> None:
    net = build("alexnet_mini")
    with pytest.raises(UsageError, match=r"no stage 'conv6'.*It has: conv1, pool1, conv2, pool2, .*conv5"):
        resolve_stages(net, ["conv1", "conv6", "conv5"])
    with pytest.raises(UsageError, match="do not include conv5, the deepest stage"):
        resolve_stages(net, ["conv1", "conv3"])
    with pytest.raises(UsageError, match=r"no stage 'pool1'.*stem, layer1"):
        resolve_stages(build("resnet18"), ["pool1", "layer4"])


@pytest.mark.parametrize("points", [1, 30, 300, 2000])
def test_the_order_of_reading_and_layer_changes_nothing(points: int) -> None:
    """Whether few or many points are asked for decides which goes first, but not the outcome."""
    torch.manual_seed(0)
    stages = [Stage("a", "a", None, 3, 2), Stage("b", "b", None, 4, 8), Stage("c", "c", None, 2, 8)]
    network = HypercolumnNetwork(stages, hidden=7, outputs=5).double()
    features = [torch.randn(2, s.channels, 64 // s.stride, 48 // s.stride, dtype=torch.float64) for s in stages]
    at = torch.rand(2, points, 2, dtype=torch.float64) * torch.tensor([47.0, 63.0])
    column = torch.cat([read_bilinear(f, at, s.stride) for f, s in zip(features, stages, strict=True)], dim=-1)
    expected = network.output(network.hidden(column).relu())
    torch.testing.assert_close(network(features, at), expected, rtol=1e-10, atol=1e-10)

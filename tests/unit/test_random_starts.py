"""Named random starts: what they draw, that seeds decide it, and that a transfer run really begins there."""

import math
import runpy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from ssl_motion.backbones import build_backbone
from ssl_motion.backbones.initialise import SCHEMES, draw
from ssl_motion.errors import UsageError
from ssl_motion.openmmlab.libraries import use_mmseg
from ssl_motion.record import read_record
from ssl_motion.spec import BackboneSpec, RuntimeSpec, TransferSpec
from ssl_motion.starts import resolve_start
from ssl_motion.store import Store
from ssl_motion.transfer import make_plan, transfer
from ssl_motion.weights import read_weights

make_devkit = runpy.run_path(str(Path(__file__).parents[1] / "voc_devkit.py"))["make_devkit"]
WIDE = BackboneSpec(arch="alexnet_mini", width=48)
SMALL = BackboneSpec(arch="alexnet_mini", width=6)


def layer(scheme: str, seed: int = 0) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """Return a wide convolution (192 channels of 128, 3x3) and its batch norm after a scheme."""
    net = build_backbone(WIDE)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.fill_(7.0)  # whatever was there must be gone
    draw(net, scheme, seed)
    convolution, norm, _ = net.conv3
    assert isinstance(convolution, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    return convolution, norm


@pytest.mark.parametrize(
    ("scheme", "deviation", "uniform", "norm_deviation"),
    [
        ("xavier", math.sqrt(2 / (9 * (128 + 192))), False, 0.0),
        ("cmp", 0.02 * math.sqrt(2 / (9 * (128 + 192))), False, 0.02),
        ("caffe", 0.01, False, 0.0),
        ("torch", 1 / math.sqrt(3 * 9 * 128), True, 0.0),
    ],
)
def test_weights_have_the_distribution_that_the_scheme_says(
    scheme: str, deviation: float, uniform: bool, norm_deviation: float
) -> None:
    convolution, norm = layer(scheme)
    weight = convolution.weight.detach()
    assert weight.std().item() == pytest.approx(deviation, rel=0.01)
    assert abs(weight.mean().item()) < 0.01 * deviation
    # A uniform distribution ends at sqrt(3) deviations; a normal one goes beyond three.
    furthest = weight.abs().max().item() / deviation
    assert (furthest <= math.sqrt(3) * 1.001) if uniform else (furthest > 3)
    assert norm.weight.std().item() == pytest.approx(norm_deviation, rel=0.2)
    assert norm.weight.mean().item() == pytest.approx(1.0, abs=0.01)
    assert not norm.bias.any()
    assert convolution.bias is not None
    assert bool(convolution.bias.any()) is (scheme == "torch")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_seed_decides_and_nothing_else_is_drawn_from(scheme: str) -> None:
    before = torch.random.get_rng_state()
    first = layer(scheme)[0].weight
    torch.manual_seed(99)
    assert torch.equal(layer(scheme)[0].weight, first)
    assert not torch.equal(layer(scheme, seed=1)[0].weight, first)
    torch.random.set_rng_state(before)
    draw(build_backbone(BackboneSpec(arch="resnet18", width=4)), scheme, 0)


def test_unknown_schemes_are_told_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"random:xavierr: unknown scheme\. Did you mean 'xavier'\?.*random:caffe"):
        resolve_start("random:xavierr", SMALL, Store(tmp_path))


def spec(init: str, seed: int = 0) -> TransferSpec:
    backbone = {"arch": SMALL.arch, "width": SMALL.width}
    task: dict[str, Any] = {"preset": "voc12_fcn_small", "backbone": backbone, "iterations": 1, "batch_size": 2}
    return TransferSpec(task="voc_fcn", task_config={**task, "crop": 48}, init=init, seed=seed)


def test_a_run_begins_there_and_its_record_says_so(tmp_path: Path) -> None:
    data = Path(make_devkit(tmp_path / "data", train=2, val=1))
    store = Store(tmp_path / "runs")
    done = transfer(spec("random:xavier", seed=3), RuntimeSpec(device="cpu", threads=1), store, data)
    record = read_record(done.path / "record.json")
    assert (record.method, record.pretraining, record.spec["init"]) == ("random (xavier)", None, "random:xavier")
    expected = build_backbone(SMALL)
    draw(expected, "xavier", 3)
    _, tensors = read_weights(done.path / "init")
    use_mmseg()
    from ssl_motion.openmmlab.backbone import TrunkBackbone

    start = TrunkBackbone(SMALL.model_dump(), ["conv5"], weights=str(done.path / "init"))
    start.init_weights()
    for name, value in expected.state_dict().items():
        assert torch.equal(tensors[name], value), name
        assert torch.equal(start.trunk.state_dict()[name], value), name
    identities = {
        make_plan(spec(init), store, data).folder.identity for init in ("random", "random:cmp", "random:xavier")
    }
    assert len(identities) == 3
    assert "random-xavier" in done.path.name

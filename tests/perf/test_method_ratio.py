"""What each method adds to its trunk: forward and backward of the method beside those of the bare trunk.

Both run on the same images in the same process, in turns, on one thread; CPU time, so that other load hardly counts.
`pytest -m perf tests/perf/test_method_ratio.py -s` prints every ratio; the bounds hold for the methods that have one.
"""

import time
from collections.abc import Callable
from typing import Any

import pytest
import torch

from ssl_motion.backbones import build_backbone
from ssl_motion.plugins import METHODS, available, load
from ssl_motion.protocols import PretrainMethod
from ssl_motion.spec import BackboneSpec
from ssl_motion.testing import example_batch, example_sample

pytestmark = pytest.mark.perf
SIZE = 384
ALEXNET, RESNET = "alexnet_32x, batch 12", "resnet50 of stride 8, batch 2"
TRUNKS = {
    ALEXNET: (BackboneSpec(arch="alexnet_32x"), 12),
    RESNET: (BackboneSpec(arch="resnet50", output_stride=8), 2),
}
BOUNDS: dict[str, dict[str, float]] = {
    "cmp": {ALEXNET: 1.6, RESNET: 1.3},
    "walker": {ALEXNET: 1.6, RESNET: 1.3},
    "mahendran": {ALEXNET: 1.3, RESNET: 1.3},
    "pathak": {ALEXNET: 1.3, RESNET: 1.3},
}
# What a method cannot do without; all else is at its default.
SETTINGS: dict[str, dict[str, Any]] = {"pathak": {"image_size": SIZE}}
NAMES = [plugin.name for plugin in available(METHODS) if plugin.target.startswith("ssl_motion_methods.")]
ROUNDS = 3


def build(name: str, spec: BackboneSpec) -> PretrainMethod:
    kind: type[PretrainMethod] = load(METHODS, name)
    config = kind.Config.model_validate(SETTINGS.get(name, {}))
    samples = [example_sample(size=SIZE, seed=seed, layers=kind.layers(config)) for seed in range(4)]
    config = kind.fit(config, samples, "example data")
    torch.manual_seed(0)
    return kind(config, build_backbone(spec)).train()


def seconds(step: Callable[[], None]) -> float:
    began = time.process_time()
    step()
    return time.process_time() - began


def test_every_bounded_method_is_installed() -> None:
    assert set(BOUNDS) <= set(NAMES)


@pytest.mark.parametrize("trunk", TRUNKS)
@pytest.mark.parametrize("name", NAMES)
def test_step_beside_the_bare_trunk(name: str, trunk: str, capsys: pytest.CaptureFixture[str]) -> None:
    spec, size = TRUNKS[trunk]
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    method = build(name, spec)
    batch = example_batch(method, ("moving",) * size, size=SIZE)
    bare = build_backbone(spec).train()
    last = bare(batch["image"])[bare.last_stage].detach()
    gradient = torch.randn_like(last)

    def bare_step() -> None:
        bare.zero_grad(set_to_none=True)
        bare(batch["image"])[bare.last_stage].backward(gradient)

    def method_step() -> None:
        method.zero_grad(set_to_none=True)
        losses = method.losses(batch)
        torch.stack([value for key, value in losses.items() if "loss" in key]).sum().backward()

    try:
        bare_step()
        method_step()
        rounds = [(seconds(method_step), seconds(bare_step)) for _ in range(ROUNDS)]
    finally:
        torch.set_num_threads(before)
    # Other load on the machine only adds to a step's time, so the least of each is nearest the truth.
    own, trunk_alone = (min(column) for column in zip(*rounds, strict=True))
    bound = BOUNDS.get(name, {}).get(trunk)
    with capsys.disabled():
        print(
            f"\n{name} on {trunk}, {SIZE} px: {own / size:.3f} CPU s an image, bare trunk {trunk_alone / size:.3f}, "
            f"ratio {own / trunk_alone:.2f} ({'no bound' if bound is None else f'at most {bound}'})"
        )
    if bound is not None:
        assert own <= bound * trunk_alone

"""Both of Mahendran's methods keep the contract on every kind of trunk."""

from typing import Any

import pytest

from ssl_motion.plugins import METHODS, load
from ssl_motion.spec import BackboneSpec
from ssl_motion.testing import check_method

SMALL: dict[str, Any] = {"points": 32, "hidden": 16}
MINI = BackboneSpec(arch="alexnet_mini", width=12)
SIMILARITY, DIRECT = "mahendran", "mahendran_direct"


@pytest.mark.parametrize(
    ("name", "settings", "backbone", "size"),
    [
        (SIMILARITY, {}, MINI, 96),
        (SIMILARITY, {"batch_norm": "affine_free", "absorb_batch_norm": True, "saturation": 24}, MINI, 64),
        (SIMILARITY, {}, BackboneSpec(arch="alexnet_32x", width=6), 128),
        (SIMILARITY, {"points": 300}, BackboneSpec(arch="resnet18", width=8), 64),
        (SIMILARITY, {"stages": ["stem", "layer4"]}, BackboneSpec(arch="resnet50", width=4, output_stride=8), 64),
        (DIRECT, {}, MINI, 96),
        (DIRECT, {"stages": ["conv2", "pool2", "conv5"]}, BackboneSpec(arch="alexnet_mini", width=12, norm="none"), 64),
        (DIRECT, {"points": 300}, BackboneSpec(arch="alexnet_8x", width=6), 64),
        (DIRECT, {}, BackboneSpec(arch="resnet34", width=4, output_stride=16), 64),
        # Images smaller than the stride are read as one cell.
        (SIMILARITY, {}, BackboneSpec(arch="resnet18", width=8), 24),
        (DIRECT, {}, BackboneSpec(arch="resnet18", width=8), 24),
    ],
)
def test_they_keep_the_contract(name: str, settings: dict[str, Any], backbone: BackboneSpec, size: int) -> None:
    check_method(load(METHODS, name), {**SMALL, **settings}, backbone=backbone, size=size)


@pytest.mark.slow
@pytest.mark.parametrize("name", [SIMILARITY, DIRECT])
def test_they_keep_it_on_resnet_101(name: str) -> None:
    check_method(load(METHODS, name), SMALL, backbone=BackboneSpec(arch="resnet101", width=4, output_stride=8), size=64)

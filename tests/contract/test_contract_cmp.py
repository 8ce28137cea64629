"""CMP keeps the contract of pretraining methods on every kind of trunk and with its options."""

from typing import Any

import pytest

from ssl_motion.plugins import METHODS, load
from ssl_motion.spec import BackboneSpec
from ssl_motion.testing import check_method

SMALL_CMP: dict[str, Any] = {
    "guidance": {"kernel_size": 15, "grid_stride": 20},
    "decoder_width": 16,
    "image_channels": 24,
}


@pytest.mark.parametrize(
    ("settings", "backbone", "size"),
    [
        ({}, BackboneSpec(arch="alexnet_mini", width=12), 96),
        ({"guidance": {"strategies": []}}, BackboneSpec(arch="alexnet_mini", width=12), 64),
        ({"bins": 21, "boundary": 10.5, "guidance_channels": 3}, BackboneSpec(arch="alexnet_8x", width=12), 64),
        ({}, BackboneSpec(arch="alexnet_32x", width=12), 128),
        ({"decoder": "skip", "strides": [1, 2, 4, 8]}, BackboneSpec(arch="resnet18", width=8, output_stride=8), 64),
        ({"strides": [1, 2]}, BackboneSpec(arch="resnet50", width=4, output_stride=8), 64),
        ({"initialisation": "default"}, BackboneSpec(arch="resnet34", width=4, output_stride=16), 64),
    ],
)
def test_cmp_keeps_the_contract(settings: dict[str, Any], backbone: BackboneSpec, size: int) -> None:
    check_method(load(METHODS, "cmp"), {**SMALL_CMP, **settings}, backbone=backbone, size=size)

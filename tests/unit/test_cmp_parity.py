"""CMP computes what its authors' code computes, from parameters under their names.

A naive float64 reference, written from the published description alone, stands in
for the authors' code on narrow networks; where the folder with outputs of their code
itself is there ($SSL_MOTION_PARITY, else ../shared/parity), those are met too.
"""

import json
import os
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ssl_motion.errors import UsageError
from ssl_motion_methods.cmp import CMPNetwork, FlowBins, load_original
from ssl_motion_methods.cmp.loss import flow_cross_entropy
from ssl_motion_methods.cmp.original import guess_config

_naive = runpy.run_path(str(Path(__file__).parents[1] / "cmp_network_reference.py"))
inputs, model_shapes, naive_flow, naive_logits, naive_loss, recipe = (
    _naive[name] for name in ("inputs", "model_shapes", "naive_flow", "naive_logits", "naive_loss", "recipe")
)
Parameters = dict[str, Tensor]
PARITY = Path(os.environ.get("SSL_MOTION_PARITY", Path(__file__).resolve().parents[3] / "shared" / "parity"))


def close(found: Tensor, expected: Tensor) -> None:
    """Agreement to 1e-4 of the expected values' scale."""
    assert found.shape == expected.shape
    assert float((found.double() - expected.double()).abs().max()) <= 1e-4 * float(expected.abs().max())


def check(network: CMPNetwork, data: tuple[Tensor, Tensor, Tensor], logits: Tensor, flow: Tensor, loss: float) -> None:
    image, sparse, target = data
    with torch.no_grad():
        ours = network(image, sparse)
        close(ours, logits)
        bins = FlowBins()
        close(bins.expectation(ours), flow)
        loss_x, loss_y = flow_cross_entropy(ours, target, bins)
    assert float(loss_x + loss_y) == pytest.approx(loss, rel=1e-4)


PLAIN = {"output_dim": 198, "sparse_enc_dim": 16, "flow_decoder": "MotionDecoderPlain", "skip_layer": False}
CASES = {
    "alexnet_32x": (
        {**PLAIN, "image_encoder": "alexnet_fcn_32x", "sparse_encoder": "shallownet32x", "decoder_combo": [1, 2, 4]},
        12, (128, 160),
    ),
    "alexnet_8x": (
        {**PLAIN, "image_encoder": "alexnet_fcn_8x", "sparse_encoder": "shallownet8x", "decoder_combo": [1, 4]},
        12, (32, 48),
    ),
    "resnet50": (
        {**PLAIN, "image_encoder": "resnet50", "sparse_encoder": "shallownet8x", "decoder_combo": [1, 2, 4, 8]},
        8, (64, 72),
    ),
    "resnet50_skip": (
        {**PLAIN, "image_encoder": "resnet50", "sparse_encoder": "shallownet8x", "decoder_combo": [1, 2, 4],
         "flow_decoder": "MotionDecoderSkipLayer", "skip_layer": True},
        8, (64, 80),
    ),
}  # fmt: skip


def narrow(case: str) -> tuple[dict[str, Any], Parameters, tuple[Tensor, Tensor, Tensor]]:
    config, w, (height, width) = CASES[case]
    config = {**config, "img_enc_dim": 24, "pretrained_image_encoder": False}
    shapes = model_shapes(config["image_encoder"], w, 24, 8, config["decoder_combo"], config["skip_layer"])
    return config, recipe(shapes, seed=5), inputs(5, height, width)


@pytest.mark.parametrize("case", list(CASES))
@pytest.mark.parametrize("prefix", ["", "module."])
def test_narrow_networks_equal_the_naive_reference(case: str, prefix: str) -> None:
    config, parameters, data = narrow(case)
    network = load_original({prefix + name: value for name, value in parameters.items()}, config)
    logits = naive_logits(parameters, config, data[0], data[1])
    assert float(logits.std()) > 0.05, "a reference that is constant would prove nothing"
    check(network, data, logits, naive_flow(logits), naive_loss(logits, data[2]))


def test_config_can_be_read_off_a_checkpoint() -> None:
    for case in CASES:
        config, parameters, _ = narrow(case)
        checkpoint = {"step": 3, "state_dict": {f"module.{k}": v for k, v in parameters.items()}, "optimizer": {}}
        guessed = guess_config(checkpoint, stride=8 if case == "alexnet_8x" else None)
        wanted = {key: value for key, value in config.items() if key in guessed}
        if config["skip_layer"]:
            wanted["decoder_combo"] = [1, 2, 4, 8]
        assert guessed == wanted
        if case != "alexnet_8x":
            assert load_original(checkpoint).config == load_original(parameters, config).config


def test_faults_of_a_checkpoint_are_named() -> None:
    config, parameters, _ = narrow("resnet50")
    some = "flow_decoder.decoder4.1.weight"
    with pytest.raises(UsageError, match=r"holds nothing for head\.decoder\.propagation\.nets\.4\.1\.weight"):
        load_original({k: v for k, v in parameters.items() if k != some}, config)
    with pytest.raises(UsageError, match=r"decoder4.1.weight has shape \(1, 2\)"):
        load_original({**parameters, some: torch.zeros(1, 2)}, config)
    with pytest.raises(UsageError, match=r"flow_decoder\.extra has no place"):
        load_original({**parameters, "flow_decoder.extra": torch.zeros(1)}, config)
    with pytest.raises(UsageError, match="must agree"):
        load_original(parameters, {**config, "sparse_encoder": "shallownet32x"})
    with pytest.raises(UsageError, match="image_encoder"):
        load_original(parameters, {**config, "image_encoder": "vgg"})
    with pytest.raises(UsageError, match="flow_criterion"):
        load_original(parameters, {**config, "flow_criterion": "L1Loss"})
    with pytest.raises(UsageError, match="no tensors"):
        load_original({"step": 3}, config)
    with pytest.raises(UsageError, match=r"flow_decoder\.head\.weight"):
        load_original({k: v for k, v in parameters.items() if k.startswith("image_encoder.")})


@pytest.mark.parametrize("name", ["cmp_alexnet_1-2-4_160x192", "cmp_resnet50_1-2-4_64x96"])
def test_outputs_of_the_authors_code_are_reproduced(name: str) -> None:
    if not (PARITY / f"{name}.json").is_file():
        pytest.skip(f"needs outputs of the authors' code; {PARITY} has no {name}.json (set SSL_MOTION_PARITY)")
    about = json.loads((PARITY / f"{name}.json").read_text())
    with np.load(PARITY / f"{name}.npz") as file:
        logits, flow, loss = (file[key] for key in ("logits", "flow", "loss_full"))
    shapes = {key: tuple(shape) for key, shape in about["parameters"].items()}
    network = load_original(recipe(shapes, about["seed"]), about["config"])
    data = inputs(about["seed"], about["height"], about["width"])
    check(network, data, torch.from_numpy(logits), torch.from_numpy(flow), float(loss))

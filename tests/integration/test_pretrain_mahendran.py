"""Mahendran's methods in a real run: it learns, and hands over a trunk without batch norms where asked to."""

import runpy
from pathlib import Path

import pytest
import torch
from torch import nn

from ssl_motion.backbones import build_backbone
from ssl_motion.engine.pretrain import pretrain
from ssl_motion.spec import BackboneSpec, RuntimeSpec
from ssl_motion.store import Store
from ssl_motion.weights import load_strict, read_weights

_tiny_runs = runpy.run_path(str(Path(__file__).resolve().parents[1] / "tiny_runs.py"))
write_pairs, tiny_spec, weights, log = (_tiny_runs[name] for name in ("write_pairs", "tiny_spec", "weights", "log"))
CPU = RuntimeSpec(device="cpu", threads=1)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = write_pairs(tmp_path_factory.mktemp("pairs"), train=48, val=16)
    return folder


@pytest.mark.parametrize("method", ["mahendran", "mahendran_direct"])
def test_training_uses_the_images_and_lowers_the_held_out_loss(method: str, pairs: Path, tmp_path: Path) -> None:
    settings = {"points": 64, "hidden": 32, "saturation": 8}
    spec = tiny_spec(pairs, method=method, method_config=settings, iterations=48, batch_size=8, validate_every=12)
    folder = pretrain(spec, CPU, Store(tmp_path))
    validations = [line for line in log(folder) if "val/loss" in line]
    assert validations[-1]["val/loss"] < validations[0]["val/loss"]
    assert folder.summary["uses_image"] is True
    if method == "mahendran":
        training = [line for line in log(folder) if "train/loss" in line]
        assert {"train/kl", "train/kl_ratio", "train/sigma"} <= training[0].keys()
        assert validations[-1]["val/kl_ratio"] < 0.8 * validations[0]["val/kl_ratio"]
        assert training[-1]["train/sigma"] != pytest.approx(0.08, abs=1e-4)  # it is learned


def test_the_trunk_is_handed_over_without_batch_norms(pairs: Path, tmp_path: Path) -> None:
    settings = {"points": 64, "hidden": 16, "batch_norm": "affine_free", "absorb_batch_norm": True}
    folder = pretrain(tiny_spec(pairs, method="mahendran", method_config=settings), CPU, Store(tmp_path))
    card, tensors = read_weights(folder.path)
    assert card.backbone == BackboneSpec(arch="alexnet_mini", width=6, norm="none")
    plain = build_backbone(card.backbone).eval()
    load_strict(plain, tensors, what="the run")
    trained = build_backbone(BackboneSpec(arch="alexnet_mini", width=6)).eval()
    prefix = "method.backbone."
    state = {key.removeprefix(prefix): value for key, value in weights(folder).items() if key.startswith(prefix)}
    trained.load_state_dict(state, strict=False)
    for part in trained.modules():
        if isinstance(part, nn.BatchNorm2d):
            assert (part.weight == 1).all()
            assert (part.bias == 0).all()
    image = torch.randn(2, 3, 48, 48)
    with torch.no_grad():
        for stage, features in trained(image).items():
            assert (plain(image)[stage] - features).abs().max() <= 1e-5 * features.abs().max()

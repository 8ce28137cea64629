"""The linear read-out: the trunk stays exactly as it is, and what is linear in the features is read."""

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from torch import Tensor

from ssl_motion.backbones import build_backbone
from ssl_motion.openmmlab.libraries import use_mmseg
from ssl_motion.record import read_record
from ssl_motion.spec import BackboneSpec, PuppetsSpec, RuntimeSpec, TransferSpec
from ssl_motion.store import Store
from ssl_motion.transfer import transfer
from ssl_motion.weights import save_weights
from ssl_motion_benchmarks.voc_fcn import VocFCN

TRUNK = BackboneSpec(arch="alexnet_mini", width=6)
WORLD = PuppetsSpec(size=32, pairs=2, val_pairs=2, train_images=6, val_images=2, test_images=3)


def _start(folder: Path) -> dict[str, Tensor]:
    """Save a trunk whose every tensor, statistics included, is far from what a fresh one holds (batches counted: 0)."""
    torch.manual_seed(7)
    trunk = build_backbone(TRUNK)
    for name, tensor in trunk.state_dict().items():
        if tensor.is_floating_point():
            noise = torch.randn_like(tensor)
            tensor.copy_(noise.abs() + 0.5 if name.endswith("running_var") else noise)
    save_weights(folder, trunk, spec=TRUNK, method="cmp", run=None, pretraining=None, source="")
    return {name: tensor.clone() for name, tensor in trunk.state_dict().items()}


def test_no_tensor_of_the_trunk_changes_and_the_head_does(tmp_path: Path) -> None:
    start = _start(tmp_path / "start")
    task_config = {"preset": "puppets_linear", "backbone": TRUNK.model_dump(), "iterations": 5, "batch_size": 2}
    spec = TransferSpec(task="voc_fcn", task_config=task_config, init=str(tmp_path / "start"), puppets=WORLD)
    run = transfer(spec, RuntimeSpec(device="cpu"), Store(tmp_path / "runs"))
    last = sorted((run.path / "checkpoints").glob("iter_*.pth"))[-1]
    state: dict[str, Tensor] = torch.load(last, weights_only=True)["state_dict"]
    for name, tensor in start.items():
        assert torch.equal(state.pop(f"backbone.trunk.{name}"), tensor), name
    assert not [name for name in state if name.startswith("backbone.")]
    assert state["decode_head.conv_seg.bias"].abs().min() > 0
    assert int(state["decode_head.normalise.num_batches_tracked"]) == 5
    protocol = read_record(run.path / "record.json").protocol
    assert (protocol["frozen_stages"], protocol["bn_policy"]) == ("all", "stored statistics")
    assert protocol["backbone"]["frozen"] is True


def test_fine_tuning_is_another_protocol() -> None:
    tuned, linear = (
        VocFCN(VocFCN.Config.model_validate({"preset": preset})).protocol()
        for preset in ("puppets_fcn", "puppets_linear")
    )
    different = {name for name in tuned if tuned[name] != linear[name]}
    assert {"backbone", "bn_policy", "frozen_stages", "head"} <= different
    assert not different & {"augmentation", "effective_batch", "train_split", "val_split", "dataset", "metric"}


def _network() -> Any:
    use_mmseg()
    from mmseg.registry import MODELS

    recipe = VocFCN(VocFCN.Config.model_validate({"preset": "puppets_linear"})).recipe()
    with MODELS.switch_scope_and_registry("mmseg"):
        model = MODELS.build(Config({"model": recipe["model"]}).model)
    model.init_weights()
    return model


def test_training_mode_reaches_the_head_alone_and_no_gradient_the_trunk() -> None:
    model = _network().train()
    assert not any(part.training for part in model.backbone.trunk.modules())
    assert model.decode_head.normalise.training
    (features,) = model.backbone(torch.randn(2, 3, 32, 32))
    assert not features.requires_grad
    assert {name for name, value in model.named_parameters() if value.requires_grad} == {
        "decode_head.conv_seg.weight",
        "decode_head.conv_seg.bias",
    }


def _accuracy_of_a_read_out(features_BCHW: Tensor, labels_BHW: Tensor) -> float:
    """Fit the head to one half of the images; pixel accuracy on the other half."""
    torch.manual_seed(0)
    head = _network().decode_head.train()
    optimiser = torch.optim.AdamW(head.parameters(), lr=1e-2)
    half = len(features_BCHW) // 2
    for _ in range(150):
        loss = torch.nn.functional.cross_entropy(head((features_BCHW[:half],)), labels_BHW[:half])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        guess = head.eval()((features_BCHW[half:],)).argmax(1)
    return float((guess == labels_BHW[half:]).float().mean())


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_planted_linear_features_are_read_at_any_scale(scale: float) -> None:
    torch.manual_seed(3)
    labels = torch.randint(0, 9, (24, 6, 6))
    code = torch.linalg.qr(torch.randn(64, 64)).Q[:, :9]
    features = torch.einsum("ck,bhwk->bchw", code, torch.nn.functional.one_hot(labels, 9).float())
    features = (features + 0.02 * torch.randn(24, 64, 6, 6) + 0.3) * scale
    assert _accuracy_of_a_read_out(features, labels) > 0.99


def test_what_is_not_linear_in_the_features_is_not_read() -> None:
    torch.manual_seed(3)
    signs = torch.randint(0, 2, (24, 64, 6, 6)).float()
    labels = (signs[:, 0] != signs[:, 1]).long()  # exclusive or of two channels
    assert _accuracy_of_a_read_out(signs, labels) < 0.6

"""A trunk whose batch norms were absorbed is transferred like any other, and never confused with one that has them."""

import runpy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from ssl_motion.backbones import build_backbone
from ssl_motion.backbones.absorb import absorb_batch_norm
from ssl_motion.errors import UsageError
from ssl_motion.record import Pretraining, read_record
from ssl_motion.spec import BackboneSpec, RuntimeSpec, TransferSpec
from ssl_motion.store import Store
from ssl_motion.transfer import make_plan, transfer
from ssl_motion.weights import read_weights, save_weights

make_devkit = runpy.run_path(str(Path(__file__).parents[1] / "voc_devkit.py"))["make_devkit"]
TRUNK = BackboneSpec(arch="alexnet_mini", width=6)
PLAIN = {"arch": "alexnet_mini", "width": 6, "norm": "none"}


def spec(init: str, backbone: dict[str, Any]) -> TransferSpec:
    task = {"preset": "voc12_fcn_small", "backbone": backbone, "iterations": 2, "batch_size": 4, "crop": 48}
    return TransferSpec(task="voc_fcn", task_config=task, init=init)


@pytest.fixture(scope="module")
def devkit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(make_devkit(tmp_path_factory.mktemp("data"), train=4, val=2))


@pytest.fixture
def absorbed(tmp_path: Path) -> Path:
    torch.manual_seed(3)
    net = build_backbone(TRUNK).train()
    with torch.no_grad():
        for part in net.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.momentum = 1.0
        net(torch.randn(4, 3, 64, 64))
    plain, plain_spec = absorb_batch_norm(net.eval(), TRUNK)
    seen = Pretraining(data="clips", pairs=12)
    folder = tmp_path / "absorbed"
    save_weights(folder, plain, spec=plain_spec, method="mahendran", run=None, pretraining=seen, source="a test")
    return folder


def test_it_is_transferred_and_all_of_it_is_trained(tmp_path: Path, devkit: Path, absorbed: Path) -> None:
    done = transfer(spec(str(absorbed), PLAIN), RuntimeSpec(device="cpu"), Store(tmp_path), devkit)
    record = read_record(done.path / "record.json")
    assert (record.method, record.backbone) == ("mahendran", "alexnet_mini-w6-norm-none")
    last = sorted((done.path / "checkpoints").glob("iter_*.pth"))[-1]
    state = torch.load(last, weights_only=True)["state_dict"]
    _, before = read_weights(absorbed)
    trained = {name.removeprefix("backbone.trunk."): tensor for name, tensor in state.items() if "backbone." in name}
    assert trained.keys() == before.keys()
    for name, tensor in before.items():
        # Two steps of AdamW from there: close to the start (so it was the start), but not it (so it was trained).
        assert 0 < (trained[name] - tensor).abs().max() < 0.05, name


def test_it_shares_no_protocol_with_a_trunk_that_has_batch_norms(tmp_path: Path, devkit: Path, absorbed: Path) -> None:
    store = Store(tmp_path)
    without = make_plan(spec(str(absorbed), PLAIN), store, devkit).protocol
    assert without == make_plan(spec("random", PLAIN), store, devkit).protocol
    assert without != make_plan(spec("random", TRUNK.model_dump()), store, devkit).protocol


def test_a_task_that_trains_batch_norms_refuses_it_and_says_what_to_give(
    tmp_path: Path, devkit: Path, absorbed: Path
) -> None:
    with pytest.raises(UsageError, match=r"alexnet_mini-w6-norm-none.*--set backbone\.norm=none"):
        make_plan(spec(str(absorbed), TRUNK.model_dump()), Store(tmp_path), devkit)
    folder = tmp_path / "with"
    save_weights(folder, build_backbone(TRUNK), spec=TRUNK, method="cmp", run=None, pretraining=None, source="a test")
    with pytest.raises(UsageError, match=r"trunk is alexnet_mini-w6, the task trains alexnet_mini-w6-norm-none"):
        make_plan(spec(str(folder), PLAIN), Store(tmp_path), devkit)

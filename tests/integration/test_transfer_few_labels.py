"""Few labels and frozen stages in a whole run: what is trained on is kept, what is frozen does not move."""

import runpy
from pathlib import Path

import pytest
import torch

from ssl_motion.backbones import build_backbone
from ssl_motion.backbones.freezing import stage_parameters
from ssl_motion.data import label_lists
from ssl_motion.record import read_record
from ssl_motion.spec import BackboneSpec, RuntimeSpec, TransferSpec
from ssl_motion.store import Store
from ssl_motion.transfer import make_plan, transfer
from ssl_motion.weights import save_weights

make_devkit = runpy.run_path(str(Path(__file__).parents[1] / "voc_devkit.py"))["make_devkit"]
TRUNK = BackboneSpec(arch="alexnet_mini", width=6)


@pytest.mark.parametrize(
    ("asked", "fact"), [({"shots": 1}, {"shots": 1}), ({"label_fraction": 0.25}, {"fraction": 0.25})]
)
def test_a_run_on_few_labels_with_frozen_stages(
    tmp_path: Path, asked: dict[str, float], fact: dict[str, float]
) -> None:
    devkit = Path(make_devkit(tmp_path / "data", train=12, val=2))
    torch.manual_seed(3)
    trunk = build_backbone(TRUNK)
    save_weights(tmp_path / "start", trunk, spec=TRUNK, method="cmp", run=None, pretraining=None, source="")
    settings = {"preset": "voc12_fcn_small", "backbone": TRUNK.model_dump(), "iterations": 3, "batch_size": 4}
    spec = TransferSpec(
        task="voc_fcn", task_config={**settings, **asked, "freeze_to": "conv2"}, init=str(tmp_path / "start")
    )
    store = Store(tmp_path / "runs")
    done = transfer(spec, RuntimeSpec(device="cpu"), store, devkit)
    record = read_record(done.path / "record.json")
    names = (done.path / "labelled/train.txt").read_text(encoding="utf-8").split()
    assert record.details["labelled images"]["images"] == len(names) < 12
    assert record.protocol["labels"] == {**fact, "rule": label_lists.RULE}
    assert record.protocol["frozen_stages"] == "up to conv2"
    (last,) = (done.path / "checkpoints").glob("iter_*.pth")
    state = torch.load(last, weights_only=True)["state_dict"]
    kept = stage_parameters(trunk, "conv2")
    for name, start in trunk.state_dict().items():
        now = state[f"backbone.trunk.{name}"]
        if name in kept or name.startswith(("conv1.1.", "conv2.1.")):
            assert torch.equal(now, start), name
        elif name.endswith("weight"):
            assert not torch.equal(now, start), name
    everything = TransferSpec(task="voc_fcn", task_config=settings, init=str(tmp_path / "start"))
    assert make_plan(everything, store, devkit).folder != done

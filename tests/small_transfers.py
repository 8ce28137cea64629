"""Short transfers by the FCN recipe on a tiny devkit, for tests of transfer (read with `runpy`)."""

from pathlib import Path
from typing import Any

import torch

from ssl_motion.spec import RuntimeSpec, TransferSpec
from ssl_motion.store import RunFolder, Store
from ssl_motion.transfer import transfer

TRUNK = {"arch": "alexnet_mini", "width": 6}
TASK = {"preset": "voc12_fcn_small", "backbone": TRUNK, "iterations": 6, "batch_size": 4, "crop": 48}
CPU = RuntimeSpec(device="cpu")


def spec(init: str = "random", seed: int = 0, **settings: Any) -> TransferSpec:
    return TransferSpec(task="voc_fcn", task_config={**TASK, **settings}, init=init, seed=seed)


def run(folder: Path, devkit: Path, what: TransferSpec, **options: Any) -> RunFolder:
    return transfer(what, options.pop("runtime", CPU), Store(folder), devkit, **options)


def final_state(folder: RunFolder) -> dict[str, torch.Tensor]:
    last = sorted((folder.path / "checkpoints").glob("iter_*.pth"))[-1]
    content = torch.load(last, weights_only=True)
    state: dict[str, torch.Tensor] = content["state_dict"]
    return state


def same(first: RunFolder, second: RunFolder) -> bool:
    one, two = final_state(first), final_state(second)
    assert one.keys() == two.keys()
    return all(torch.equal(one[name], two[name]) for name in one)

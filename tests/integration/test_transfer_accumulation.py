"""Several backward passes per optimiser step: the whole run, its gradient's scale, and exact resuming."""

import itertools
import runpy
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from ssl_motion.engine import hooks
from ssl_motion.engine.checkpoint import write_checkpoint
from ssl_motion.errors import UsageError
from ssl_motion.spec import RuntimeSpec, TransferSpec
from ssl_motion.store import RunFolder, Store
from ssl_motion.transfer import make_plan, transfer

make_devkit = runpy.run_path(str(Path(__file__).parents[1] / "voc_devkit.py"))["make_devkit"]
ITERATIONS = 8  # of 4 passes: a multiple of 4, as the preset's 42,000 are


@pytest.fixture(scope="module")
def devkit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A devkit with a train list of SBD's layout."""
    root = Path(make_devkit(tmp_path_factory.mktemp("data")))
    voc = next(path.parent for path in [*root.rglob("JPEGImages")])
    shutil.copytree(voc / "SegmentationClass", voc / "SegmentationClassAug", dirs_exist_ok=True)
    lists = voc / "ImageSets" / "Segmentation"
    shutil.copy(lists / "train.txt", lists / "trainaug.txt")
    return root


def spec(**overrides: Any) -> TransferSpec:
    settings = {
        "preset": "voc12_fcn32s_alexnet_zhan",
        "backbone": {"arch": "alexnet_mini", "width": 6},
        "iterations": ITERATIONS,
        "batch_size": 8,
        "crop": 48,
    }
    return TransferSpec(task="voc_fcn", task_config=settings, recipe_overrides={"checkpoint_every": 1, **overrides})


def run(runs: Path, devkit: Path, what: TransferSpec) -> RunFolder:
    return transfer(what, RuntimeSpec(device="cpu", threads=1), Store(runs), devkit)


def state(path: Path) -> dict[str, torch.Tensor]:
    content: dict[str, torch.Tensor] = torch.load(path, weights_only=True)["state_dict"]
    return content


def test_every_step_of_the_alexnet_preset_counts_alike_and_resumes_exactly(
    tmp_path: Path, devkit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()

    def keep(folder: Path, content: dict[str, Any]) -> Path:
        return Path(shutil.copy(write_checkpoint(folder, content), kept))

    # So that a step is the rate times the gradient.
    plain = {"optim_wrapper.optimizer.weight_decay": 0.0, "optim_wrapper.optimizer.momentum": 0.0}
    with monkeypatch.context() as patch:
        patch.setattr(hooks, "write_checkpoint", keep)
        whole = run(tmp_path / "whole", devkit, spec(**plain))
    states = [state(path) for path in sorted(kept.glob("iter_*.pth"))]
    assert len(states) == ITERATIONS
    name = "decode_head.conv_seg.bias"  # its gradient is a mean over pixels of numbers within 1
    steps = [float((after[name] - before[name]).abs().max()) for before, after in itertools.pairwise(states)]
    rate = 0.02  # of biases, before the first drop
    assert all(0 < step <= rate * 1.01 for step in steps[:3])

    resumed_folder = make_plan(spec(**plain), Store(tmp_path / "resumed"), devkit).folder.path / "checkpoints"
    resumed_folder.mkdir(parents=True)
    shutil.copy(kept / "iter_00000003.pth", resumed_folder)
    resumed = run(tmp_path / "resumed", devkit, spec(**plain))
    last = f"checkpoints/iter_{ITERATIONS:08d}.pth"
    first, second = state(whole.path / last), state(resumed.path / last)
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_passes_that_contradict_each_other_are_refused(tmp_path: Path, devkit: Path) -> None:
    with pytest.raises(UsageError, match="accumulative_counts 2: give both one value"):
        run(tmp_path, devkit, spec(**{"optim_wrapper.accumulative_counts": 2}))

"""Ensembles: several finished segmentation networks side by side, their class probabilities averaged."""

import copy
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.model import BaseModule
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from torch import Tensor, nn

from ssl_motion.engine.checkpoint import last_intact_checkpoint, require_checkpoint
from ssl_motion.engine.runner import build_runner
from ssl_motion.engine.settings import common_settings
from ssl_motion.errors import UsageError
from ssl_motion.openmmlab.drawing import NamedFaults
from ssl_motion.openmmlab.recipes import Recipe, read_saved, save_recipe
from ssl_motion.openmmlab.running import RECIPE
from ssl_motion.protocols import RunContext

_TEST_KEYS = ("default_scope", "custom_imports", "test_dataloader", "test_evaluator", "test_cfg")


@MODELS.register_module(force=True)
class AveragedSegmentors(BaseModule):  # type: ignore[misc]  # mmengine ships no types
    """Predicts the class with the largest mean probability over several networks.

    Each network's scores are brought to the size of the original image first, as mmseg does for one network; then
    they become probabilities (softmax), which are averaged pixel by pixel.

    Args:
        members: the networks, as mmseg's dicts; each normalises its input in its own way.
        checkpoints: folder of each one's checkpoints; the last is taken.

    Raises:
        UsageError: A folder holds no checkpoint, or one of another network.
        DataError: No checkpoint of a folder can be read.
    """

    def __init__(self, members: Sequence[Mapping[str, Any]], checkpoints: Sequence[str]) -> None:
        super().__init__()
        self.members = nn.ModuleList(MODELS.build(dict(member)) for member in members)
        for member, folder in zip(self.members, checkpoints, strict=True):
            member.load_state_dict(last_state(Path(folder), member))

    def test_step(self, data: Any) -> list[Any]:
        """Predict a batch of mmseg's data; the samples hold "pred_sem_seg" and, as "seg_logits", log probabilities."""
        totals: list[Tensor] = []
        samples: list[Any] = []
        member: Any
        for member in self.members:
            # A network's preprocessor writes into the samples that it is given.
            samples = member.test_step(copy.deepcopy(data))
            shares = [sample.seg_logits.data.softmax(dim=0) for sample in samples]
            totals = [total + share for total, share in zip(totals, shares, strict=True)] if totals else shares
        for sample, total in zip(samples, totals, strict=True):
            mean = total / len(self.members)
            sample.set_data(
                {"seg_logits": PixelData(data=mean.log()), "pred_sem_seg": PixelData(data=mean.argmax(0, keepdim=True))}
            )
        return samples


def last_state(folder: Path, member: nn.Module) -> dict[str, Tensor]:
    """Read the last intact checkpoint's weights of a network.

    Args:
        folder: of the checkpoints.
        member: the network, built.

    Raises:
        UsageError: There is none, or it is of another network.
        DataError: None can be read.
    """
    require_checkpoint(folder)
    found = last_intact_checkpoint(folder)
    assert found is not None
    state: dict[str, Tensor] = found[1]["state_dict"]
    if state.keys() != member.state_dict().keys():
        other = sorted(state.keys() ^ member.state_dict().keys())[0]
        raise UsageError(f"{found[0]} is not of the network that {RECIPE} beside it describes: {other} is in one only")
    return state


def score_average(
    recipe: Recipe, members: Sequence[Path], context: RunContext, label: str
) -> tuple[dict[str, float], float]:
    """Test the average of finished runs' networks.

    Args:
        recipe: of the runs' protocol, with the data folder and the evaluator's file filled in.
        members: the runs' folders: their networks are described by `recipe.py` and lie in `checkpoints`.
        context: of the evaluation.
        label: its name in the progress display.

    Returns:
        The figures of the recipe's test evaluator, and the seconds that testing took.

    Raises:
        UsageError: A member holds no network.
        DataError: A member's files are damaged.
    """
    settings = common_settings(
        context.run_dir,
        iterations=1,
        checkpoint_every=1,
        label=label,
        seed=context.seed,
        device=context.device,
        trackers=context.trackers,
    )
    loader = {**recipe["test_dataloader"], "num_workers": context.workers, "persistent_workers": context.workers > 0}
    networks = [read_saved(member / RECIPE)["model"] for member in members]
    config = {
        **{key: recipe[key] for key in _TEST_KEYS},
        "test_dataloader": loader,
        "model": {
            "type": AveragedSegmentors.__name__,
            "members": networks,
            "checkpoints": [str(member / "checkpoints") for member in members],
        },
        **settings,
    }
    save_recipe(context.run_dir / RECIPE, config, f"{label}: resolved recipe")
    with warnings.catch_warnings():
        # Remarks of mmseg on its own defaults and deprecations: nothing that a user could act on.
        warnings.filterwarnings("ignore", module=r"mm(seg|engine|cv)\.")
        runner = build_runner(Config(config))
        try:
            tested = runner.test_loop.dataloader.dataset
            tested.pipeline = NamedFaults(tested.pipeline)
            began = time.monotonic()
            figures = {name: float(value) for name, value in runner.test().items()}
            return figures, time.monotonic() - began
        finally:
            runner.close()

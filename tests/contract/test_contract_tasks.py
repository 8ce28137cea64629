"""The contract checks of tasks pass a sound one and catch those that break a promise."""

import runpy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import BaseModel

from ssl_motion.protocols import DataReport, Metric, RunContext, TaskResult, TransferTask
from ssl_motion.spec import Strict
from ssl_motion.testing import ContractError, check_task
from ssl_motion.weights import read_weights

EXAMPLE = Path(__file__).parents[1] / "example_task_plugin" / "actor_kinds.py"
ActorKinds: type[TransferTask] = runpy.run_path(str(EXAMPLE))["ActorKinds"]


class Settings(Strict):
    preset: str = "short"
    lr: float = 0.1


class Sound(TransferTask):
    """Reads a file of numbers; its figure follows from them, the weights and the seed."""

    Config: type[BaseModel] = Settings
    recipe_version = 1
    metrics = (Metric("right", primary=True), Metric("error", unit="px", higher_is_better=False))
    presets: Mapping[str, str] = {"short": "a short one", "long": "a long one"}

    @property
    def scale(self) -> Any:
        return "full" if self.config.lr == 0.1 else "reduced"  # type: ignore[attr-defined]  # of Settings

    def backbone(self) -> dict[str, Any]:
        return {"arch": "alexnet_mini", "width": 6}

    def protocol(self) -> dict[str, Any]:
        return {"dataset": "numbers", **self.config.model_dump()}

    def check_data(self, root: Path) -> DataReport:
        path = root / "numbers.txt"
        if not path.is_file():
            return DataReport([], [str(path)], "Write some.")
        return DataReport([str(path)], fingerprint=path.read_text())

    def run(self, context: RunContext) -> TaskResult:
        from ssl_motion.backbones import build_backbone
        from ssl_motion.spec import BackboneSpec
        from ssl_motion.weights import load_strict

        torch.manual_seed(context.seed)
        trunk = build_backbone(BackboneSpec(**self.backbone()))
        if context.weights is not None:
            load_strict(trunk, read_weights(context.weights)[1], what="weights")
        right = float(next(trunk.parameters()).detach().abs().mean())
        np.savez(context.run_dir / "images.npz", right=np.array([right]))
        return TaskResult({"right": right, "error": 3.0}, {"per class": {"cat": 1.0}}, "images.npz", 0.1)


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    (tmp_path / "numbers.txt").write_text("1 2 3")
    return tmp_path


def test_a_sound_task_passes(numbers: Path) -> None:
    check_task(Sound, data_root=numbers)


def test_the_worked_example_passes() -> None:
    check_task(ActorKinds, {"backbone": {"arch": "alexnet_mini", "width": 6}})


class OfModels(Sound):
    """Judges whole models, or one of two things in their place."""

    judges_models = True
    baselines = {"nothing": "says nothing", "everything": "says everything"}

    def backbone(self) -> dict[str, Any]:
        return {}

    def run(self, context: RunContext) -> TaskResult:
        assert context.baseline in self.baselines
        assert context.weights is None
        return TaskResult({"right": self.figure(context.baseline), "error": 1.0}, wall_seconds=0.1)

    def figure(self, baseline: str) -> float:
        return 100.0 if baseline == "everything" else 0.0


class DicingAtOne(OfModels):
    def figure(self, baseline: str) -> float:
        return float(np.random.default_rng().random()) if baseline == "everything" else 0.0


def test_a_task_that_judges_models_is_tried_with_each_of_its_baselines(numbers: Path) -> None:
    check_task(OfModels, data_root=numbers)
    with pytest.raises(ContractError, match="should continue at its end"):
        check_task(DicingAtOne, data_root=numbers)


class LooseConfig(BaseModel):
    preset: str = "short"


class Loose(Sound):
    Config = LooseConfig
    scale = "full"


class Unversioned(Sound):
    recipe_version = 0


class Rankless(Sound):
    metrics = (Metric("right"), Metric("error"))


class Stranger(Sound):
    presets = {"other": "its default preset is called otherwise"}


class Wordy(Sound):
    presets = {"short": "two\nlines"}


class Generated(Sound):
    scale = "builtin"


class Trunkless(Sound):
    def backbone(self) -> dict[str, Any]:
        return {"arch": "no_such_trunk"}


class Tupled(Sound):
    def protocol(self) -> dict[str, Any]:
        return {**super().protocol(), "crop": (3, 4)}


class Moody(Sound):
    def protocol(self) -> dict[str, Any]:
        return {**super().protocol(), "mood": float(np.random.default_rng().uniform())}


class Local(Sound):
    def protocol(self) -> dict[str, Any]:
        return {**super().protocol(), "list": ["/home/me/train.txt"]}


class Reserved(Sound):
    def protocol(self) -> dict[str, Any]:
        return {**super().protocol(), "dataset_hash": "mine"}


class Alike(Sound):
    def protocol(self) -> dict[str, Any]:
        return {"lr": self.config.lr}  # type: ignore[attr-defined]  # of Settings


class Silent(Sound):
    def protocol(self) -> dict[str, Any]:
        return {"preset": self.config.preset}  # type: ignore[attr-defined]  # of Settings


class Boastful(Sound):
    scale = "full"


class Trusting(Sound):
    def check_data(self, root: Path) -> DataReport:
        return DataReport(["all of it"], fingerprint="x")


class Mute(Sound):
    def check_data(self, root: Path) -> DataReport:
        return replace(super().check_data(root), how_to_get="")


class Raising(Sound):
    def check_data(self, root: Path) -> DataReport:
        return DataReport([(root / "numbers.txt").read_text()], fingerprint="x")


class Placed(Sound):
    def check_data(self, root: Path) -> DataReport:
        report = super().check_data(root)
        return report if report.missing else replace(report, fingerprint=str(root))


class Messy(Sound):
    def run(self, context: RunContext) -> TaskResult:
        (context.data_root / "cache").write_text("")
        return super().run(context)


def _answering(**changes: Any) -> type[Sound]:
    class Changed(Sound):
        def run(self, context: RunContext) -> TaskResult:
            return replace(super().run(context), **changes)

    return Changed


class Dicing(Sound):
    def run(self, context: RunContext) -> TaskResult:
        return replace(super().run(context), metrics={"right": float(np.random.default_rng().uniform()), "error": 1.0})


class WorkerBound(Sound):
    def run(self, context: RunContext) -> TaskResult:
        return replace(super().run(context), metrics={"right": 1.0 + context.workers, "error": 1.0})


class Gateless(Sound):
    def run(self, context: RunContext) -> TaskResult:
        return super().run(replace(context, weights=None))


class Pickled(Sound):
    def run(self, context: RunContext) -> TaskResult:
        result = super().run(context)
        np.savez(context.run_dir / "images.npz", right=np.array([{"a": 1}], dtype=object))
        return result


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (Loose, "accepts unknown keys"),
        (Unversioned, "it starts at 1"),
        (Rankless, "exactly one must be primary"),
        (Stranger, "default preset 'short' is not among"),
        (Wordy, "expected one line"),
        (Generated, "means the built-in world"),
        (Trunkless, "describes no trunk"),
        (Tupled, "use lists, not tuples"),
        (Moody, "two things on two calls"),
        (Local, "holds the path '/home/me/train.txt'"),
        (Reserved, "harness adds itself"),
        (Alike, "its protocol is that of"),
        (Silent, "with lr=0.00123: protocol\\(\\) does not say so"),
        (Boastful, 'scale is still "full"'),
        (Trusting, "of an empty folder misses nothing"),
        (Mute, "how_to_get"),
        (Raising, "raised FileNotFoundError"),
        (Placed, "depends on the folder's name"),
        (Messy, "changed the folder of the data"),
        (_answering(metrics={"right": 1.0}), "gave no error"),
        (_answering(metrics={"right": 101.0, "error": 1.0}), "its unit is %"),
        (_answering(metrics={"right": float("nan"), "error": 1.0}), "expected a finite float"),
        (_answering(details={"per class": {"cat": float("nan")}}), "leave out what has no value"),
        (_answering(per_image="../images.npz"), "no file of the run folder"),
        (_answering(wall_seconds=0.0), "says it took 0.0 s"),
        (Dicing, "should continue at its end"),
        (WorkerBound, "another number of loader processes"),
        (Gateless, "took weights without conv1"),
        (Pickled, "does not load without pickles"),
    ],
)
def test_broken_promises_are_caught(task: type[TransferTask], message: str, numbers: Path) -> None:
    with pytest.raises(ContractError, match=message):
        check_task(task, data_root=numbers)


def test_settings_that_read_data_need_a_folder_unless_nothing_is_run() -> None:
    with pytest.raises(ContractError, match="data_root="):
        check_task(Sound)
    check_task(Sound, run=False)


def test_the_random_state_of_the_caller_is_left_alone(numbers: Path) -> None:
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    check_task(Sound, data_root=numbers)
    assert torch.equal(torch.random.get_rng_state(), before)

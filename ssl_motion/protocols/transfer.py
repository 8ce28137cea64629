"""The plug shape of transfer tasks, and what passes between them and the harness."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from ssl_motion.errors import UsageError
from ssl_motion.objects import Objects

Scale = Literal["full", "reduced", "builtin"]
"""How a protocol relates to the complete one (see `ssl_motion.record.ResultRecord`)."""

PER_IMAGE = "per_image.npz"
"""Usual name of `TaskResult.per_image`."""


@dataclass(frozen=True)
class Metric:
    """A figure that a task reports.

    Attributes:
        name: key in `TaskResult.metrics`.
        unit: "%" for figures in 0-100, else the unit's usual name.
        higher_is_better: direction of improvement.
        primary: whether the leaderboard ranks by it (exactly one of a task's metrics).
    """

    name: str
    unit: str = "%"
    higher_is_better: bool = True
    primary: bool = False


SEGMENTATION_METRICS = (Metric("mIoU", primary=True), Metric("aAcc"), Metric("mAcc"))
"""What tasks report that judge semantic segmentation (`ssl_motion.per_image.confusion.Scores.metrics`)."""


@dataclass(frozen=True)
class DataReport:
    """What `TransferTask.check_data` found.

    Attributes:
        found: one line per thing that is there.
        missing: one line per thing that is not, with its path.
        how_to_get: what to do about the missing things.
        fingerprint: hash of the data that determines the result; empty when something is missing.
        remarks: what a reader of the result should know of the data: said at planning, and kept in the record.
        training_images: files that are trained on, and
        test_images: files that are scored, where something is there to be looked at before a run: whether the same
            are among both, and whether they can be read (`ssl_motion.data.image_files`).
    """

    found: list[str]
    missing: list[str] = field(default_factory=list)
    how_to_get: str = ""
    fingerprint: str = ""
    remarks: list[str] = field(default_factory=list)
    training_images: Sequence[Path] = ()
    test_images: Sequence[Path] = ()


@dataclass(frozen=True)
class TaskResult:
    """What a finished transfer run measured.

    Attributes:
        metrics: metric name -> value, for at least the names in `TransferTask.metrics`.
        details: further figures by group, such as {"IoU": {"person": 51.2, ...}}.
        per_image: file with per-image statistics (.npz), relative to the run folder, or None.
        wall_seconds: time that training and evaluation took, interruptions not counted.
    """

    metrics: dict[str, float]
    details: dict[str, dict[str, float]] = field(default_factory=dict)
    per_image: str | None = None
    wall_seconds: float = 0.0


@dataclass(frozen=True)
class ImagePrediction:
    """What a finished segmentation network says of one image.

    Attributes:
        name: of the image, as in the per-image statistics.
        image: uint8 [H, W, 3] RGB.
        label: integer [H, W], true classes; 255 unlabelled.
        prediction: integer [H, W], predicted classes.
        classes: names by number.
        palette: RGB of each class.
    """

    name: str
    image: npt.NDArray[np.uint8]
    label: npt.NDArray[Any]
    prediction: npt.NDArray[Any]
    classes: tuple[str, ...]
    palette: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class ObjectPrediction:
    """What a finished detector says of one image.

    Attributes:
        name: of the image, as in the per-image statistics.
        image: uint8 [H, W, 3] RGB.
        truth: objects that count; crowds and difficult ones are left out.
        prediction: all that the detector reports.
        classes: names by number.
    """

    name: str
    image: npt.NDArray[np.uint8]
    truth: Objects
    prediction: Objects
    classes: tuple[str, ...]


@dataclass(frozen=True)
class RunContext:
    """What the harness hands to a running task. Its folders are absolute, whatever they were given as.

    Attributes:
        run_dir: folder that belongs to this run alone; everything the task writes goes there.
        weights: folder with `backbone.safetensors` and `weights.json`, or None for a random start.
        data_root: folder that `check_data` accepted.
        seed: seed of everything random in the run.
        device: "cpu", "cuda" or "auto".
        workers: loader processes.
        recipe_overrides: dotted MMEngine config keys -> values (`--cfg-options`).
        trackers: further places to log to, as in `ssl_motion.spec.RuntimeSpec`.
        model: where the whole model is (`ssl_motion.whole_models.load_whole_model`), for tasks that judge whole models;
            None where a baseline is judged in its place.
        baseline: name of that baseline.
    """

    run_dir: Path
    weights: Path | None
    data_root: Path
    seed: int
    device: str = "auto"
    workers: int = 0
    recipe_overrides: Mapping[str, Any] = field(default_factory=dict)
    trackers: tuple[str, ...] = ()
    model: Path | None = None
    baseline: str | None = None

    def __post_init__(self) -> None:
        """Resolve the folders: a task may hand them to tools that work in another folder, or change it itself."""
        for name in ("run_dir", "weights", "data_root", "model"):
            if (folder := getattr(self, name)) is not None:
                object.__setattr__(self, name, folder.resolve())


class TransferTask(ABC):
    """A downstream task that judges a pretrained backbone.

    Built as `Task(config)`.

    Attributes:
        Config: pydantic model of the task's settings (`extra="forbid"`); has a `preset` field.
        recipe_version: raised whenever a change of code or recipe moves the numbers.
        metrics: what `run` reports.
        presets: preset name -> one line on what it is.
        data_settings: settings that only say which data are read, so that the fingerprint of `check_data` tells their
            values apart. Every other setting must show in `protocol` or `backbone`.
        judges_models: whether the task judges a whole pretraining model, such as what CMP's decoder predicts, and not
            the backbone alone (`ssl_motion.model_task.ModelTask`).
        baselines: name -> one line, of what such a task can judge in place of a model (`init: baseline:NAME`).
    """

    Config: ClassVar[type[BaseModel]]
    recipe_version: ClassVar[int]
    metrics: ClassVar[tuple[Metric, ...]]
    presets: ClassVar[Mapping[str, str]]
    data_settings: ClassVar[tuple[str, ...]] = ()
    judges_models: ClassVar[bool] = False
    baselines: ClassVar[Mapping[str, str]] = {}

    def __init__(self, config: BaseModel) -> None:
        self.config = config

    @property
    def uses_puppets(self) -> bool:
        """Whether the task, as configured, runs on the built-in world; then `check_data` gets its folder."""
        return False

    @property
    def puppets_layouts(self) -> tuple[str, ...]:
        """Layouts of the built-in world that the task reads (`ssl_motion.puppets.layouts`), where it runs on it."""
        return ("voc",)

    @property
    def scale(self) -> Scale:
        """How the protocol, as configured, relates to the complete one (see `ssl_motion.record.ResultRecord`)."""
        return "full"

    @property
    def has_recipe(self) -> bool:
        """Whether `run` trains by an MMEngine recipe and changes it by `RunContext.recipe_overrides`."""
        return False

    @property
    def shares_work(self) -> bool:
        """Whether `run` shares its batches among the processes of torchrun; else a suite starts it in one process."""
        return False

    @abstractmethod
    def backbone(self) -> dict[str, Any]:
        """Describe the backbone that the recipe trains: a `ssl_motion.spec.BackboneSpec` as a dict."""

    @abstractmethod
    def protocol(self) -> dict[str, Any]:
        """Describe everything that makes results comparable (facts of the fingerprint; see `ssl_motion.record`)."""

    @abstractmethod
    def check_data(self, root: Path) -> DataReport:
        """Say what of the task's data is under `root`, what is missing, and how to get it."""

    def check_recipe(self, overrides: Mapping[str, Any], *, build: bool = False) -> list[str]:
        """Find before a run what is wrong with changes of the recipe; nothing is looked at unless overridden.

        Args:
            overrides: dotted keys of the recipe -> values, as in `RunContext`.
            build: try to build what of the changed recipe needs no data. Takes seconds, for the libraries.

        Returns:
            What may be a mistake, a sentence each.

        Raises:
            UsageError: The recipe cannot be changed like that.
        """
        del overrides, build
        return []

    @abstractmethod
    def run(self, context: RunContext) -> TaskResult:
        """Train and evaluate; continues from the run folder's last checkpoint where there is one."""

    @classmethod
    def has_ensembles(cls) -> bool:
        """Whether `ensemble` is there."""
        return cls.ensemble is not TransferTask.ensemble

    def ensemble(self, members: Sequence[Path], context: RunContext) -> TaskResult:
        """Evaluate the average of what finished runs of this task predict; refused unless overridden.

        Args:
            members: folders of the runs, each with its last checkpoint. The task is configured as they were.
            context: of the evaluation; `weights` is None.

        Raises:
            UsageError: The task's predictions cannot be averaged, or a member's files are not there.
        """
        raise UsageError(f"{type(self).__name__} predicts nothing that could be averaged: there are no ensembles of it")

    def predict(
        self, member: Path, images: Sequence[str], context: RunContext
    ) -> Sequence[ImagePrediction] | Sequence[ObjectPrediction]:
        """Predict single images of the scored split, for pictures; refused unless overridden.

        Args:
            member: folder of a finished run of this task, with its last checkpoint. The task is configured as it was.
            images: names, as its per-image statistics have them.
            context: of the prediction; `weights` is None.

        Raises:
            UsageError: The task has no pictures of predictions, or the run's files or an image are not there.
        """
        raise UsageError(f"{type(self).__name__} has no pictures of what it predicts")

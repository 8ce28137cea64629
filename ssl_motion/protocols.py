"""What can be plugged into ssl-motion: pretraining methods, transfer tasks and flow estimators.

Third-party packages subclass these and announce the class by entry point
(`ssl_motion.plugins`); nothing in this repository needs to change for them.
`ssl_motion.testing` holds the contract checks that go with each shape.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel
from torch import Tensor, nn

from ssl_motion.data.sample import FlowSample, UInt8Array
from ssl_motion.errors import UsageError
from ssl_motion.flow.protocol import FlowEstimator as FlowEstimator
from ssl_motion.spec import BackboneSpec


class Backbone(nn.Module, ABC):
    """A convolutional trunk with named stages.

    Attributes:
        arch: name under which `ssl_motion.backbones.build_backbone` makes it.
        channels: stage name -> number of output channels, in forward order.
        strides: stage name -> total stride (input pixels per output cell).
    """

    arch: str
    channels: dict[str, int]
    strides: dict[str, int]

    @abstractmethod
    def forward(self, image_BCHW: Tensor) -> dict[str, Tensor]:
        """Map normalised images [B, 3, H, W] to stage name -> features [B, C, H/stride, W/stride]."""

    @property
    def last_stage(self) -> str:
        """Name of the deepest stage."""
        return next(reversed(self.channels))


class PretrainMethod(nn.Module, ABC):
    """A way of learning from motion. Plain torch: no files, no devices, no training loop.

    Built as `Method(config, backbone)`; the harness owns the loop, and exports `backbone` at the end.

    Attributes:
        Config: pydantic model of the method's own settings (`extra="forbid"`).
        recipe_version: raised whenever a change of code moves the numbers; part of every run's identity.
        citation: the publication the method implements.
        trunks: which trunks it works with, in one line for `ssl-bench list methods`.
    """

    Config: ClassVar[type[BaseModel]]
    recipe_version: ClassVar[int]
    citation: ClassVar[str]
    trunks: ClassVar[str] = "any"

    def __init__(self, config: BaseModel, backbone: Backbone) -> None:
        super().__init__()
        self.config = config
        self.backbone = backbone

    @classmethod
    def layers(cls, config: BaseModel) -> tuple[str, ...]:
        """Name the maps beside the pairs that the method reads from `sample.layers`; none unless overridden.

        Only pairs that every one of them keeps are trained on. `ssl_motion.prepare.makers` says which there are.
        """
        del config
        return ()

    @classmethod
    def fit(cls, config: BaseModel, samples: Sequence[FlowSample], fingerprint: str) -> BaseModel:
        """Complete the settings by what is estimated from the training pairs, such as a codebook; as given by default.

        Called before the method is built, once in a run's life and by its first process; what it returns is kept in the
        run folder (`fitted.json`). Must be deterministic, and look at few samples.

        Args:
            config: of the class's `Config`.
            samples: the stored training pairs by number; reading one costs a decoding.
            fingerprint: of the data.

        Raises:
            UsageError: The settings hold something that was estimated from other data.
        """
        del samples, fingerprint
        return config

    def view(self, sample: FlowSample, rng: np.random.Generator | None) -> FlowSample:
        """Choose the part of an (already augmented) sample that is looked at; all of it unless overridden.

        Args:
            sample: with its layers.
            rng: for whatever is random in the choice; None in validation, where nothing may be.
        """
        del rng
        return sample

    @abstractmethod
    def targets(self, sample: FlowSample, rng: np.random.Generator) -> dict[str, Tensor]:
        """Make the training inputs and targets of one (already augmented) sample.

        Runs in a loader's worker; pure: the same sample and the same state of `rng` give the same tensors.
        The harness adds the key "image" itself and stacks every tensor over the batch.
        """

    @abstractmethod
    def losses(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Compute scalar losses of a batch; the harness minimises the sum of the keys that contain "loss".

        Args:
            batch: what `targets` returned, stacked, and "image": float [B, 3, H, W], normalised.
        """

    def export(self, spec: BackboneSpec) -> tuple[Backbone, BackboneSpec]:
        """Return the trunk to hand over to transfer, and what it is; the trained one as it stands unless overridden.

        Args:
            spec: of the trunk that was handed in.
        """
        return self.backbone, spec

    def evaluate(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Compute further validation figures of a batch (scalars, averaged over the split); none unless overridden.

        The figure "loss_floor" is special: a value that the loss cannot fall below, whatever is learned. Whether a run
        uses its images is then judged by the part of the loss above it.
        """
        del batch
        return {}

    @classmethod
    def from_published(cls, content: Mapping[str, Any], arch: str | None) -> "PretrainMethod":
        """Build the whole method, trunk included, from weights published for it; refused unless overridden.

        Args:
            content: what the published file holds (`ssl_motion.checkpoints.read_checkpoint`).
            arch: trunk to use where the content fits several; None leaves it to the method.

        Raises:
            UsageError: The method reads no published weights, or these are not of its kind.
        """
        del content, arch
        raise UsageError(f"{cls.__name__} cannot read published weights of a whole model; import the backbone alone")

    @classmethod
    def describe_sample(cls, config: BaseModel, sample: FlowSample, rng: np.random.Generator) -> dict[str, float]:
        """Tell what the method makes of one sample, such as its number of guidance points; nothing unless overridden.

        `ssl-bench prepare --stats` draws the distribution of each figure over a data set.

        Args:
            config: of the class's `Config`.
            sample: an image with its flow, cropped as in training.
            rng: for whatever is random in it.
        """
        del config, sample, rng
        return {}

    def preview(self, batch: Mapping[str, Tensor], images: list[UInt8Array]) -> list[UInt8Array]:
        """Draw one panel (uint8 RGB [h, w, 3]) per image of the batch; none unless overridden.

        Args:
            batch: as in `losses`.
            images: the same images before normalisation, uint8 RGB [H, W, 3].
        """
        del batch, images
        return []


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


@dataclass(frozen=True)
class DataReport:
    """What `TransferTask.check_data` found.

    Attributes:
        found: one line per thing that is there.
        missing: one line per thing that is not, with its path.
        how_to_get: what to do about the missing things.
        fingerprint: hash of the data that determines the result; empty when something is missing.
    """

    found: list[str]
    missing: list[str] = field(default_factory=list)
    how_to_get: str = ""
    fingerprint: str = ""


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
class RunContext:
    """What the harness hands to a running task.

    Attributes:
        run_dir: folder that belongs to this run alone; everything the task writes goes there.
        weights: folder with `backbone.safetensors` and `weights.json`, or None for a random start.
        data_root: folder that `check_data` accepted.
        seed: seed of everything random in the run.
        device: "cpu", "cuda" or "auto".
        workers: loader processes.
        recipe_overrides: dotted MMEngine config keys -> values (`--cfg-options`).
        trackers: further places to log to, as in `ssl_motion.spec.RuntimeSpec`.
    """

    run_dir: Path
    weights: Path | None
    data_root: Path
    seed: int
    device: str = "auto"
    workers: int = 0
    recipe_overrides: Mapping[str, Any] = field(default_factory=dict)
    trackers: tuple[str, ...] = ()


class TransferTask(ABC):
    """A downstream task that judges a pretrained backbone.

    Built as `Task(config)`.

    Attributes:
        Config: pydantic model of the task's settings (`extra="forbid"`); has a `preset` field.
        recipe_version: raised whenever a change of code or recipe moves the numbers.
        metrics: what `run` reports.
        presets: preset name -> one line on what it is.
    """

    Config: ClassVar[type[BaseModel]]
    recipe_version: ClassVar[int]
    metrics: ClassVar[tuple[Metric, ...]]
    presets: ClassVar[Mapping[str, str]]

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
    def scale(self) -> Literal["full", "reduced", "builtin"]:
        """How the protocol, as configured, relates to the complete one (see `ssl_motion.record.ResultRecord`)."""
        return "full"

    @abstractmethod
    def backbone(self) -> dict[str, Any]:
        """Describe the backbone that the recipe trains: a `ssl_motion.spec.BackboneSpec` as a dict."""

    @abstractmethod
    def protocol(self) -> dict[str, Any]:
        """Describe everything that makes results comparable (facts of the fingerprint; see `ssl_motion.record`)."""

    @abstractmethod
    def check_data(self, root: Path) -> DataReport:
        """Say what of the task's data is under `root`, what is missing, and how to get it."""

    @abstractmethod
    def run(self, context: RunContext) -> TaskResult:
        """Train and evaluate; continues from the run folder's last checkpoint where there is one."""

    def ensemble(self, members: Sequence[Path], context: RunContext) -> TaskResult:
        """Evaluate the average of what finished runs of this task predict; refused unless overridden.

        Args:
            members: folders of the runs, each with its last checkpoint. The task is configured as they were.
            context: of the evaluation; `weights` is None.

        Raises:
            UsageError: The task's predictions cannot be averaged, or a member's files are not there.
        """
        raise UsageError(f"{type(self).__name__} predicts nothing that could be averaged: there are no ensembles of it")

"""What a run is, in full: pydantic models that refuse unknown keys (`ssl_motion.spec_text` reads them from YAML).

All that moves numbers is part of a run's identity (`ssl_motion.identity`); paths, the rhythm of validation and
checkpoints, and `RuntimeSpec` are not. This module imports no torch.
"""

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)


class _Later:
    """Marks a field that came after runs had been made without it."""


LATER = _Later()
"""For `Annotated[TYPE, LATER]`: while such a field has its default it is left out of what is written and hashed, so
that the runs made before it existed keep their identity."""


class Strict(BaseModel):
    """Base of every spec: immutable, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_serializer(mode="wrap")
    def _without_later_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = handler(self)
        for name, field in type(self).model_fields.items():
            if LATER in field.metadata and getattr(self, name) == field.default:
                content.pop(name, None)
        return content


WorldName = Literal["still", "weak_pan", "full_camera"]
ControlName = Literal["none", "shuffled_flow", "camera_flow", "reversed_flow"]


class PuppetsSpec(Strict):
    """Which built-in data set (`ssl_motion.puppets`).

    Attributes:
        world: grade of the camera motion.
        size: side of the square images in pixels.
        seed: seed of the whole data set.
        pairs: image-flow pairs for pretraining.
        val_pairs: held-out pairs that watch pretraining.
        train_images: labelled images to fine-tune on.
        val_images: labelled images that choices may be made on.
        test_images: labelled images that no choice was made on.
    """

    world: WorldName = "still"
    size: Annotated[int, Field(ge=32, le=1024)] = 96
    seed: Annotated[int, Field(ge=0)] = 0
    pairs: Annotated[int, Field(ge=1)] = 8000
    val_pairs: Annotated[int, Field(ge=1)] = 320
    train_images: Annotated[int, Field(ge=0)] = 400
    val_images: Annotated[int, Field(ge=0)] = 300
    test_images: Annotated[int, Field(ge=0)] = 500


class BackboneSpec(Strict):
    """Which trunk (`ssl_motion.backbones`).

    Attributes:
        arch: name of the architecture.
        width: channels of the first stage; None for the architecture's own.
        output_stride: total stride of the last stage; None for the architecture's own.
        norm: "batch", or "none" for a trunk whose batch norms were absorbed into its convolutions (AlexNets only).
    """

    arch: str
    width: Annotated[int, Field(ge=4)] | None = None
    output_stride: Literal[4, 8, 16, 32] | None = None
    norm: Annotated[Literal["batch", "none"], LATER] = "batch"


class DataSpec(Strict):
    """Which image-flow pairs, and how they are augmented. Exactly one of `shards` and `puppets` is set.

    Attributes:
        shards: folders written by `ssl-bench prepare`; a path is not part of the identity, its fingerprint is.
        puppets: the built-in world.
        max_pairs: use only the first so many training pairs (spread evenly over the data); None for all.
        short_side: resize so that the shorter side has so many pixels; None keeps the stored size.
        crop: side of the square crop; random in training, central in validation; None takes whole images.
        flip: mirror at random, with the flow.
        control: what is taken away from the data to see whether it mattered (`ssl_motion.data.controls`).
    """

    shards: list[str] = []
    puppets: PuppetsSpec | None = None
    max_pairs: Annotated[int, Field(ge=1)] | None = None
    short_side: Annotated[int, Field(ge=16)] | None = None
    crop: Annotated[int, Field(ge=16)] | None = None
    flip: bool = False
    control: Annotated[ControlName, LATER] = "none"

    @model_validator(mode="after")
    def _one_source(self) -> "DataSpec":
        if bool(self.shards) == (self.puppets is not None):
            raise ValueError("give exactly one of data.shards (folders of `ssl-bench prepare`) and data.puppets")
        return self


class OptimizerSpec(Strict):
    """SGD or Adam, on all parameters alike.

    Attributes:
        type: algorithm.
        lr: peak learning rate; not scaled with the batch.
        momentum: SGD's momentum (ignored by Adam and AdamW, which keep torch's betas).
        weight_decay: on every parameter, BN and biases included, as CMP's authors do.
    """

    type: Literal["sgd", "adam", "adamw"] = "sgd"
    lr: Annotated[float, Field(gt=0)] = 0.1
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4


class ScheduleSpec(Strict):
    """How the learning rate moves.

    Attributes:
        type: "step" multiplies by `gamma` at each of `milestones`; "onecycle" is torch's OneCycleLR; "constant".
        milestones: fractions of the run's iterations.
        gamma: factor at each milestone.
    """

    type: Literal["step", "onecycle", "constant"] = "step"
    milestones: list[Annotated[float, Field(gt=0, lt=1)]] = [4 / 7, 6 / 7]
    gamma: Annotated[float, Field(gt=0)] = 0.1


class PretrainSpec(Strict):
    """A pretraining run.

    Attributes:
        method: name of a pretraining method.
        method_config: its own settings, validated by its `Config`.
        backbone: the trunk that is trained and exported.
        data: pairs and augmentation.
        optimizer: algorithm and learning rate.
        schedule: course of the learning rate.
        iterations: optimiser steps.
        batch_size: samples per step and process.
        accumulate: backward passes per optimiser step (the step sees accumulate x batch_size samples per process).
        processes: number of data-parallel processes the run is defined for (its total batch depends on it).
        precision: arithmetic of the forward pass.
        sync_bn: share batch statistics between processes (the authors do not).
        early_stopping: validations without a lower validation loss after which training ends; the weights of the lowest
            are then exported. None trains to the end and exports the last.
        validate_every: iterations between validations; 0 validates at the end only. Part of the identity only with
            `early_stopping`.
        checkpoint_every: iterations between checkpoints. Not part of the identity.
        seed: seed of initial weights, data order, augmentation and guidance.
    """

    method: str
    method_config: dict[str, Any] = {}
    backbone: BackboneSpec
    data: DataSpec
    optimizer: OptimizerSpec = OptimizerSpec()
    schedule: ScheduleSpec = ScheduleSpec()
    iterations: Annotated[int, Field(ge=1)]
    batch_size: Annotated[int, Field(ge=1)]
    accumulate: Annotated[int, Field(ge=1)] = 1
    processes: Annotated[int, Field(ge=1)] = 1
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    sync_bn: bool = False
    early_stopping: Annotated[Annotated[int, Field(ge=1)] | None, LATER] = None
    validate_every: Annotated[int, Field(ge=0)] = 0
    checkpoint_every: Annotated[int, Field(ge=1)] = 1000
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _early_stopping_validates(self) -> "PretrainSpec":
        if self.early_stopping is not None and not self.validate_every:
            raise ValueError("early_stopping compares validations: set validate_every too")
        return self


BASELINE = "baseline:"
"""Begins an `init` that names something of the task itself to be judged in place of a model."""


class TransferSpec(Strict):
    """A transfer run.

    Attributes:
        task: name of a transfer task.
        task_config: its own settings, validated by its `Config` (with the key `preset`).
        init: "random" (the recipe's own start), "random:SCHEME" (`ssl_motion.backbones.initialise`), "imagenet", a run
            (folder or identity), a weights file, or, for tasks that judge whole models, "baseline:NAME".
        puppets: the built-in data, for presets that use it; None for presets that read a data root.
        data_root: folder of the data; None looks in $SSL_MOTION_DATA. Not part of the identity, its fingerprint is.
        recipe_overrides: dotted keys of the MMEngine recipe -> values.
        seed: seed of the run.
    """

    task: str
    task_config: dict[str, Any] = {}
    init: str = "random"
    puppets: PuppetsSpec | None = None
    data_root: str | None = None
    recipe_overrides: dict[str, Any] = {}
    seed: Annotated[int, Field(ge=0)] = 0


class RuntimeSpec(Strict):
    """Where and how a run executes. Never part of its identity.

    Attributes:
        device: "auto" takes CUDA when it is there.
        workers: loader processes; 0 loads in the main one.
        threads: torch CPU threads; 0 leaves torch's choice.
        channels_last: memory format of the network.
        compile: use torch.compile.
        trackers: further places to log to.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    workers: Annotated[int, Field(ge=0)] = 0
    threads: Annotated[int, Field(ge=0)] = 0
    channels_last: bool = False
    compile: bool = False
    trackers: list[Literal["tensorboard", "wandb", "mlflow"]] = []

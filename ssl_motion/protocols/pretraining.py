"""The plug shape of pretraining methods, and of the trunks they train."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from pydantic import BaseModel
from torch import Tensor, nn

from ssl_motion.data.sample import FlowSample, UInt8Array
from ssl_motion.errors import UsageError
from ssl_motion.plugins import did_you_mean
from ssl_motion.similarity import FlowKernel
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

    def require_stage(self, name: str, setting: str = "") -> None:
        """Make sure that there is a stage of that name.

        Args:
            name: of the stage.
            setting: that names it, for the message.

        Raises:
            UsageError: There is none; the nearest is given.
        """
        if name not in self.channels:
            known = list(self.channels)
            raise UsageError(
                f"{setting + ': ' if setting else ''}{self.arch} has no stage {name!r}.{did_you_mean(name, known)} "
                f"Its stages: {', '.join(known)}"
            )


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

    def propagate(self, stages: Mapping[str, Tensor], sparse_B2HW: Tensor, mask_B1HW: Tensor) -> Tensor:
        """Predict dense flow where the motion of some pixels is given; refused unless overridden.

        A method that predicts flow from the image alone leaves what is given aside.

        Args:
            stages: what the trunk returned for normalised images of H x W pixels: one for every guidance, or one for
                all of them (the applications look at an image once, and ask about it often).
            sparse_B2HW: float32, u and v of the given pixels in pixels of the image; 0 elsewhere.
            mask_B1HW: float32, 1 at given pixels, else 0.

        Returns:
            Flow, float32 [B, 2, H, W], in pixels of the image.

        Raises:
            UsageError: The method predicts no flow.
        """
        raise UsageError(f"{type(self).__name__} predicts no flow, so there is nothing to propagate")

    def embed(self, stages: Mapping[str, Tensor], points_BP2: Tensor) -> Tensor:
        """Compute what the method compares pixels by; refused unless overridden.

        Args:
            stages: what the trunk returned for normalised images [B, 3, H, W].
            points_BP2: x and y of pixels, float32, (0, 0) the centre of the upper left one.

        Returns:
            float32 [B, P, D]; what one point gets does not depend on which others are asked for.

        Raises:
            UsageError: The method embeds no pixels.
        """
        del stages, points_BP2
        raise UsageError(f"{type(self).__name__} has no embedding of pixels; look at a stage of its trunk instead")

    def flow_kernel(self) -> FlowKernel | None:
        """Tell which motions the method takes for alike, where it has learned that; None unless overridden."""
        return None

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

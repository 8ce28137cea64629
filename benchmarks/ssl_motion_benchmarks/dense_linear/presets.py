"""What can be run: the presets, and what may be changed in them."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from ssl_motion.frozen.probe_task import ProbeConfig, ProbePreset
from ssl_motion.frozen.training import ProbeRecipe
from ssl_motion.spec import BackboneSpec
from ssl_motion_benchmarks.dense_linear.sources import CLASS_LIST, Layout

PresetName = Literal[
    "puppets_dense",
    "puppets_dense_full",
    "puppets_dense_lip",
    "voc12_dense_small",
    "voc12_dense_r50",
    "lip_dense_r50",
    "cihp_dense_r50",
    "cihp_dense_small",
    "dense_linear_folder",
]


@dataclass(frozen=True)
class Preset(ProbePreset):
    """A trunk, labelled images and a way of training.

    Attributes:
        layout: how the images lie.
        short_side: pixels that the shorter side of every image is brought to; None keeps it.
        pixels: labelled pixels drawn in each view of a training image.
        augmented: whether VOC's training images are those with SBD's labels ("train_aug").
    """

    layout: Layout
    short_side: int | None
    pixels: int
    augmented: bool = False


_MINI = BackboneSpec(arch="alexnet_mini")
_SMALL = BackboneSpec(arch="resnet18", output_stride=8)
_R50 = BackboneSpec(arch="resnet50", output_stride=8)
_DINOV3 = ProbeRecipe(iterations=40_000, batch_size=16)
_SHORT = ProbeRecipe(iterations=2_000, batch_size=16, lr=1e-2)

PRESETS: dict[PresetName, Preset] = {
    "puppets_dense": Preset(
        "the built-in world, 400 labels of 96x96; seconds on one core",
        _MINI,
        "builtin",
        _SHORT,
        "voc",
        None,
        256,
    ),
    "puppets_dense_full": Preset(
        "the same images and labels read at three times their size, 10,000 iterations; minutes on one core",
        _MINI,
        "builtin",
        ProbeRecipe(iterations=10_000, batch_size=16, lr=1e-2),
        "voc",
        288,
        1024,
    ),
    "puppets_dense_lip": Preset(
        "human parsing in the built-in world, one person a picture, 20 parts with left and right; a minute on one core",
        _MINI,
        "builtin",
        _SHORT,
        "lip",
        96,
        256,
    ),
    "voc12_dense_small": Preset(
        "VOC 2012 as the devkit (or a sample of it) lists it, shorter side 224; any trunk, minutes on a CPU",
        _SMALL,
        "reduced",
        _SHORT,
        "voc",
        224,
        256,
    ),
    "voc12_dense_r50": Preset(
        "VOC 2012 + SBD, ResNet-50 at stride 8, shorter side 512, 40k iterations",
        _R50,
        "full",
        _DINOV3,
        "voc",
        512,
        64,
        augmented=True,
    ),
    "lip_dense_r50": Preset(
        "LIP, one person a picture, ResNet-50 at stride 8, shorter side 473, 40k iterations (ours)",
        _R50,
        "full",
        _DINOV3,
        "lip",
        473,
        32,
    ),
    "cihp_dense_r50": Preset(
        "CIHP (LIP's multi-person data), ResNet-50 at stride 8, shorter side 473, 40k iterations (ours)",
        _R50,
        "full",
        _DINOV3,
        "cihp",
        473,
        32,
    ),
    "cihp_dense_small": Preset(
        "CIHP or a sample of it, shorter side 224; any trunk, minutes on a CPU",
        _SMALL,
        "reduced",
        _SHORT,
        "cihp",
        224,
        256,
    ),
    "dense_linear_folder": Preset(
        "any folder of images/ and labels/ with a list of classes, shorter side 224; any trunk, minutes on a CPU",
        _SMALL,
        "reduced",
        _SHORT,
        "folder",
        224,
        256,
    ),
}


class DenseLinearConfig(ProbeConfig):
    """Settings of the task, beside those that all tasks with presets have.

    Attributes:
        stage: stage that is read; None for the last.
        short_side: another number of pixels for the shorter side of every image.
        pixels: another number of pixels drawn in each view of a training image.
        classes: file below the data root that lists the classes, for `dense_linear_folder`.
    """

    table = PRESETS

    preset: PresetName = "puppets_dense"
    stage: str | None = None
    short_side: Annotated[int, Field(ge=16)] | None = None
    pixels: Annotated[int, Field(ge=1)] | None = None
    classes: str = CLASS_LIST

    @classmethod
    def said_by(cls, preset: Any) -> dict[str, Any]:
        """Name the settings that a preset decides, with their values."""
        return {**super().said_by(preset), "short_side": preset.short_side, "pixels": preset.pixels}

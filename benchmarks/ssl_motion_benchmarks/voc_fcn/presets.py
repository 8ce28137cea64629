"""What can be run: the presets, and what may be changed in them."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ssl_motion.presets import CroppedRecipeConfig, TaskPreset
from ssl_motion.spec import LATER, BackboneSpec

PresetName = Literal[
    "puppets_fcn",
    "puppets_fcn_full",
    "puppets_linear",
    "voc12_fcn_small",
    "voc12_fcn_r18_mmseg",
    "voc12_fcn_r50_mmseg",
    "voc12_fcn_r101_mmseg",
    "voc12_fcn32s_alexnet_zhan",
]


@dataclass(frozen=True)
class Preset(TaskPreset):
    """A recipe with its trunk and data.

    Attributes:
        augmented: whether it needs the SBD labels ("train_aug").
    """

    augmented: bool = False


PRESETS: dict[PresetName, Preset] = {
    "puppets_fcn": Preset(
        "the built-in world, 400 labels of 96x96, 300 iterations; half a minute on one core",
        BackboneSpec(arch="alexnet_mini"),
        "builtin",
    ),
    "puppets_fcn_full": Preset(
        "the same images and labels, 3,000 iterations; minutes on one core",
        BackboneSpec(arch="alexnet_mini"),
        "builtin",
    ),
    "puppets_linear": Preset(
        "the same images and labels, trunk frozen: one 1x1 convolution on its last stage; seconds on one core",
        BackboneSpec(arch="alexnet_mini"),
        "builtin",
    ),
    "voc12_fcn_small": Preset(
        "VOC 2012 scaled down: the devkit's own lists, crop 160, 300 iterations; any trunk, minutes on a CPU",
        BackboneSpec(arch="resnet18", output_stride=8),
        "reduced",
    ),
    "voc12_fcn_r18_mmseg": Preset(
        "VOC 2012 + SBD, ResNet-18 FCN-d8: the schedule of voc12_fcn_r50_mmseg, mmsegmentation's heads for this trunk",
        BackboneSpec(arch="resnet18", output_stride=8),
        "full",
        augmented=True,
    ),
    "voc12_fcn_r50_mmseg": Preset(
        "VOC 2012 + SBD, ResNet-50 FCN-d8, 20k iterations: mmsegmentation's schedule, as in mmselfsup's benchmark",
        BackboneSpec(arch="resnet50", output_stride=8),
        "full",
        augmented=True,
    ),
    "voc12_fcn_r101_mmseg": Preset(
        "VOC 2012 + SBD, ResNet-101 FCN-d8, 20k iterations: mmsegmentation's schedule",
        BackboneSpec(arch="resnet101", output_stride=8),
        "full",
        augmented=True,
    ),
    "voc12_fcn32s_alexnet_zhan": Preset(
        "VOC 2012 + SBD, CMP's AlexNet as FCN-32s, 42k iterations of batch 64: best guess at CMP's Table 1",
        BackboneSpec(arch="alexnet_32x"),
        "full",
        augmented=True,
    ),
}


class SegmentationConfig(CroppedRecipeConfig):
    """Settings of a segmentation task on VOC's layout, beside those that all recipes have.

    Attributes:
        train_images: train on the first so many images of the list only.
        label_fraction: train on this share of the labels (`ssl_motion.data.label_lists`).
        shots: train on the first so many images of every class, likewise.
    """

    train_images: Annotated[int, Field(ge=1)] | None = None
    label_fraction: Annotated[Annotated[float, Field(gt=0, le=1)] | None, LATER] = None
    shots: Annotated[Annotated[int, Field(ge=1)] | None, LATER] = None

    @classmethod
    def said_by(cls, preset: Any) -> dict[str, Any]:
        """Name the settings that a preset decides, with their values."""
        return {**super().said_by(preset), "label_fraction": 1}

    @model_validator(mode="after")
    def _one_choice_of_images(self) -> "SegmentationConfig":
        given = [name for name in ("train_images", "label_fraction", "shots") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} each choose the training images; give one of them")
        return self


class VocFCNConfig(SegmentationConfig):
    """Settings of the task, as in `SegmentationConfig`."""

    table = PRESETS

    preset: PresetName = "puppets_fcn"

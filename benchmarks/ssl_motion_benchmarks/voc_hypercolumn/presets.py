"""What can be run: the presets."""

from typing import Literal

from ssl_motion.spec import BackboneSpec
from ssl_motion_benchmarks.voc_fcn.presets import Preset, SegmentationConfig

PresetName = Literal[
    "puppets_hypercolumn", "puppets_hypercolumn_full", "voc12_hypercolumn_small", "voc12_hypercolumn_alexnet"
]

PRESETS: dict[PresetName, Preset] = {
    "puppets_hypercolumn": Preset(
        "the built-in world, 400 labels of 96x96, 128 pixels of each, 300 iterations; a minute on one core",
        BackboneSpec(arch="alexnet_mini"),
        "builtin",
    ),
    "puppets_hypercolumn_full": Preset(
        "the same images and pixels, 3,000 iterations; minutes on one core",
        BackboneSpec(arch="alexnet_mini"),
        "builtin",
    ),
    "voc12_hypercolumn_small": Preset(
        "VOC 2012 scaled down: the devkit's own lists, crop 160, 300 iterations; any trunk, minutes on a CPU",
        BackboneSpec(arch="resnet18", output_stride=8),
        "reduced",
    ),
    "voc12_hypercolumn_alexnet": Preset(
        "VOC 2012 + SBD, CMP's AlexNet, hypercolumn of conv1-conv5, fc6, fc7, Larsson's schedule of 40k iterations",
        BackboneSpec(arch="alexnet_32x"),
        "full",
        augmented=True,
    ),
}


class HypercolumnConfig(SegmentationConfig):
    """Settings of the task, as in `SegmentationConfig`."""

    table = PRESETS

    preset: PresetName = "puppets_hypercolumn"

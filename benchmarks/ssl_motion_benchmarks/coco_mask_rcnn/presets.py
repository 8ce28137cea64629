"""What can be run: the presets, and what may be changed in them."""

from typing import Literal

from ssl_motion.presets import RecipeConfig, TaskPreset
from ssl_motion.spec import BackboneSpec

PresetName = Literal["puppets_coco", "puppets_coco_full", "coco_small", "coco_cmp2019", "coco_ssl_1x", "coco_ssl_2x"]


PRESETS: dict[PresetName, TaskPreset] = {
    "puppets_coco": TaskPreset(
        "the built-in world, 400 images of 96x96 with boxes and masks, 300 iterations; minutes on one core",
        BackboneSpec(arch="alexnet_mini"),
        "builtin",
    ),
    "puppets_coco_full": TaskPreset(
        "the same, trained five times as long",
        BackboneSpec(arch="alexnet_mini"),
        "builtin",
    ),
    "coco_small": TaskPreset(
        "COCO scaled down: ResNet-18, shorter side up to 192, 300 iterations of batch 4; any trunk, minutes on a CPU",
        BackboneSpec(arch="resnet18"),
        "reduced",
    ),
    "coco_cmp2019": TaskPreset(
        "COCO, ResNet-50 FPN 1x as in 2019, frozen statistics and first stage: best guess at CMP's Table 2",
        BackboneSpec(arch="resnet50"),
        "full",
    ),
    "coco_ssl_1x": TaskPreset(
        "COCO, ResNet-50 FPN 1x with synchronised batch norm and several scales, as in mmselfsup's benchmark",
        BackboneSpec(arch="resnet50"),
        "full",
    ),
    "coco_ssl_2x": TaskPreset(
        "the same, trained twice as long",
        BackboneSpec(arch="resnet50"),
        "full",
    ),
}


class CocoConfig(RecipeConfig):
    """Settings of the task, those that all recipes have; `freeze_to` takes the place of what the preset keeps."""

    table = PRESETS

    preset: PresetName = "puppets_coco"

"""What can be run: the presets, and what may be changed in them."""

from dataclasses import dataclass
from typing import Any, Literal

from ssl_motion.frozen.probe_task import ProbeConfig, ProbePreset
from ssl_motion.frozen.training import ProbeRecipe
from ssl_motion.frozen.views import View
from ssl_motion.spec import BackboneSpec

PresetName = Literal[
    "puppets_imagenet_linear",
    "puppets_imagenet_linear_full",
    "imagenet_linear_small",
    "imagenet_linear_alexnet",
    "imagenet_linear_r50",
]


@dataclass(frozen=True)
class Preset(ProbePreset):
    """A trunk and a way of training the probes.

    Attributes:
        view: what the trunk sees of an image.
        augmented: whether training images are cropped and mirrored at random in every draw; their features are then
            computed anew each time, where otherwise they are computed once.
    """

    view: View
    augmented: bool


_MINI = BackboneSpec(arch="alexnet_mini")
_FAIR = ProbeRecipe(
    iterations=140_000,
    batch_size=256,
    optimiser="sgd",
    lr=0.01,
    weight_decay=5e-4,
    schedule="step",
    warmup=0.0,
    milestones=(2 / 7, 4 / 7, 6 / 7),
    dropout=0.0,
)
_SHORT = ProbeRecipe(iterations=1_000, batch_size=64, weight_decay=1e-2, dropout=0.0)

PRESETS: dict[PresetName, Preset] = {
    "puppets_imagenet_linear": Preset(
        "the built-in world, one actor a picture of 64x64, 8 classes; a minute on one core",
        _MINI,
        "builtin",
        _SHORT,
        View(64, 64),
        augmented=False,
    ),
    "puppets_imagenet_linear_full": Preset(
        "the same pictures, cropped and mirrored at random in 2,000 iterations; minutes on one core",
        _MINI,
        "builtin",
        ProbeRecipe(iterations=2_000, batch_size=32, weight_decay=1e-2, dropout=0.0),
        View(72, 64),
        augmented=True,
    ),
    "imagenet_linear_small": Preset(
        "any folder of train/CLASS/ and val/CLASS/, central crops of 224, 1,000 iterations; any trunk",
        BackboneSpec(arch="resnet18"),
        "reduced",
        _SHORT,
        View(256, 224),
        augmented=False,
    ),
    "imagenet_linear_alexnet": Preset(
        "ImageNet-1k, CMP's AlexNet, every stage pooled to about 9,000 features, 140k iterations of batch 256",
        BackboneSpec(arch="alexnet_32x"),
        "full",
        _FAIR,
        View(256, 224),
        augmented=True,
    ),
    "imagenet_linear_r50": Preset(
        "ImageNet-1k, ResNet-50, every stage pooled to about 9,000 features, 140k iterations of batch 256",
        BackboneSpec(arch="resnet50"),
        "full",
        _FAIR,
        View(256, 224),
        augmented=True,
    ),
}


class ImageNetLinearConfig(ProbeConfig):
    """Settings of the task, beside those that all tasks with presets have.

    Attributes:
        augmented: whether training images are cropped and mirrored at random.
    """

    table = PRESETS

    preset: PresetName = "puppets_imagenet_linear"
    augmented: bool | None = None

    @classmethod
    def said_by(cls, preset: Any) -> dict[str, Any]:
        """Name the settings that a preset decides, with their values."""
        return {**super().said_by(preset), "augmented": preset.augmented}

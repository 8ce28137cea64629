"""What can be run: the presets, and what may be changed in them."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from ssl_motion.frozen.training import ProbeRecipe
from ssl_motion.frozen.views import View
from ssl_motion.preset_config import PresetConfig
from ssl_motion.spec import BackboneSpec

PresetName = Literal[
    "puppets_imagenet_linear",
    "puppets_imagenet_linear_full",
    "imagenet_linear_small",
    "imagenet_linear_alexnet",
    "imagenet_linear_r50",
]


@dataclass(frozen=True)
class Preset:
    """A trunk and a way of training the probes.

    Attributes:
        summary: one line on what it is.
        backbone: the trunk that is read.
        recipe: how the probes are trained.
        test: folder that is scored.
        scale: of its results, as in `ssl_motion.record.ResultRecord`.
        view: what the trunk sees of an image.
        augmented: whether training images are cropped and mirrored at random in every draw; their features are then
            computed anew each time, where otherwise they are computed once.
    """

    summary: str
    backbone: BackboneSpec
    recipe: ProbeRecipe
    test: str
    scale: Literal["full", "reduced", "builtin"]
    view: View
    augmented: bool

    @property
    def builtin(self) -> bool:
        """Whether it runs on the built-in world."""
        return self.scale == "builtin"


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
        _SHORT,
        "test",
        "builtin",
        View(64, 64),
        augmented=False,
    ),
    "puppets_imagenet_linear_full": Preset(
        "the same pictures, cropped and mirrored at random in 2,000 iterations; minutes on one core",
        _MINI,
        ProbeRecipe(iterations=2_000, batch_size=32, weight_decay=1e-2, dropout=0.0),
        "test",
        "builtin",
        View(72, 64),
        augmented=True,
    ),
    "imagenet_linear_small": Preset(
        "any folder of train/CLASS/ and val/CLASS/, central crops of 224, 1,000 iterations; any trunk",
        BackboneSpec(arch="resnet18"),
        _SHORT,
        "val",
        "reduced",
        View(256, 224),
        augmented=False,
    ),
    "imagenet_linear_alexnet": Preset(
        "ImageNet-1k, CMP's AlexNet, every stage pooled to about 9,000 features, 140k iterations of batch 256",
        BackboneSpec(arch="alexnet_32x"),
        _FAIR,
        "val",
        "full",
        View(256, 224),
        augmented=True,
    ),
    "imagenet_linear_r50": Preset(
        "ImageNet-1k, ResNet-50, every stage pooled to about 9,000 features, 140k iterations of batch 256",
        BackboneSpec(arch="resnet50"),
        _FAIR,
        "val",
        "full",
        View(256, 224),
        augmented=True,
    ),
}


class ImageNetLinearConfig(PresetConfig):
    """Settings of the task. Whatever differs from the preset is a fact of the protocol, and makes its scale "reduced".

    Attributes:
        preset: trunk and training.
        backbone: another trunk, for weights of another architecture.
        iterations: another length of training; the schedule is stretched with it.
        batch_size: another number of images per optimiser step.
        lr: another peak learning rate.
        augmented: whether training images are cropped and mirrored at random.
        evaluate_on: folder that is scored. Make choices (learning rates, ...) on "val", where there is a "test".
    """

    table = PRESETS

    preset: PresetName = "puppets_imagenet_linear"
    backbone: BackboneSpec | None = None
    iterations: Annotated[int, Field(ge=1)] | None = None
    batch_size: Annotated[int, Field(ge=1)] | None = None
    lr: Annotated[float, Field(gt=0)] | None = None
    augmented: bool | None = None
    evaluate_on: Literal["val", "test"] | None = None

    @classmethod
    def said_by(cls, preset: Preset) -> dict[str, Any]:
        """Name the settings that a preset decides, with their values."""
        return {
            **super().said_by(preset),
            "augmented": preset.augmented,
            "iterations": preset.recipe.iterations,
            "batch_size": preset.recipe.batch_size,
            "lr": preset.recipe.lr,
        }

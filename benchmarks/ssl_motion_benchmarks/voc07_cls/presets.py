"""What can be run: the presets, and what may be changed in them."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ssl_motion.presets import CroppedRecipeConfig
from ssl_motion.spec import BackboneSpec
from ssl_motion_benchmarks.voc07.presets import Voc07Preset

PresetName = Literal[
    "puppets_cls",
    "puppets_cls_full",
    "puppets_svm",
    "puppets_lowshot",
    "voc07_cls_ft",
    "voc07_svm",
    "voc07_lowshot",
]
Kind = Literal["finetune", "svm", "lowshot"]

COSTS = (*(0.5**power for power in range(19, 3, -1)), 0.01, 0.1)
"""0.5^19 ... 0.5^4, 0.01 and 0.1: those that fair_self_supervision_benchmark tries."""

FEW_COSTS = (*(0.5**power for power in (11, 8, 5, 2)), 2.0, 16.0)
"""For the built-in world, to be quick."""


@dataclass(frozen=True)
class Preset(Voc07Preset):
    """A protocol with its trunk and data.

    Attributes:
        kind: fine-tuning by a recipe of the preset's name, linear SVMs on all labels, or on few.
        short_side: the images' shorter side in pixels for frozen features; None takes them as they are.
        costs: of SVMs that are tried.
        shots: numbers of labelled images of every class.
    """

    kind: Kind
    short_side: int | None = None
    costs: tuple[float, ...] = ()
    shots: tuple[int, ...] = ()


_MINI = BackboneSpec(arch="alexnet_mini")
_ALEXNET = BackboneSpec(arch="alexnet_32x")
PRESETS: dict[PresetName, Preset] = {
    "puppets_cls": Preset(
        "classes present in images of the built-in world, fine-tuned: 400 iterations, 10 crops; a minute on one core",
        _MINI,
        "builtin",
        "finetune",
    ),
    "puppets_cls_full": Preset(
        "puppets_cls trained for 2,000 iterations; minutes on one core", _MINI, "builtin", "finetune"
    ),
    "puppets_svm": Preset(
        "the same labels by linear SVMs on frozen features; half a minute on one core",
        _MINI,
        "builtin",
        "svm",
        None,
        FEW_COSTS,
    ),
    "puppets_lowshot": Preset(
        "the same by SVMs on 1 to 32 images of every class, 5 draws; half a minute on one core",
        _MINI,
        "builtin",
        "lowshot",
        None,
        FEW_COSTS,
        (1, 2, 4, 8, 16, 32),
    ),
    "voc07_cls_ft": Preset(
        "VOC 2007 trainval / test, fine-tuned for 80k iterations, 10 crops: voc-classification's schedule",
        _ALEXNET,
        "full",
        "finetune",
    ),
    "voc07_svm": Preset(
        "VOC 2007, linear SVMs on frozen features pooled to about 9,000 numbers, cost by 3-fold cross-validation",
        _ALEXNET,
        "full",
        "svm",
        224,
        COSTS,
    ),
    "voc07_lowshot": Preset(
        "VOC 2007, the same SVMs on 1 to 96 images of every class, 5 draws",
        _ALEXNET,
        "full",
        "lowshot",
        224,
        COSTS,
        (1, 2, 4, 8, 16, 32, 64, 96),
    ),
}
_FIELDS: dict[Kind, set[str]] = {
    "finetune": {"iterations", "batch_size", "lr", "crop", "freeze_to"},
    "svm": {"stage"},
    "lowshot": {"stage", "shots"},
}


class Voc07ClsConfig(CroppedRecipeConfig):
    """Settings of the task: those that all recipes with crops have, for fine-tuning, and those of frozen features.

    Attributes:
        stage: of frozen features: which stage is read; the last convolutional one unless given.
        shots: of few labels: this number of images of every class alone.
    """

    table = PRESETS

    preset: PresetName = "puppets_cls"
    stage: str | None = None
    shots: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _fits_the_preset(self) -> "Voc07ClsConfig":
        kind = PRESETS[self.preset].kind
        for name in sorted(set().union(*_FIELDS.values()) - _FIELDS[kind]):
            if getattr(self, name) is not None:
                where = ", ".join(preset for preset, each in PRESETS.items() if name in _FIELDS[each.kind])
                raise ValueError(f"{name}: {self.preset} has no use for it; it belongs to {where}")
        return self

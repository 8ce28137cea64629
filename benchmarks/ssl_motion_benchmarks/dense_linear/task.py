"""The task: features of a frozen stage at labelled pixels, one linear map, whole images scored. See protocol.md."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel

from ssl_motion.backbones import build_backbone
from ssl_motion.errors import UsageError
from ssl_motion.frozen.cache import FeatureCache
from ssl_motion.frozen.training import ProbeRecipe, probing_device, train_probes
from ssl_motion.frozen.trunk import FrozenTrunk, build_trunk
from ssl_motion.frozen.views import View
from ssl_motion.openmmlab.confusion import scores
from ssl_motion.plugins import did_you_mean
from ssl_motion.protocols import DataReport, Metric, RunContext, TaskResult, TransferTask
from ssl_motion.puppets.labels import CLASSES, LIP_PARTS
from ssl_motion.spec import BackboneSpec
from ssl_motion_benchmarks.dense_linear import sources
from ssl_motion_benchmarks.dense_linear.pixels import LabelledPixels
from ssl_motion_benchmarks.dense_linear.presets import PRESETS, DenseLinearConfig
from ssl_motion_benchmarks.dense_linear.readout import Views, fresh_probe, pixel_batches, score
from ssl_motion_benchmarks.voc_fcn import devkit

PER_IMAGE = "per_image.npz"


class DenseLinear(TransferTask):
    """Semantic segmentation by one linear map on a frozen stage."""

    Config = DenseLinearConfig
    recipe_version = 1
    metrics = (
        Metric("mIoU", primary=True),
        Metric("aAcc"),
        Metric("mAcc"),
    )
    presets = {name: preset.summary for name, preset in PRESETS.items()}

    def __init__(self, config: BaseModel) -> None:
        assert isinstance(config, DenseLinearConfig)
        super().__init__(config)
        self.settings = config
        self.preset = PRESETS[config.preset]
        if config.evaluate_on == "test" and self.preset.layout in ("voc", "lip", "cihp") and not self.preset.builtin:
            raise UsageError(f"evaluate_on: {config.preset} has no labels of a test list; score 'val'")
        with torch.device("meta"):
            known = list(build_backbone(self._spec).channels)
        self.stage = config.stage or known[-1]
        if self.stage not in known:
            raise UsageError(
                f"stage: {self._spec.arch} has no stage {self.stage!r}.{did_you_mean(self.stage, known)} "
                f"Its stages: {', '.join(known)}"
            )

    @property
    def uses_puppets(self) -> bool:
        """Whether the preset runs on the built-in world."""
        return self.preset.builtin

    @property
    def puppets_layouts(self) -> tuple[str, ...]:
        """The layout of the preset."""
        return (self.preset.layout,)

    @property
    def scale(self) -> Literal["full", "reduced", "builtin"]:
        """A preset with changes is not the preset any more."""
        return "reduced" if self.preset.scale == "full" and self.settings.is_changed else self.preset.scale

    def backbone(self) -> dict[str, Any]:
        """Describe the trunk that is read."""
        return self._spec.model_dump()

    def protocol(self) -> dict[str, Any]:
        """State the facts that make results comparable."""
        preset = self.preset
        name = {"voc": "voc2012", "folder": "folder"}.get(preset.layout, preset.layout)
        return {
            "dataset": f"puppets ({preset.layout})" if preset.builtin else name,
            "train_split": "train_aug" if preset.augmented else "train",
            "val_split": self._test_list,
            "backbone": self._spec.model_dump(exclude_none=True),
            "frozen_stages": "all",
            "bn_policy": "stored statistics",
            "head": {"type": "standardised over the training pixels, 1x1 convolution", "stage": self.stage},
            "label_swap": [list(pair) for pair in self._swaps] or "none (classes are not sided)",
            "augmentation": "each image as it is and mirrored",
            "resize": {"short_side": self._view.short_side},
            "training_pixels": {"number": self._pixels, "of": "each view of an image", "choice": "uniform, fixed"},
            "recipe": self._recipe.facts(),
            "test_mode": "whole",
            "eval_mask_resolution": "original image",
            "metric": "mIoU of one confusion matrix over the split; 255 ignored; classes in neither left out",
        }

    def check_data(self, root: Path) -> DataReport:
        """Say what of the images and labels is under `root`, what is missing, and how to get it."""
        if self.preset.layout == "voc":
            sets = [*devkit.training_sets(root, self.preset.augmented), devkit.LabelSet(self._test_list)]
            return devkit.inspect(root, sets, len(self._classes(root)))
        return sources.inspect(self.preset.layout, root, ["train", self._test_list], self.settings.classes)

    def run(self, context: RunContext) -> TaskResult:
        """Read the trunk, train the linear map, score whole images."""
        device = probing_device(context)
        began = time.monotonic()
        trunk = build_trunk(context.weights, self._spec, context.seed, device)
        classes = self._classes(context.data_root)
        views = self._read(context, trunk, classes, device)
        recipe = self._recipe
        probes = fresh_probe(views, self.stage, len(classes), recipe.dropout, context.seed).to(device)
        before = time.monotonic() - began
        batches = pixel_batches(views, self.stage, recipe.batch_size, context.seed)
        trained = train_probes(probes, batches, recipe, context, device, f"{self.settings.preset} seed {context.seed}")
        began = time.monotonic()
        tested = self._images(context.data_root, self._test_list)
        matrices = score(trunk, probes.of(self.stage), self.stage, tested, self._view, classes, device)
        matrices.save(context.run_dir / PER_IMAGE)
        figures = scores(matrices.total())
        return TaskResult(
            metrics={"mIoU": figures.miou, "aAcc": figures.accuracy, "mAcc": figures.mean_accuracy},
            details={
                name: {label: float(value) for label, value in zip(classes, values, strict=True) if value == value}
                for name, values in (("IoU", figures.iou), ("accuracy", figures.class_accuracy))
            },
            per_image=PER_IMAGE,
            wall_seconds=before + trained + time.monotonic() - began,
        )

    @property
    def _spec(self) -> BackboneSpec:
        return self.settings.backbone or self.preset.backbone

    @property
    def _recipe(self) -> ProbeRecipe:
        changes = {name: getattr(self.settings, name) for name in ("iterations", "batch_size", "lr")}
        return replace(self.preset.recipe, **{name: value for name, value in changes.items() if value is not None})

    @property
    def _view(self) -> View:
        return View(self.settings.short_side or self.preset.short_side)

    @property
    def _pixels(self) -> int:
        return self.settings.pixels or self.preset.pixels

    @property
    def _swaps(self) -> Sequence[tuple[int, int]]:
        return sources.LIP_SWAPS if self.preset.layout in ("lip", "cihp") else ()

    @property
    def _test_list(self) -> str:
        return self.settings.evaluate_on or self.preset.test

    def _classes(self, root: Path) -> tuple[str, ...]:
        if self.preset.layout in ("lip", "cihp"):
            return LIP_PARTS
        if self.preset.layout == "folder":
            return sources.read_classes(root / self.settings.classes)
        return CLASSES if self.preset.builtin else sources.VOC_CLASSES

    def _images(self, root: Path, split: str) -> sources.Labelled:
        if self.preset.layout != "voc":
            return sources.find(self.preset.layout, root, split)
        sets = devkit.training_sets(root, self.preset.augmented) if split == "train" else [devkit.LabelSet(split)]
        return sources.voc_images(devkit.voc_root(root), [(each.list_file, each.labels) for each in sets])

    def _read(self, context: RunContext, trunk: FrozenTrunk, classes: Sequence[str], device: str) -> Views:
        """Compute the features of the training pixels, or find them in the cache."""
        images = self._images(context.data_root, "train")
        data = self.check_data(context.data_root).fingerprint
        return [
            FeatureCache.of(context).get(
                trunk,
                images.images,
                replace(self._view, mirror=mirror),
                LabelledPixels(images.labels, len(classes), self._pixels, mirror, self._swaps),
                [self.stage],
                data=data,
                device=device,
                label=f"{self.settings.preset} features{', mirrored' if mirror else ''}",
            )
            for mirror in (False, True)
        ]

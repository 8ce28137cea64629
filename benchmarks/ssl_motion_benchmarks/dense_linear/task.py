"""The task: features of a frozen stage at labelled pixels, one linear map, whole images scored. See protocol.md."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ssl_motion.backbones import outline_backbone
from ssl_motion.frozen.cache import FeatureCache
from ssl_motion.frozen.probe_task import ProbeTask
from ssl_motion.frozen.training import probing_device, train_probes
from ssl_motion.frozen.trunk import FrozenTrunk, build_trunk
from ssl_motion.frozen.views import View
from ssl_motion.per_image.confusion import scores
from ssl_motion.protocols import PER_IMAGE, SEGMENTATION_METRICS, DataReport, RunContext, TaskResult
from ssl_motion.puppets.labels import CLASSES, LIP_PARTS
from ssl_motion_benchmarks.dense_linear import sources
from ssl_motion_benchmarks.dense_linear.pixels import LabelledPixels
from ssl_motion_benchmarks.dense_linear.presets import DenseLinearConfig, Preset
from ssl_motion_benchmarks.dense_linear.readout import Views, fresh_probe, pixel_batches, score
from ssl_motion_benchmarks.voc_fcn import devkit


class DenseLinear(ProbeTask[DenseLinearConfig, Preset]):
    """Semantic segmentation by one linear map on a frozen stage."""

    Config = DenseLinearConfig
    recipe_version = 1
    metrics = SEGMENTATION_METRICS
    data_settings = ("classes",)

    def __init__(self, config: BaseModel) -> None:
        super().__init__(config)
        outline = outline_backbone(self.trunk)
        self.stage = self.settings.stage or outline.last_stage
        outline.require_stage(self.stage, "stage")

    @property
    def no_test_labels(self) -> str:
        """A folder of one's own may have some."""
        return "" if self.preset.layout == "folder" else f"{self.settings.preset} has no labels of a test list"

    @property
    def puppets_layouts(self) -> tuple[str, ...]:
        """The layout of the preset."""
        return (self.preset.layout,)

    def protocol(self) -> dict[str, Any]:
        """State the facts that make results comparable."""
        preset = self.preset
        name = {"voc": "voc2012", "folder": "folder"}.get(preset.layout, preset.layout)
        return {
            "dataset": f"puppets ({preset.layout})" if preset.builtin else name,
            "train_split": "train_aug" if preset.augmented else "train",
            "val_split": self.tested,
            "backbone": self.trunk.model_dump(exclude_none=True),
            "frozen_stages": "all",
            "bn_policy": "stored statistics",
            "head": {"type": "standardised over the training pixels, 1x1 convolution", "stage": self.stage},
            "label_swap": [list(pair) for pair in self._swaps] or "none (classes are not sided)",
            "augmentation": "each image as it is and mirrored",
            "resize": {"short_side": self._view.short_side},
            "training_pixels": {"number": self._pixels, "of": "each view of an image", "choice": "uniform, fixed"},
            "recipe": self.recipe.facts(),
            "test_mode": "whole",
            "eval_mask_resolution": "original image",
            "metric": "mIoU of one confusion matrix over the split; 255 ignored; classes in neither left out",
        }

    def check_data(self, root: Path) -> DataReport:
        """Say what of the images and labels is under `root`, what is missing, and how to get it."""
        if self.preset.layout == "voc":
            sets = [*devkit.training_sets(root, self.preset.augmented), devkit.LabelSet(self.tested)]
            return devkit.inspect(root, sets, len(self._classes(root)))
        return sources.inspect(self.preset.layout, root, ["train", self.tested], self.settings.classes)

    def run(self, context: RunContext) -> TaskResult:
        """Read the trunk, train the linear map, score whole images."""
        device = probing_device(context)
        began = time.monotonic()
        trunk = build_trunk(context.weights, self.trunk, context.seed, device)
        classes = self._classes(context.data_root)
        views = self._read(context, trunk, classes, device)
        recipe = self.recipe
        probes = fresh_probe(views, self.stage, len(classes), recipe.dropout, context.seed).to(device)
        before = time.monotonic() - began
        batches = pixel_batches(views, self.stage, recipe.batch_size, context.seed)
        trained = train_probes(probes, batches, recipe, context, device, f"{self.settings.preset} seed {context.seed}")
        began = time.monotonic()
        tested = self._images(context.data_root, self.tested)
        matrices = score(trunk, probes.of(self.stage), self.stage, tested, self._view, classes, device)
        matrices.save(context.run_dir / PER_IMAGE)
        figures = scores(matrices.total())
        return TaskResult(
            metrics=figures.metrics,
            details=figures.details(classes),
            per_image=PER_IMAGE,
            wall_seconds=before + trained + time.monotonic() - began,
        )

    @property
    def _view(self) -> View:
        return View(self.settings.short_side or self.preset.short_side)

    @property
    def _pixels(self) -> int:
        return self.settings.pixels or self.preset.pixels

    @property
    def _swaps(self) -> Sequence[tuple[int, int]]:
        return sources.LIP_SWAPS if self.preset.layout in ("lip", "cihp") else ()

    def _classes(self, root: Path) -> tuple[str, ...]:
        if self.preset.layout in ("lip", "cihp"):
            return LIP_PARTS
        if self.preset.layout == "folder":
            return sources.read_classes(root / self.settings.classes)
        return CLASSES if self.preset.builtin else devkit.CLASS_NAMES

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

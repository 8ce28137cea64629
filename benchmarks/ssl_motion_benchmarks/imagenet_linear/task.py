"""The task: one linear probe for every stage of a frozen trunk, trained side by side. See protocol.md."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel

from ssl_motion.backbones import build_backbone
from ssl_motion.errors import UsageError
from ssl_motion.frozen.cache import FeatureCache
from ssl_motion.frozen.extract import POOLED_TO, Pooled
from ssl_motion.frozen.training import ProbeRecipe, probing_device, train_probes
from ssl_motion.frozen.trunk import build_trunk
from ssl_motion.protocols import DataReport, Metric, RunContext, TaskResult, TransferTask
from ssl_motion.spec import BackboneSpec
from ssl_motion_benchmarks.imagenet_linear import folders, probing
from ssl_motion_benchmarks.imagenet_linear.presets import PRESETS, ImageNetLinearConfig

PER_IMAGE = "per_image.npz"


class ImageNetLinear(TransferTask):
    """Classification by linear probes on every stage of a frozen trunk; ranked by the last convolutional one."""

    Config = ImageNetLinearConfig
    recipe_version = 1
    metrics = (Metric("top1", primary=True), Metric("top5"))
    presets = {name: preset.summary for name, preset in PRESETS.items()}

    def __init__(self, config: BaseModel) -> None:
        assert isinstance(config, ImageNetLinearConfig)
        super().__init__(config)
        self.settings = config
        self.preset = PRESETS[config.preset]
        if config.evaluate_on == "test" and not self.preset.builtin:
            raise UsageError("evaluate_on: the labels of ImageNet's test images are not public; score 'val'")

    @property
    def uses_puppets(self) -> bool:
        """Whether the preset runs on the built-in world."""
        return self.preset.builtin

    @property
    def puppets_layouts(self) -> tuple[str, ...]:
        """One folder a class, one actor a picture."""
        return ("imagefolder",)

    @property
    def scale(self) -> Literal["full", "reduced", "builtin"]:
        """A preset with changes is not the preset any more."""
        return "reduced" if self.preset.scale == "full" and self.settings.is_changed else self.preset.scale

    def backbone(self) -> dict[str, Any]:
        """Describe the trunk that is read."""
        return self._spec.model_dump()

    def protocol(self) -> dict[str, Any]:
        """State the facts that make results comparable."""
        return {
            "dataset": "puppets (imagefolder)" if self.preset.builtin else "imagefolder",
            "train_split": "train",
            "val_split": self._tested,
            "backbone": self._spec.model_dump(exclude_none=True),
            "frozen_stages": "all",
            "bn_policy": "stored statistics",
            "head": {
                "type": "standardised, linear; one for every stage",
                "pooled_to": POOLED_TO,
                "statistics_from": probing.STATISTICS_FROM,
                "ranked_by": self.ranked_stage,
            },
            "input": {"short_side": self.preset.view.short_side, "crop": self.preset.view.crop},
            "augmentation": "crop and mirror at random" if self._augmented else "none (central crop)",
            "recipe": self._recipe.facts(),
            "test_mode": "central crop",
            "metric": "share of images whose class has the highest score (top1), or one of the five highest (top5)",
        }

    def check_data(self, root: Path) -> DataReport:
        """Say what of the images is under `root`, what is missing, and how to get it."""
        return folders.inspect(root, [self._tested])

    def run(self, context: RunContext) -> TaskResult:
        """Read the trunk, train the probes, score all of them."""
        device, readers = probing_device(context), max(1, context.workers)
        began = time.monotonic()
        trunk = build_trunk(context.weights, self._spec, context.seed, device)
        images = folders.find(context.data_root, "train")
        recipe, view = self._recipe, self.preset.view
        known = probing.statistics_images(len(images.names))
        # Of images that are cropped at random in every draw, only the statistics are computed once.
        kept = known if self._augmented else range(len(images.names))
        features = FeatureCache.of(context).get(
            trunk,
            [images.paths[index] for index in kept],
            view,
            Pooled(),
            data=self.check_data(context.data_root).fingerprint,
            device=device,
            readers=readers,
            label=f"{self.settings.preset} features",
        )
        rows = range(len(known)) if self._augmented else known
        probes = probing.fresh_probes(features, rows, len(images.classes), recipe.dropout, context.seed).to(device)
        batches = (
            probing.augmented_batches(trunk, images, view, recipe.batch_size, context.seed, device, readers)
            if self._augmented
            else probing.kept_batches(features, images.labels, recipe.batch_size, context.seed)
        )
        before = time.monotonic() - began
        trained = train_probes(probes, batches, recipe, context, device, f"{self.settings.preset} seed {context.seed}")
        began = time.monotonic()
        tested = folders.find(context.data_root, self._tested)
        verdicts = probing.judge(trunk, probes, tested, view, device, readers)
        verdicts.save(context.run_dir / PER_IMAGE)
        details = {
            name: {stage: verdicts.accuracy(stage, top) for stage in probes.stages}
            for name, top in (("top1", 1), ("top5", probing.TOP))
        }
        return TaskResult(
            metrics={name: figures[self.ranked_stage] for name, figures in details.items()},
            details=details,
            per_image=PER_IMAGE,
            wall_seconds=before + trained + time.monotonic() - began,
        )

    @property
    def ranked_stage(self) -> str:
        """The last convolutional stage: AlexNet's fc6 and fc7 are probed too, but not ranked by."""
        with torch.device("meta"):
            stages = list(build_backbone(self._spec).channels)
        return [stage for stage in stages if not stage.startswith("fc")][-1]

    @property
    def _spec(self) -> BackboneSpec:
        return self.settings.backbone or self.preset.backbone

    @property
    def _recipe(self) -> ProbeRecipe:
        changes = {name: getattr(self.settings, name) for name in ("iterations", "batch_size", "lr")}
        return replace(self.preset.recipe, **{name: value for name, value in changes.items() if value is not None})

    @property
    def _augmented(self) -> bool:
        return self.preset.augmented if self.settings.augmented is None else self.settings.augmented

    @property
    def _tested(self) -> str:
        return self.settings.evaluate_on or self.preset.test

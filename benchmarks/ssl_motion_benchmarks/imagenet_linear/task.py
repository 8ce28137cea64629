"""The task: one linear probe for every stage of a frozen trunk, trained side by side. See protocol.md."""

import time
from pathlib import Path
from typing import Any

from ssl_motion.backbones import outline_backbone
from ssl_motion.frozen.cache import FeatureCache
from ssl_motion.frozen.extract import POOLED_TO, Pooled
from ssl_motion.frozen.probe_task import ProbeTask
from ssl_motion.frozen.training import probing_device, train_probes
from ssl_motion.frozen.trunk import build_trunk
from ssl_motion.protocols import PER_IMAGE, DataReport, Metric, RunContext, TaskResult
from ssl_motion_benchmarks.imagenet_linear import folders, probing
from ssl_motion_benchmarks.imagenet_linear.presets import ImageNetLinearConfig, Preset


class ImageNetLinear(ProbeTask[ImageNetLinearConfig, Preset]):
    """Classification by linear probes on every stage of a frozen trunk; ranked by the last convolutional one."""

    Config = ImageNetLinearConfig
    recipe_version = 1
    metrics = (Metric("top1", primary=True), Metric("top5"))
    puppets_layouts = ("imagefolder",)
    no_test_labels = "the labels of ImageNet's test images are not public"

    def protocol(self) -> dict[str, Any]:
        """State the facts that make results comparable."""
        return {
            "dataset": "puppets (imagefolder)" if self.preset.builtin else "imagefolder",
            "train_split": "train",
            "val_split": self.tested,
            "backbone": self.trunk.model_dump(exclude_none=True),
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
            "recipe": self.recipe.facts(),
            "test_mode": "central crop",
            "metric": "share of images whose class has the highest score (top1), or one of the five highest (top5)",
        }

    def check_data(self, root: Path) -> DataReport:
        """Say what of the images is under `root`, what is missing, and how to get it."""
        return folders.inspect(root, [self.tested])

    def run(self, context: RunContext) -> TaskResult:
        """Read the trunk, train the probes, score all of them."""
        device, readers = probing_device(context), max(1, context.workers)
        began = time.monotonic()
        trunk = build_trunk(context.weights, self.trunk, context.seed, device)
        images = folders.find(context.data_root, "train")
        recipe, view = self.recipe, self.preset.view
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
        tested = folders.find(context.data_root, self.tested)
        verdicts = probing.judge(trunk, probes, tested, view, device, readers)
        verdicts.save(context.run_dir / PER_IMAGE)
        details = {
            name: {stage: verdicts.accuracy(stage, top) for stage in probes.stages}
            for name, top in (("top1", 1), ("top5", folders.TOP))
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
        stages = list(outline_backbone(self.trunk).channels)
        return [stage for stage in stages if not stage.startswith("fc")][-1]

    @property
    def _augmented(self) -> bool:
        return self.preset.augmented if self.settings.augmented is None else self.settings.augmented

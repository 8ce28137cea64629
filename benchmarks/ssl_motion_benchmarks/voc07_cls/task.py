"""The task: three protocols on one set of labels; the harness does the rest. See protocol.md beside this file."""

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from ssl_motion.backbones import outline_backbone
from ssl_motion.per_image.multilabel import read_scores
from ssl_motion.preset_task import PresetTask
from ssl_motion.protocols import PER_IMAGE, DataReport, Metric, RunContext, TaskResult
from ssl_motion_benchmarks.voc07 import devkit
from ssl_motion_benchmarks.voc07.inspection import inspect_labels
from ssl_motion_benchmarks.voc07_cls.presets import Preset, Voc07ClsConfig


class Voc07Cls(PresetTask[Voc07ClsConfig, Preset]):
    """Multi-label classification: fine-tuned, or by linear SVMs on frozen features with all labels or few."""

    Config = Voc07ClsConfig
    recipe_version = 1
    metrics = (Metric("mAP", primary=True), Metric("mAP07"))
    puppets_layouts = ("voc07",)

    @property
    def has_recipe(self) -> bool:
        """Fine-tuning has one."""
        return self.preset.kind == "finetune"

    @property
    def shares_work(self) -> bool:
        """Fine-tuning shares its batches among processes; features are read in one."""
        return self.preset.kind == "finetune"

    def protocol(self) -> dict[str, Any]:
        """State the facts that make results comparable."""
        train, test = self._splits
        shared = {
            "dataset": "puppets" if self.preset.builtin else "voc2007",
            "train_split": train,
            "val_split": test,
        }
        if self.preset.kind == "finetune":
            from ssl_motion_benchmarks.voc07_cls import finetune

            return {**shared, **finetune.facts(finetune.make_recipe(self.settings, self._classes, train, test))}
        from ssl_motion_benchmarks.voc07_cls import frozen

        trunk = {"spec": self.trunk.model_dump(exclude_none=True)}
        return {**shared, "backbone": trunk, **frozen.facts(self.preset, self._stage, self._shots)}

    def check_data(self, root: Path) -> DataReport:
        """Say what of the devkit is under `root` (that folder, or VOC2007 or VOCdevkit/VOC2007 below it)."""
        report = inspect_labels(root, self._splits, self._classes)
        if report.missing or not self._shots:
            return report
        train, wanted = self._splits[0], max(self._shots)
        labels = devkit.read_labels(devkit.voc_root(root), train, self._classes).labels
        few = [
            f"{label} ({count})"
            for label, count in zip(self._classes, (labels == 1).sum(axis=0), strict=True)
            if count < wanted
        ]
        if not few:
            from ssl_motion_benchmarks.voc07_cls.lowshot import describe_draws

            return replace(report, remarks=[describe_draws(self._shots, *labels.shape)])
        return replace(
            report,
            missing=[f"classes with at least {wanted} images in {train}, for {wanted} shots: {', '.join(few)}"],
            how_to_get="Ask for fewer (--shots K).",
            fingerprint="",
        )

    def check_recipe(self, overrides: Mapping[str, Any], *, build: bool = False) -> list[str]:
        """Look for the keys in the recipe of fine-tuning; with `build`, build its parts."""
        if self.preset.kind != "finetune":
            return []
        from ssl_motion.openmmlab.recipe_task import check_overrides
        from ssl_motion_benchmarks.voc07_cls import finetune

        recipe = finetune.make_recipe(self.settings, self._classes, *self._splits)
        return check_overrides(recipe, overrides, self._register if build else None)

    def run(self, context: RunContext) -> TaskResult:
        """Train and evaluate; fine-tuning continues from the run folder's last checkpoint where there is one."""
        train, test = self._splits
        if self.preset.kind != "finetune":
            from ssl_motion_benchmarks.voc07_cls import frozen

            return frozen.run(
                context,
                self.preset,
                self.trunk,
                self._stage,
                self._splits,
                self._classes,
                self._shots,
                self.check_data(context.data_root).fingerprint,
            )
        from ssl_motion.openmmlab.running import train_and_test

        self._register()
        from ssl_motion_benchmarks.voc07_cls import finetune, frozen

        recipe = finetune.resolve(finetune.make_recipe(self.settings, self._classes, train, test), context)
        metrics, seconds = train_and_test(recipe, context, f"{self.settings.preset} seed {context.seed}")
        _, details = frozen.figures(read_scores(context.run_dir / PER_IMAGE), recipe["test_evaluator"]["rule"])
        return TaskResult(metrics, details, PER_IMAGE, seconds)

    @staticmethod
    def _register() -> None:
        """Import the libraries and what the recipes name."""
        from ssl_motion.openmmlab.libraries import use_mmseg

        use_mmseg()  # the draws and the trunks are registered with it
        for part in ("crops", "classifier"):
            import_module(f"ssl_motion_benchmarks.voc07_cls.{part}")

    @property
    def _shots(self) -> tuple[int, ...]:
        return (self.settings.shots,) if self.settings.shots is not None else self.preset.shots

    @property
    def _splits(self) -> tuple[str, str]:
        """What is trained on and what is scored."""
        return devkit.SPLITS[self.tested]

    @property
    def _classes(self) -> tuple[str, ...]:
        return devkit.class_names(self.preset.builtin)

    @property
    def _stage(self) -> str:
        """The stage that SVMs read: as set, else the last that is no fully connected layer's."""
        outline = outline_backbone(self.trunk)
        stage = self.settings.stage or [name for name in outline.channels if not name.startswith("fc")][-1]
        outline.require_stage(stage, "stage")
        return stage

"""The task: three protocols on one set of labels; the harness does the rest. See protocol.md beside this file."""

from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from ssl_motion.errors import UsageError
from ssl_motion.plugins import did_you_mean
from ssl_motion.protocols import DataReport, Metric, RunContext, TaskResult, TransferTask
from ssl_motion.spec import BackboneSpec
from ssl_motion_benchmarks.voc07 import devkit
from ssl_motion_benchmarks.voc07.inspection import inspect_labels
from ssl_motion_benchmarks.voc07.scores import PER_IMAGE, read_scores
from ssl_motion_benchmarks.voc07_cls.presets import PRESETS, Voc07ClsConfig


class Voc07Cls(TransferTask):
    """Multi-label classification: fine-tuned, or by linear SVMs on frozen features with all labels or few."""

    Config = Voc07ClsConfig
    recipe_version = 1
    metrics = (Metric("mAP", primary=True), Metric("mAP07"))
    presets = {name: preset.summary for name, preset in PRESETS.items()}

    def __init__(self, config: BaseModel) -> None:
        assert isinstance(config, Voc07ClsConfig)
        super().__init__(config)
        self.settings = config
        self.preset = PRESETS[config.preset]

    @property
    def uses_puppets(self) -> bool:
        """Whether the preset runs on the built-in world."""
        return self.preset.builtin

    @property
    def puppets_layouts(self) -> tuple[str, ...]:
        """VOC 2007's devkit."""
        return ("voc07",)

    @property
    def scale(self) -> Literal["full", "reduced", "builtin"]:
        """A preset with changes is not the preset any more."""
        return "reduced" if self.preset.scale == "full" and self.settings.is_changed else self.preset.scale

    def backbone(self) -> dict[str, Any]:
        """Describe the trunk that is fine-tuned or read."""
        return self._trunk.model_dump()

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

        trunk = {"spec": self._trunk.model_dump(exclude_none=True)}
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
            return report
        return DataReport(
            found=report.found,
            missing=[f"classes with at least {wanted} images in {train}, for {wanted} shots: {', '.join(few)}"],
            how_to_get="Ask for fewer (--shots K).",
        )

    def run(self, context: RunContext) -> TaskResult:
        """Train and evaluate; fine-tuning continues from the run folder's last checkpoint where there is one."""
        train, test = self._splits
        if self.preset.kind != "finetune":
            from ssl_motion_benchmarks.voc07_cls import frozen

            if context.recipe_overrides:
                raise UsageError(f"--cfg-options: {self.settings.preset} has no MMEngine recipe; use --set")
            return frozen.run(
                context,
                self.preset,
                self._trunk,
                self._stage,
                self._splits,
                self._classes,
                self._shots,
                self.check_data(context.data_root).fingerprint,
            )
        from ssl_motion.openmmlab.libraries import use_mmseg
        from ssl_motion.openmmlab.running import train_and_test

        use_mmseg()  # the draws and the trunks are registered with it
        for part in ("crops", "classifier"):
            import_module(f"ssl_motion_benchmarks.voc07_cls.{part}")  # registers what recipes name
        from ssl_motion_benchmarks.voc07_cls import finetune, frozen

        recipe = finetune.resolve(finetune.make_recipe(self.settings, self._classes, train, test), context)
        metrics, seconds = train_and_test(recipe, context, f"{self.settings.preset} seed {context.seed}")
        _, details = frozen.figures(read_scores(context.run_dir / PER_IMAGE), recipe["test_evaluator"]["rule"])
        return TaskResult(metrics, details, PER_IMAGE, seconds)

    @property
    def _trunk(self) -> BackboneSpec:
        return self.settings.backbone or self.preset.backbone

    @property
    def _splits(self) -> tuple[str, str]:
        """What is trained on and what is scored."""
        return ("train", "val") if self.settings.evaluate_on == "val" else ("trainval", "test")

    @property
    def _shots(self) -> tuple[int, ...]:
        return (self.settings.shots,) if self.settings.shots is not None else self.preset.shots

    @property
    def _classes(self) -> tuple[str, ...]:
        if not self.preset.builtin:
            return devkit.CLASSES
        from ssl_motion.puppets import CLASSES

        return CLASSES[1:]

    @property
    def _stage(self) -> str:
        """The stage that SVMs read: as set, else the last that is no fully connected layer's."""
        from torch import device

        from ssl_motion.backbones import build_backbone

        with device("meta"):
            known = list(build_backbone(self._trunk).channels)
        stage = self.settings.stage or [name for name in known if not name.startswith("fc")][-1]
        if stage not in known:
            raise UsageError(
                f"stage: {self._trunk.arch} has no stage {stage!r}.{did_you_mean(stage, known)} "
                f"Its stages: {', '.join(known)}"
            )
        return stage

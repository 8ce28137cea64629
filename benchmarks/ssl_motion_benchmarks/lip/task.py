"""The task: recipes for two layouts of human parsing, and metric names. See protocol.md beside this file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from ssl_motion.errors import UsageError
from ssl_motion.openmmlab import recipes
from ssl_motion.openmmlab.confusion import read_per_image, scores
from ssl_motion.openmmlab.facts import segmentation_facts
from ssl_motion.openmmlab.running import train_and_test
from ssl_motion.protocols import DataReport, Metric, RunContext, TaskResult, TransferTask
from ssl_motion.spec import BackboneSpec
from ssl_motion.weights import read_card
from ssl_motion_benchmarks.lip import folders
from ssl_motion_benchmarks.lip.presets import PRESETS, LIPConfig

PER_IMAGE = "per_image.npz"


class LIP(TransferTask):
    """Segmentation of persons into 20 parts, left and right apart, by FCN through mmsegmentation."""

    Config = LIPConfig
    recipe_version = 1
    metrics = (
        Metric("mIoU", primary=True),
        Metric("aAcc"),
        Metric("mAcc"),
    )
    presets = {name: preset.summary for name, preset in PRESETS.items()}

    def __init__(self, config: BaseModel) -> None:
        assert isinstance(config, LIPConfig)
        super().__init__(config)
        self.settings = config
        self.preset = PRESETS[config.preset]
        if config.evaluate_on == "test" and not self.preset.builtin:
            raise UsageError("evaluate_on: the labels of LIP's and CIHP's test images are not public; score 'val'")

    @property
    def uses_puppets(self) -> bool:
        """Whether the preset runs on the built-in world."""
        return self.preset.builtin

    @property
    def puppets_layouts(self) -> tuple[str, ...]:
        """LIP's folders or CIHP's."""
        return (self.preset.layout,)

    @property
    def scale(self) -> Literal["full", "reduced", "builtin"]:
        """A preset with changes is not the preset any more."""
        return "reduced" if self.preset.scale == "full" and self.settings.is_changed else self.preset.scale

    def backbone(self) -> dict[str, Any]:
        """Describe the trunk that the recipe trains."""
        return (self.settings.backbone or self.preset.backbone).model_dump()

    def protocol(self) -> dict[str, Any]:
        """State the facts that make results comparable."""
        name = self.preset.layout
        return {
            "dataset": f"puppets ({name})" if self.preset.builtin else name,
            "train_split": "train",
            "val_split": self._tested,
            **segmentation_facts(self._recipe()),
        }

    def check_data(self, root: Path) -> DataReport:
        """Say what of the data is under `root` (that folder, or LIP, CIHP, ... below it)."""
        return folders.inspect(self.preset.layout, root, ("train", self._tested))

    def run(self, context: RunContext) -> TaskResult:
        """Train and evaluate; continues from the run folder's last checkpoint where there is one."""
        from ssl_motion.openmmlab.libraries import use_mmseg

        use_mmseg()
        recipe = self._resolved(context)
        metrics, seconds = train_and_test(recipe, context, f"{self.settings.preset} seed {context.seed}")
        return self._result(context.run_dir, metrics, seconds)

    def ensemble(self, members: Sequence[Path], context: RunContext) -> TaskResult:
        """Score the average of the class probabilities of finished runs."""
        from ssl_motion.openmmlab.averaging import score_average
        from ssl_motion.openmmlab.libraries import use_mmseg

        use_mmseg()
        label = f"{self.settings.preset}, average of {len(members)}"
        metrics, seconds = score_average(self._resolved(context), members, context, label)
        return self._result(context.run_dir, metrics, seconds)

    @staticmethod
    def _result(run_dir: Path, metrics: dict[str, float], seconds: float) -> TaskResult:
        matrices = read_per_image(run_dir / PER_IMAGE)
        figures = scores(matrices.total())
        details = {
            name: {part: float(value) for part, value in zip(matrices.classes, values, strict=True) if value == value}
            for name, values in (("IoU", figures.iou), ("accuracy", figures.class_accuracy))
        }
        return TaskResult(metrics=metrics, details=details, per_image=PER_IMAGE, wall_seconds=seconds)

    @property
    def _tested(self) -> Literal["val", "test"]:
        return self.settings.evaluate_on or self.preset.test

    def _recipe(self) -> recipes.Recipe:
        """The preset's recipe with the task's settings, without paths, seed and weights."""
        settings = self.settings
        recipe = recipes.load_recipe(settings.preset)
        if settings.backbone is not None:
            recipes.set_backbone(recipe, settings.backbone)
        if settings.freeze_to is not None:
            recipes.set_frozen_to(recipe, settings.freeze_to, BackboneSpec(**self.backbone()))
        if settings.iterations is not None:
            recipes.set_iterations(recipe, settings.iterations)
        if settings.batch_size is not None:
            recipes.set_total_batch(recipe, settings.batch_size)
        if settings.lr is not None:
            recipes.set_learning_rate(recipe, settings.lr)
        if settings.crop is not None:
            recipes.set_crop(recipe, settings.crop)
        return recipe

    def _resolved(self, context: RunContext) -> recipes.Recipe:
        """The recipe of one run: data, seed, weights and the user's overrides filled in."""
        from ssl_motion.engine.environment import launched_processes

        recipe, layout = self._recipe(), self.preset.layout
        for loader, name, outer in (("train_dataloader", "train", True), ("test_dataloader", self._tested, False)):
            split = folders.find_split(layout, context.data_root, name)
            dataset = recipe[loader]["dataset"]["dataset"] if outer else recipe[loader]["dataset"]
            prefix = {"img_path": split.images, "seg_map_path": split.labels}
            dataset.update(ann_file=split.list_file, data_prefix=prefix)
        recipes.set_data_root(recipe, folders.find_root(layout, context.data_root).resolve())
        recipes.set_seed(recipe, context.seed)
        recipes.set_total_batch(recipe, recipes.total_batch(recipe), launched_processes().world_size)
        if context.weights is not None:
            card = read_card(context.weights)
            recipe["model"]["backbone"]["weights"] = str(context.weights)
            recipe["model"]["data_preprocessor"].update(mean=list(card.mean), std=list(card.std))
        recipe["test_evaluator"]["path"] = str(context.run_dir / PER_IMAGE)
        return recipes.override(recipe, context.recipe_overrides)

"""The task: a recipe, a data layout and metric names; the harness does the rest. See protocol.md beside this file."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from ssl_motion.errors import UsageError
from ssl_motion.openmmlab import recipes
from ssl_motion.openmmlab.confusion import read_per_image, scores
from ssl_motion.openmmlab.facts import segmentation_facts
from ssl_motion.openmmlab.running import train_and_test
from ssl_motion.protocols import DataReport, Metric, RunContext, TaskResult, TransferTask
from ssl_motion.weights import read_card
from ssl_motion_benchmarks.voc_fcn import devkit
from ssl_motion_benchmarks.voc_fcn.presets import PRESETS, VocFCNConfig

PER_IMAGE = "per_image.npz"


class VocFCN(TransferTask):
    """Semantic segmentation by FCN through mmsegmentation."""

    Config = VocFCNConfig
    recipe_version = 1
    metrics = (
        Metric("mIoU", primary=True),
        Metric("aAcc"),
        Metric("mAcc"),
    )
    presets = {name: preset.summary for name, preset in PRESETS.items()}

    def __init__(self, config: BaseModel) -> None:
        assert isinstance(config, VocFCNConfig)
        super().__init__(config)
        self.settings = config
        self.preset = PRESETS[config.preset]
        if config.evaluate_on == "test" and not self.preset.builtin:
            raise UsageError("evaluate_on: the labels of VOC 2012's test list are not public; score 'val'")

    @property
    def uses_puppets(self) -> bool:
        """Whether the preset runs on the built-in world."""
        return self.preset.builtin

    @property
    def scale(self) -> Literal["full", "reduced", "builtin"]:
        """A preset with changes is not the preset any more."""
        return "reduced" if self.preset.scale == "full" and self.settings.is_changed else self.preset.scale

    def backbone(self) -> dict[str, Any]:
        """Describe the trunk that the recipe trains."""
        return (self.settings.backbone or self.preset.backbone).model_dump()

    def protocol(self) -> dict[str, Any]:
        """State the facts that make results comparable."""
        return {
            "dataset": "puppets" if self.preset.builtin else "voc2012",
            "train_split": "train_aug" if self.preset.augmented else "train",
            "val_split": self._test_list,
            **segmentation_facts(self._recipe()),
        }

    def check_data(self, root: Path) -> DataReport:
        """Say what of the devkit is under `root` (that folder, or VOC2012 or VOCdevkit/VOC2012 below it)."""
        sets = [*devkit.training_sets(root, self.preset.augmented), devkit.LabelSet(self._test_list)]
        return devkit.inspect(root, sets)

    def run(self, context: RunContext) -> TaskResult:
        """Train and evaluate; continues from the run folder's last checkpoint where there is one."""
        from ssl_motion.openmmlab.libraries import use_mmseg

        use_mmseg()
        recipe = self._resolved(context)
        metrics, seconds = train_and_test(recipe, context, f"{self.settings.preset} seed {context.seed}")
        matrices = read_per_image(context.run_dir / PER_IMAGE)
        figures = scores(matrices.total())
        return TaskResult(
            metrics=metrics,
            details={
                name: {
                    label: float(value) for label, value in zip(matrices.classes, values, strict=True) if value == value
                }
                for name, values in (("IoU", figures.iou), ("accuracy", figures.class_accuracy))
            },
            per_image=PER_IMAGE,
            wall_seconds=seconds,
        )

    @property
    def _test_list(self) -> str:
        return self.settings.evaluate_on or self.preset.test

    def _recipe(self) -> recipes.Recipe:
        """The preset's recipe with the task's settings, without paths, seed and weights."""
        settings = self.settings
        recipe = recipes.load_recipe(settings.preset)
        if self.preset.builtin:
            self._fill_in_classes(recipe)
        if settings.backbone is not None and settings.backbone != self.preset.backbone:
            recipes.set_backbone(recipe, settings.backbone)
        if settings.iterations is not None:
            recipes.set_iterations(recipe, settings.iterations)
        if settings.batch_size is not None:
            recipes.set_total_batch(recipe, settings.batch_size)
        if settings.lr is not None:
            recipes.set_learning_rate(recipe, settings.lr)
        if settings.crop is not None:
            recipes.set_crop(recipe, settings.crop)
        if settings.train_images is not None:
            recipes.set_train_images(recipe, settings.train_images)
        recipe["test_dataloader"]["dataset"]["ann_file"] = devkit.LabelSet(self._test_list).list_file
        return recipe

    def _resolved(self, context: RunContext) -> recipes.Recipe:
        """The recipe of one run: data, seed, weights and the user's overrides filled in."""
        from ssl_motion.engine.environment import launched_processes

        recipe = self._recipe()
        if self.preset.augmented:
            self._fill_in_training_sets(recipe, context.data_root)
        recipes.set_data_root(recipe, devkit.voc_root(context.data_root).resolve())
        recipes.set_seed(recipe, context.seed)
        recipes.set_total_batch(recipe, recipes.total_batch(recipe), launched_processes().world_size)
        if context.weights is not None:
            card = read_card(context.weights)
            recipe["model"]["backbone"]["weights"] = str(context.weights)
            recipe["model"]["data_preprocessor"].update(mean=list(card.mean), std=list(card.std))
        recipe["test_evaluator"]["path"] = str(context.run_dir / PER_IMAGE)
        return recipes.override(recipe, context.recipe_overrides)

    @staticmethod
    def _fill_in_classes(recipe: recipes.Recipe) -> None:
        from ssl_motion.puppets import CLASSES, PALETTE

        recipe["classes"] = list(CLASSES)
        for node in recipes.nodes(recipe, lambda node: node.get("type") == "BaseSegDataset"):
            node["metainfo"] = {"classes": list(CLASSES), "palette": PALETTE.tolist()}
        recipe["model"]["decode_head"]["num_classes"] = len(CLASSES)

    @staticmethod
    def _fill_in_training_sets(recipe: recipes.Recipe, root: Path) -> None:
        outer = recipe["train_dataloader"]["dataset"]["dataset"]
        template = outer["datasets"][0]
        outer["datasets"] = [
            {
                **template,
                "ann_file": each.list_file,
                "data_prefix": {"img_path": devkit.IMAGES, "seg_map_path": each.labels},
            }
            for each in devkit.training_sets(root, augmented=True)
        ]

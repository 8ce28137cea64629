"""The task: a recipe, a data layout and metric names; the harness does the rest. See protocol.md beside this file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel

from ssl_motion.data import label_lists
from ssl_motion.errors import UsageError
from ssl_motion.openmmlab import recipes
from ssl_motion.openmmlab.confusion import read_per_image, scores
from ssl_motion.openmmlab.facts import segmentation_facts
from ssl_motion.openmmlab.running import train_and_test
from ssl_motion.protocols import DataReport, Metric, RunContext, TaskResult, TransferTask
from ssl_motion.spec import BackboneSpec
from ssl_motion.weights import read_card
from ssl_motion_benchmarks.voc_fcn import devkit, few_labels
from ssl_motion_benchmarks.voc_fcn.presets import PRESETS, SegmentationConfig, VocFCNConfig

PER_IMAGE = "per_image.npz"


class VocFCN(TransferTask):
    """Semantic segmentation by FCN through mmsegmentation."""

    Config: ClassVar[type[BaseModel]] = VocFCNConfig
    recipe_version = 1
    metrics = (
        Metric("mIoU", primary=True),
        Metric("aAcc"),
        Metric("mAcc"),
    )
    presets: ClassVar[Mapping[str, str]] = {name: preset.summary for name, preset in PRESETS.items()}

    def __init__(self, config: BaseModel) -> None:
        assert isinstance(config, SegmentationConfig)
        super().__init__(config)
        self.settings = config
        self.preset = config.chosen_preset
        self._chosen: few_labels.Chosen | None = None
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
            **self._few_labels_facts(),
            **segmentation_facts(self._recipe()),
        }

    def check_data(self, root: Path) -> DataReport:
        """Say what of the devkit is under `root` (that folder, or VOC2012 or VOCdevkit/VOC2012 below it)."""
        sets = [*devkit.training_sets(root, self.preset.augmented), devkit.LabelSet(self._test_list)]
        return devkit.inspect(root, sets, self._number_of_classes)

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

    def _result(self, run_dir: Path, metrics: dict[str, float], seconds: float) -> TaskResult:
        matrices = read_per_image(run_dir / PER_IMAGE)
        figures = scores(matrices.total())
        details = {
            name: {label: float(value) for label, value in zip(matrices.classes, values, strict=True) if value == value}
            for name, values in (("IoU", figures.iou), ("accuracy", figures.class_accuracy))
        }
        if self._chosen is not None:
            details["labelled images"] = self._chosen.shown
        return TaskResult(metrics=metrics, details=details, per_image=PER_IMAGE, wall_seconds=seconds)

    @property
    def _number_of_classes(self) -> int:
        if not self.preset.builtin:
            return devkit.CLASSES
        from ssl_motion.puppets import CLASSES

        return len(CLASSES)

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
            self._set_backbone(recipe, settings.backbone)
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
        self._train_on_few_labels(recipe, context)
        recipes.set_data_root(recipe, devkit.voc_root(context.data_root).resolve())
        recipes.set_seed(recipe, context.seed)
        recipes.set_total_batch(recipe, recipes.total_batch(recipe), launched_processes().world_size)
        if context.weights is not None:
            card = read_card(context.weights)
            recipe["model"]["backbone"]["weights"] = str(context.weights)
            recipe["model"]["data_preprocessor"].update(mean=list(card.mean), std=list(card.std))
        recipe["test_evaluator"]["path"] = str(context.run_dir / PER_IMAGE)
        return recipes.override(recipe, context.recipe_overrides)

    def _few_labels_facts(self) -> dict[str, Any]:
        """The fact of few labels; none where all are used."""
        asked = {"fraction": self.settings.label_fraction, "shots": self.settings.shots}
        given = {name: value for name, value in asked.items() if value is not None}
        return {"labels": {**given, "rule": label_lists.RULE}} if given else {}

    def _train_on_few_labels(self, recipe: recipes.Recipe, context: RunContext) -> None:
        settings, data = self.settings, recipe["train_dataloader"]["dataset"]
        if settings.label_fraction is None and settings.shots is None:
            return
        self._chosen = few_labels.choose(
            context.data_root,
            devkit.training_sets(context.data_root, self.preset.augmented),
            self._classes(),
            fraction=settings.label_fraction,
            shots=settings.shots,
        )
        data["dataset"] = few_labels.restrict(data["dataset"], self._chosen, context.run_dir)

    def _classes(self) -> tuple[str, ...]:
        """Names of the classes, the background first."""
        if self.preset.builtin:
            from ssl_motion.puppets import CLASSES

            return CLASSES
        from mmseg.datasets import PascalVOCDataset

        return tuple(PascalVOCDataset.METAINFO["classes"])

    def _set_backbone(self, recipe: recipes.Recipe, spec: BackboneSpec) -> None:
        """Put another trunk in."""
        recipes.set_backbone(recipe, spec)

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

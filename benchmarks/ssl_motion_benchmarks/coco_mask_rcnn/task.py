"""The task: a recipe, a data layout and metric names; the harness does the rest. See protocol.md beside this file."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from ssl_motion.errors import UsageError
from ssl_motion.openmmlab import recipes
from ssl_motion.openmmlab.average_precision import class_figures, read_per_image_detections
from ssl_motion.openmmlab.detection import detection_facts
from ssl_motion.openmmlab.pyramid import set_pyramid
from ssl_motion.openmmlab.running import train_and_test
from ssl_motion.protocols import DataReport, Metric, RunContext, TaskResult, TransferTask
from ssl_motion.spec import BackboneSpec
from ssl_motion.weights import read_card
from ssl_motion_benchmarks.coco_mask_rcnn import annotations
from ssl_motion_benchmarks.coco_mask_rcnn.presets import PRESETS, CocoConfig

PER_IMAGE = "per_image.npz"
AREAS = {"APS": "small", "APM": "medium", "APL": "large"}


class CocoMaskRCNN(TransferTask):
    """Object detection and instance segmentation by Mask R-CNN with FPN through mmdetection."""

    Config = CocoConfig
    recipe_version = 1
    metrics = (
        Metric("bbox_AP", primary=True),
        Metric("bbox_AP50"),
        Metric("bbox_AP75"),
        Metric("segm_AP"),
        Metric("segm_AP50"),
        Metric("segm_AP75"),
    )
    presets = {name: preset.summary for name, preset in PRESETS.items()}

    def __init__(self, config: BaseModel) -> None:
        assert isinstance(config, CocoConfig)
        super().__init__(config)
        self.settings = config
        self.preset = PRESETS[config.preset]
        if config.evaluate_on == "test" and not self.preset.builtin:
            raise UsageError("evaluate_on: the annotations of COCO's test images are not public; score 'val'")

    @property
    def uses_puppets(self) -> bool:
        """Whether the preset runs on the built-in world."""
        return self.preset.builtin

    @property
    def puppets_layouts(self) -> tuple[str, ...]:
        """COCO's json and folders."""
        return ("coco",)

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
            "dataset": "puppets" if self.preset.builtin else "coco2017",
            "train_split": self._split("train").name,
            "val_split": self._split(self._tested).name,
            **detection_facts(self._recipe()),
            "label_swap": "none (classes are not sided)",
            "eval_mask_resolution": "original image",
            "metric": "pycocotools' AP of boxes and masks: 10 IoUs, 101 recalls, 100 detections, crowds ignored",
        }

    def check_data(self, root: Path) -> DataReport:
        """Say what of the annotations and images is under `root` (that folder, or coco below it)."""
        classes = annotations.CLASSES if not self.preset.builtin else None
        return annotations.inspect(root, [self._split("train"), self._split(self._tested)], classes)

    def run(self, context: RunContext) -> TaskResult:
        """Train and evaluate; continues from the run folder's last checkpoint where there is one."""
        from ssl_motion.openmmlab.libraries import use_mmdet

        use_mmdet()
        recipe = self._resolved(context)
        metrics, seconds = train_and_test(recipe, context, f"{self.settings.preset} seed {context.seed}")
        kept = read_per_image_detections(context.run_dir / PER_IMAGE)
        details: dict[str, dict[str, float]] = {}
        for kind in kept.kinds:
            values = class_figures(kept.precision(kind), kept.areas)
            details[f"{kind}_AP"] = {
                name: float(value) for name, value in zip(kept.classes, values, strict=True) if value == value
            }
            details[f"{kind}_AP by area"] = {
                area: metrics[f"{kind}_{name}"] for name, area in AREAS.items() if f"{kind}_{name}" in metrics
            }
        return TaskResult(metrics=metrics, details=details, per_image=PER_IMAGE, wall_seconds=seconds)

    @property
    def _tested(self) -> Literal["val", "test"]:
        return self.settings.evaluate_on or self.preset.test

    def _split(self, name: str) -> annotations.Split:
        return annotations.Split(name if self.preset.builtin else f"{name}2017")

    def _recipe(self) -> recipes.Recipe:
        """The preset's recipe with the task's settings, without paths, seed and weights."""
        settings = self.settings
        recipe = recipes.load_recipe(settings.preset)
        if self.preset.builtin:
            self._fill_in_classes(recipe)
        if settings.freeze_to is not None:
            recipe["model"]["backbone"].pop("frozen", None)
        if settings.backbone is not None and settings.backbone != self.preset.backbone:
            set_pyramid(recipe, settings.backbone)
        if settings.freeze_to is not None:
            recipes.set_frozen_to(recipe, settings.freeze_to, BackboneSpec(**self.backbone()))
        if settings.iterations is not None:
            recipes.set_iterations(recipe, settings.iterations)
        if settings.batch_size is not None:
            recipes.set_total_batch(recipe, settings.batch_size)
        if settings.lr is not None:
            recipes.set_learning_rate(recipe, settings.lr)
        split = self._split(self._tested)
        recipe["test_dataloader"]["dataset"].update(ann_file=split.list_file, data_prefix={"img": split.name})
        return recipe

    def _resolved(self, context: RunContext) -> recipes.Recipe:
        """The recipe of one run: data, seed, weights and the user's overrides filled in."""
        from ssl_motion.engine.environment import launched_processes

        recipe, root = self._recipe(), annotations.coco_root(context.data_root).resolve()
        recipes.set_data_root(recipe, root)
        recipes.set_seed(recipe, context.seed)
        recipes.set_total_batch(recipe, recipes.total_batch(recipe), launched_processes().world_size)
        if context.weights is not None:
            card = read_card(context.weights)
            recipe["model"]["backbone"]["weights"] = str(context.weights)
            recipe["model"]["data_preprocessor"].update(mean=list(card.mean), std=list(card.std))
        recipe["test_evaluator"].update(
            ann_file=str(root / self._split(self._tested).list_file), path=str(context.run_dir / PER_IMAGE)
        )
        return recipes.override(recipe, context.recipe_overrides)

    @staticmethod
    def _fill_in_classes(recipe: recipes.Recipe) -> None:
        from ssl_motion.puppets import CLASSES, PALETTE

        # The background is no object.
        names, colours = list(CLASSES[1:]), PALETTE[1:].tolist()
        recipe["classes"] = names
        for node in recipes.nodes(recipe, lambda node: node.get("type") == "CocoDataset"):
            node["metainfo"] = {"classes": names, "palette": colours}
        for node in recipes.nodes(recipe["model"], lambda node: "num_classes" in node):
            node["num_classes"] = len(names)

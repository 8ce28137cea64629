"""The task: a recipe, a data layout and metric names; the harness does the rest. See protocol.md beside this file."""

from pathlib import Path
from typing import Any

from ssl_motion.openmmlab import recipes
from ssl_motion.openmmlab.detection import detection_facts
from ssl_motion.openmmlab.detection_task import DetectionTask
from ssl_motion.openmmlab.pyramid import set_pyramid
from ssl_motion.per_image.coco_detections import class_figures, read_per_image_detections
from ssl_motion.presets import RecipeConfig, TaskPreset
from ssl_motion.protocols import PER_IMAGE, DataReport, Metric, RunContext
from ssl_motion.ranking import present_by_name
from ssl_motion.spec import BackboneSpec
from ssl_motion_benchmarks.coco_mask_rcnn import annotations
from ssl_motion_benchmarks.coco_mask_rcnn.presets import CocoConfig

AREAS = {"APS": "small", "APM": "medium", "APL": "large"}


class CocoMaskRCNN(DetectionTask[RecipeConfig, TaskPreset]):
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
    puppets_layouts = ("coco",)
    no_test_labels = "the annotations of COCO's test images are not public"

    def protocol(self) -> dict[str, Any]:
        """State the facts that make results comparable."""
        return {
            "dataset": "puppets" if self.preset.builtin else "coco2017",
            "train_split": self._split("train").name,
            "val_split": self._split(self.tested).name,
            **detection_facts(self.recipe()),
            "label_swap": "none (classes are not sided)",
            "eval_mask_resolution": "original image",
            "metric": "pycocotools' AP of boxes and masks: 10 IoUs, 101 recalls, 100 detections, crowds ignored",
        }

    def check_data(self, root: Path) -> DataReport:
        """Say what of the annotations and images is under `root` (that folder, or coco below it)."""
        classes = annotations.CLASSES if not self.preset.builtin else None
        return annotations.inspect(root, [self._split("train"), self._split(self.tested)], classes)

    def describe_data(self, recipe: recipes.Recipe) -> None:
        """Fill in the built-in world's classes and the scored list."""
        if self.preset.builtin:
            from ssl_motion.puppets import CLASSES, PALETTE

            # The background is no object.
            names, colours = list(CLASSES[1:]), PALETTE[1:].tolist()
            recipe["classes"] = names
            for node in recipes.nodes(recipe, lambda node: node.get("type") == "CocoDataset"):
                node["metainfo"] = {"classes": names, "palette": colours}
            recipes.set_number_of_classes(recipe, len(names))
        split = self._split(self.tested)
        recipe["test_dataloader"]["dataset"].update(ann_file=split.list_file, data_prefix={"img": split.name})

    def set_backbone(self, recipe: recipes.Recipe, spec: BackboneSpec) -> None:
        """Put another trunk below the pyramid."""
        if self.settings.freeze_to is not None:
            recipe["model"]["backbone"].pop("frozen", None)
        set_pyramid(recipe, spec)

    def locate_data(self, recipe: recipes.Recipe, context: RunContext) -> None:
        """Fill in COCO's folder."""
        root = annotations.coco_root(context.data_root).resolve()
        recipes.set_data_root(recipe, root)
        recipe["test_evaluator"]["ann_file"] = str(root / self._split(self.tested).list_file)

    def details(self, run_dir: Path, metrics: dict[str, float]) -> dict[str, dict[str, float]]:
        """AP of every class and of every range of areas."""
        kept = read_per_image_detections(run_dir / PER_IMAGE)
        details: dict[str, dict[str, float]] = {}
        for kind in kept.kinds:
            details[f"{kind}_AP"] = present_by_name(kept.classes, class_figures(kept.precision(kind), kept.areas))
            details[f"{kind}_AP by area"] = {
                area: metrics[f"{kind}_{name}"] for name, area in AREAS.items() if f"{kind}_{name}" in metrics
            }
        return details

    def _split(self, name: str) -> annotations.Split:
        return annotations.Split(name if self.preset.builtin else f"{name}2017")

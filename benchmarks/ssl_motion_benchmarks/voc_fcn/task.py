"""The task: a recipe, a data layout and metric names; the harness does the rest. See protocol.md beside this file."""

from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel

from ssl_motion.data import label_lists
from ssl_motion.openmmlab import recipes
from ssl_motion.openmmlab.facts import segmentation_facts
from ssl_motion.openmmlab.segmentation_task import SegmentationTask
from ssl_motion.protocols import DataReport, RunContext
from ssl_motion_benchmarks.voc_fcn import devkit, few_labels
from ssl_motion_benchmarks.voc_fcn.presets import Preset, SegmentationConfig, VocFCNConfig


class VocFCN(SegmentationTask[SegmentationConfig, Preset]):
    """Semantic segmentation by FCN through mmsegmentation."""

    Config: ClassVar[type[BaseModel]] = VocFCNConfig
    recipe_version = 1
    no_test_labels = "the labels of VOC 2012's test list are not public"

    def __init__(self, config: BaseModel) -> None:
        super().__init__(config)
        self._chosen: few_labels.Chosen | None = None

    def protocol(self) -> dict[str, Any]:
        """State the facts that make results comparable."""
        return {
            "dataset": "puppets" if self.preset.builtin else "voc2012",
            "train_split": "train_aug" if self.preset.augmented else "train",
            "val_split": self.tested,
            **self._few_labels_facts(),
            **segmentation_facts(self.recipe()),
        }

    def check_data(self, root: Path) -> DataReport:
        """Say what of the devkit is under `root` (that folder, or VOC2012 or VOCdevkit/VOC2012 below it)."""
        sets = [*devkit.training_sets(root, self.preset.augmented), devkit.LabelSet(self.tested)]
        return devkit.inspect(root, sets, self._number_of_classes)

    def describe_data(self, recipe: recipes.Recipe) -> None:
        """Fill in the built-in world's classes, the number of training images and the scored list."""
        if self.preset.builtin:
            from ssl_motion.puppets import CLASSES, PALETTE

            recipe["classes"] = list(CLASSES)
            for node in recipes.nodes(recipe, lambda node: node.get("type") == "BaseSegDataset"):
                node["metainfo"] = {"classes": list(CLASSES), "palette": PALETTE.tolist()}
            recipe["model"]["decode_head"]["num_classes"] = len(CLASSES)
        if self.settings.train_images is not None:
            recipes.set_train_images(recipe, self.settings.train_images)
        recipe["test_dataloader"]["dataset"]["ann_file"] = devkit.LabelSet(self.tested).list_file

    def locate_data(self, recipe: recipes.Recipe, context: RunContext) -> None:
        """Fill in the devkit's folder, SBD's lists and the few images that are trained on."""
        data = recipe["train_dataloader"]["dataset"]
        sets = devkit.training_sets(context.data_root, self.preset.augmented)
        if self.preset.augmented:
            template = data["dataset"]["datasets"][0]
            data["dataset"]["datasets"] = [
                {
                    **template,
                    "ann_file": each.list_file,
                    "data_prefix": {"img_path": devkit.IMAGES, "seg_map_path": each.labels},
                }
                for each in sets
            ]
        fraction, shots = self.settings.label_fraction, self.settings.shots
        if fraction is not None or shots is not None:
            self._chosen = few_labels.choose(context.data_root, sets, self._classes(), fraction=fraction, shots=shots)
            data["dataset"] = few_labels.restrict(data["dataset"], self._chosen, context.run_dir)
        recipes.set_data_root(recipe, devkit.voc_root(context.data_root).resolve())

    def details(self, run_dir: Path, metrics: dict[str, float]) -> dict[str, dict[str, float]]:
        """IoU and accuracy of every class, and the images of few labels."""
        chosen = {} if self._chosen is None else {"labelled images": self._chosen.shown}
        return {**super().details(run_dir, metrics), **chosen}

    @property
    def _number_of_classes(self) -> int:
        if not self.preset.builtin:
            return devkit.CLASSES
        from ssl_motion.puppets import CLASSES

        return len(CLASSES)

    def _classes(self) -> tuple[str, ...]:
        """Names of the classes, the background first."""
        if self.preset.builtin:
            from ssl_motion.puppets import CLASSES

            return CLASSES
        from mmseg.datasets import PascalVOCDataset

        return tuple(PascalVOCDataset.METAINFO["classes"])

    def _few_labels_facts(self) -> dict[str, Any]:
        """The fact of few labels; none where all are used."""
        asked = {"fraction": self.settings.label_fraction, "shots": self.settings.shots}
        given = {name: value for name, value in asked.items() if value is not None}
        return {"labels": {**given, "rule": label_lists.RULE}} if given else {}

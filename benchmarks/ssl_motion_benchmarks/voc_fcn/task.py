"""The task: a recipe, a data layout and metric names; the harness does the rest. See protocol.md beside this file."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel

from ssl_motion.data import label_lists
from ssl_motion.errors import DataError, UsageError
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
        self._chosen: tuple[Path, few_labels.Chosen] | None = None

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
        report = devkit.inspect(root, sets, len(self._classes))
        if report.missing:
            return report
        wanted, listed = self.settings.train_images, len(report.training_images)
        if wanted is not None:
            lost = [f"train_images: {wanted} asked for, but the list has {listed} images"] if wanted > listed else []
            return replace(
                report,
                missing=lost,
                how_to_get="Ask for fewer." if lost else "",
                fingerprint="" if lost else report.fingerprint,
                training_images=report.training_images[:wanted],
            )
        if not self._few_labels_facts():
            return report
        try:
            chosen = self._choose(root, sets[:-1])
        except DataError as error:
            return replace(report, missing=[f"usable {error}"], how_to_get=devkit.GET_PALETTE, fingerprint="")
        except UsageError as error:
            return replace(report, missing=[str(error)], how_to_get="Ask for more labels.", fingerprint="")
        images = [path for names in chosen.names.values() for path in devkit.image_files(devkit.voc_root(root), names)]
        return replace(report, remarks=[chosen.remark], training_images=images)

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
        if self._few_labels_facts():
            chosen = self._choose(context.data_root, sets)
            data["dataset"] = few_labels.restrict(data["dataset"], chosen, context.run_dir)
        recipes.set_data_root(recipe, devkit.voc_root(context.data_root).resolve())

    def details(self, run_dir: Path, metrics: dict[str, float]) -> dict[str, dict[str, float]]:
        """IoU and accuracy of every class, and the images of few labels."""
        chosen = {} if self._chosen is None else {"labelled images": self._chosen[1].shown}
        return {**super().details(run_dir, metrics), **chosen}

    @property
    def _classes(self) -> tuple[str, ...]:
        """Names of the classes, the background first."""
        if not self.preset.builtin:
            return devkit.CLASS_NAMES
        from ssl_motion.puppets import CLASSES

        return CLASSES

    def _choose(self, root: Path, sets: Sequence[devkit.LabelSet]) -> few_labels.Chosen:
        """Choose the few images that are trained on, once: labels are read for it."""
        if self._chosen is None or self._chosen[0] != root.resolve():
            fraction, shots = self.settings.label_fraction, self.settings.shots
            self._chosen = root.resolve(), few_labels.choose(root, sets, self._classes, fraction=fraction, shots=shots)
        return self._chosen[1]

    def _few_labels_facts(self) -> dict[str, Any]:
        """The fact of few labels; none where all are used."""
        asked = {"fraction": self.settings.label_fraction, "shots": self.settings.shots}
        given = {name: value for name, value in asked.items() if value is not None}
        return {"labels": {**given, "rule": label_lists.RULE}} if given else {}

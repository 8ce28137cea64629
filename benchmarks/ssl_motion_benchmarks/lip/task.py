"""The task: a recipe, a data layout and metric names; the harness does the rest. See protocol.md beside this file."""

from pathlib import Path
from typing import Any

from ssl_motion.openmmlab import recipes
from ssl_motion.openmmlab.facts import segmentation_facts
from ssl_motion.openmmlab.segmentation_task import SegmentationTask
from ssl_motion.protocols import DataReport, RunContext
from ssl_motion_benchmarks.lip import folders
from ssl_motion_benchmarks.lip.presets import LIPConfig, Preset


class LIP(SegmentationTask[LIPConfig, Preset]):
    """Segmentation of persons into 20 parts, left and right apart, by FCN through mmsegmentation."""

    Config = LIPConfig
    recipe_version = 1
    no_test_labels = "the labels of LIP's and CIHP's test images are not public"

    @property
    def puppets_layouts(self) -> tuple[str, ...]:
        """LIP's folders or CIHP's."""
        return (self.preset.layout,)

    def protocol(self) -> dict[str, Any]:
        """State the facts that make results comparable."""
        name = self.preset.layout
        return {
            "dataset": f"puppets ({name})" if self.preset.builtin else name,
            "train_split": "train",
            "val_split": self.tested,
            **segmentation_facts(self.recipe()),
        }

    def check_data(self, root: Path) -> DataReport:
        """Say what of the data is under `root` (that folder, or LIP, CIHP, ... below it)."""
        return folders.inspect(self.preset.layout, root, ("train", self.tested))

    def describe_data(self, recipe: recipes.Recipe) -> None:
        """Nothing: the parts stand in the recipe, the lists depend on the folders."""

    def locate_data(self, recipe: recipes.Recipe, context: RunContext) -> None:
        """Fill in folders and lists, which differ between releases."""
        layout = self.preset.layout
        for loader, name, outer in (("train_dataloader", "train", True), ("test_dataloader", self.tested, False)):
            split = folders.find_split(layout, context.data_root, name)
            dataset = recipe[loader]["dataset"]["dataset"] if outer else recipe[loader]["dataset"]
            prefix = {"img_path": split.images, "seg_map_path": split.labels}
            dataset.update(ann_file=split.list_file, data_prefix=prefix)
        recipes.set_data_root(recipe, folders.find_root(layout, context.data_root).resolve())

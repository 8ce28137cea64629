"""A complete task through OpenMMLab: which actor a pixel shows, by a small network that mmsegmentation trains."""

from pathlib import Path
from typing import Any, Literal

from ssl_motion.identity import digest
from ssl_motion.openmmlab import recipes
from ssl_motion.openmmlab.facts import segmentation_facts
from ssl_motion.openmmlab.segmentation_task import SegmentationTask
from ssl_motion.presets import CroppedRecipeConfig, TaskPreset
from ssl_motion.protocols import DataReport, RunContext
from ssl_motion.puppets import CLASSES, PALETTE
from ssl_motion.spec import BackboneSpec

VOC = Path("VOCdevkit", "VOC2012")

# Name -> one line on it, the trunk that the recipe trains, "full", "reduced" or "builtin" (runs on generated data).
PRESETS = {
    "puppets_actor_pixels": TaskPreset(
        "actors of the built-in world by mmsegmentation, crop 80, 300 iterations; half a minute on one core",
        BackboneSpec(arch="alexnet_mini"),
        "builtin",
    )
}


class ActorPixelsConfig(CroppedRecipeConfig):  # backbone, iterations, batch_size, lr, evaluate_on, freeze_to, crop
    """Settings of the task: those that all recipes with crops have. What is not set is the preset's."""

    table = PRESETS

    preset: Literal["puppets_actor_pixels"] = "puppets_actor_pixels"


class ActorPixels(SegmentationTask[ActorPixelsConfig, TaskPreset]):
    """Semantic segmentation of the built-in world; metrics, training, test and resuming come from the base."""

    Config = ActorPixelsConfig
    recipe_version = 1

    @property
    def recipe_file(self) -> str:
        """The recipe, beside this module; without this hook one of that name in `configs/transfer` would be read."""
        return str(Path(__file__).with_name(f"{self.settings.preset}.py"))

    def protocol(self) -> dict[str, Any]:
        """The lists, and all that the recipe says once the settings have changed it."""
        splits = {"train_split": "train", "val_split": self.tested}
        return {"dataset": "puppets (voc)", **splits, **segmentation_facts(self.recipe())}

    def check_data(self, root: Path) -> DataReport:
        """What is there, what is missing and what to do; and a fingerprint of the content, never of paths."""
        lists = [root / VOC / self._list(split) for split in ("train", self.tested)]
        if missing := [f"list {path}" for path in lists if not path.is_file()]:
            return DataReport([], missing, how_to_get="Render it: ssl-bench puppets render --layout voc")
        return DataReport([str(path) for path in lists], fingerprint=digest([path.read_text() for path in lists]))

    def describe_data(self, recipe: recipes.Recipe) -> None:
        """What is known before the data are looked at: the classes, in data sets and heads, and the scored list."""
        for node in recipes.nodes(recipe, lambda node: node.get("type") == "BaseSegDataset"):
            node["metainfo"] = {"classes": list(CLASSES), "palette": PALETTE.tolist()}
        recipes.set_number_of_classes(recipe, len(CLASSES))  # every num_classes of the network
        recipe["test_dataloader"]["dataset"]["ann_file"] = self._list(self.tested)

    def locate_data(self, recipe: recipes.Recipe, context: RunContext) -> None:
        """Where they lie."""
        recipes.set_data_root(recipe, context.data_root / VOC)

    def _list(self, split: str) -> str:
        return f"ImageSets/Segmentation/{split}.txt"

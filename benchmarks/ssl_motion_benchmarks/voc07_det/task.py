"""The task: a recipe, a data layout and metric names; the harness does the rest. See protocol.md beside this file."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from ssl_motion.errors import UsageError
from ssl_motion.openmmlab import recipes
from ssl_motion.openmmlab.detection import detection_facts
from ssl_motion.openmmlab.detection_task import DetectionTask
from ssl_motion.openmmlab.pyramid import set_pyramid
from ssl_motion.per_image.voc_boxes import read_boxes
from ssl_motion.protocols import PER_IMAGE, DataReport, Metric, RunContext, TaskResult
from ssl_motion.ranking import Rule, present_by_name
from ssl_motion.spec import BackboneSpec
from ssl_motion_benchmarks.voc07 import devkit
from ssl_motion_benchmarks.voc07.inspection import inspect_objects
from ssl_motion_benchmarks.voc07_det import proposals
from ssl_motion_benchmarks.voc07_det.presets import Preset, Voc07DetConfig
from ssl_motion_benchmarks.voc07_det.single_map import set_single_map

RULES: dict[str, Rule] = {"AP": "envelope", "AP (11-point)": "11-point"}
GIVE_PROPOSALS = (
    "Give files of boxes for trainval and test by --set 'proposals=[FILE, FILE]': .npz files with an array for every "
    "image, or the .mat files of selective search that Fast R-CNN's authors published (voc_2007_trainval.mat, "
    "voc_2007_test.mat)."
)


class Voc07Det(DetectionTask[Voc07DetConfig, Preset]):
    """Object detection through mmdetection, scored by the rules of VOC's devkit."""

    Config = Voc07DetConfig
    recipe_version = 1
    metrics = (Metric("mAP", primary=True), Metric("mAP07"))
    puppets_layouts = ("voc07",)

    def protocol(self) -> dict[str, Any]:
        """State the facts that make results comparable."""
        train, test = devkit.SPLITS[self.tested]
        given = {"proposals": proposals.fingerprint(self.settings.proposals)} if self.preset.takes_proposals else {}
        return {
            "dataset": "puppets" if self.preset.builtin else "voc2007",
            "train_split": train,
            "val_split": test,
            **detection_facts(self.recipe()),
            **given,
            "rescaled": False,
            "label_swap": "none (classes are not sided)",
            "metric": "mAP: area under the best precision at each recall; mAP07: 11 points; IoU 0.5, difficult ignored",
        }

    def check_data(self, root: Path) -> DataReport:
        """Say what of the devkit is under `root` (that folder, or VOC2007 or VOCdevkit/VOC2007 below it)."""
        splits = devkit.SPLITS[self.tested]
        report = inspect_objects(root, splits, devkit.class_names(self.preset.builtin))
        if not self.preset.takes_proposals:
            return report
        lost: list[str] = []
        if not self.settings.proposals:
            lost.append("files of proposed boxes")
        elif not report.missing:
            folder = devkit.voc_root(root)
            names = [name for split in splits for name in devkit.read_list(folder, split)]
            if absent := proposals.missing(self.settings.proposals, names):
                some = ", ".join(absent[:5]) + (", ..." if len(absent) > 5 else "")
                lost.append(f"proposed boxes for {len(absent)} of {len(names)} images: {some}")
        if not lost:
            return report
        cures = " ".join(each for each in (report.how_to_get, GIVE_PROPOSALS) if each)
        return replace(report, missing=[*report.missing, *lost], how_to_get=cures, fingerprint="")

    def run(self, context: RunContext) -> TaskResult:
        """Train and evaluate; continues from the run folder's last checkpoint where there is one."""
        if self.preset.takes_proposals and not self.settings.proposals:
            raise UsageError(GIVE_PROPOSALS)
        return super().run(context)

    def register(self) -> None:
        """Import mmdetection, our parts for it, and this task's data set and metric."""
        super().register()
        import_module("ssl_motion_benchmarks.voc07_det.parts")

    def describe_data(self, recipe: recipes.Recipe) -> None:
        """Fill in classes and lists."""
        classes = list(devkit.class_names(self.preset.builtin))
        recipe["classes"] = classes
        for loader, split in zip(("train_dataloader", "test_dataloader"), devkit.SPLITS[self.tested], strict=True):
            for node in recipes.nodes(recipe[loader], lambda node: node.get("type") == "Voc07Objects"):
                node.update(split=split, metainfo={"classes": classes})
        recipes.set_number_of_classes(recipe, len(classes))

    def set_backbone(self, recipe: recipes.Recipe, spec: BackboneSpec) -> None:
        """Put another trunk in, below the pyramid where there is one."""
        (set_pyramid if recipe["model"].get("neck") else set_single_map)(recipe, spec)

    def locate_data(self, recipe: recipes.Recipe, context: RunContext) -> None:
        """Fill in the devkit's folder and the proposals."""
        recipes.set_data_root(recipe, devkit.voc_root(context.data_root).resolve())
        if self.settings.proposals:
            for node in recipes.nodes(recipe, lambda node: node.get("type") == "Voc07Objects"):
                node["proposals"] = list(self.settings.proposals)

    def details(self, run_dir: Path, metrics: dict[str, float]) -> dict[str, dict[str, float]]:
        """AP of every class by both rules."""
        del metrics
        kept = read_boxes(run_dir / PER_IMAGE)
        return {group: present_by_name(kept.classes, kept.average_precisions(rule)) for group, rule in RULES.items()}

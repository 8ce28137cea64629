"""The task: a recipe, a data layout and metric names; the harness does the rest. See protocol.md beside this file."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from ssl_motion.errors import UsageError
from ssl_motion.openmmlab import recipes
from ssl_motion.openmmlab.detection import detection_facts
from ssl_motion.openmmlab.pyramid import set_pyramid
from ssl_motion.openmmlab.running import train_and_test
from ssl_motion.protocols import DataReport, Metric, RunContext, TaskResult, TransferTask
from ssl_motion.ranking import Rule
from ssl_motion.spec import BackboneSpec
from ssl_motion.weights import read_card
from ssl_motion_benchmarks.voc07 import devkit
from ssl_motion_benchmarks.voc07.detections import read_boxes
from ssl_motion_benchmarks.voc07.inspection import inspect_objects
from ssl_motion_benchmarks.voc07_det import proposals
from ssl_motion_benchmarks.voc07_det.presets import PRESETS, Voc07DetConfig
from ssl_motion_benchmarks.voc07_det.single_map import set_single_map

PER_IMAGE = "per_image.npz"
GIVE_PROPOSALS = (
    "Give files of boxes for trainval and test by --set 'proposals=[FILE, FILE]': .npz files with an array for every "
    "image, or the .mat files of selective search that Fast R-CNN's authors published (voc_2007_trainval.mat, "
    "voc_2007_test.mat)."
)


class Voc07Det(TransferTask):
    """Object detection through mmdetection, scored by the rules of VOC's devkit."""

    Config = Voc07DetConfig
    recipe_version = 1
    metrics = (Metric("mAP", primary=True), Metric("mAP07"))
    presets = {name: preset.summary for name, preset in PRESETS.items()}

    def __init__(self, config: BaseModel) -> None:
        assert isinstance(config, Voc07DetConfig)
        super().__init__(config)
        self.settings = config
        self.preset = PRESETS[config.preset]

    @property
    def uses_puppets(self) -> bool:
        """Whether the preset runs on the built-in world."""
        return self.preset.builtin

    @property
    def puppets_layouts(self) -> tuple[str, ...]:
        """VOC 2007's devkit."""
        return ("voc07",)

    @property
    def scale(self) -> Literal["full", "reduced", "builtin"]:
        """A preset with changes is not the preset any more."""
        return "reduced" if self.preset.scale == "full" and self.settings.is_changed else self.preset.scale

    def backbone(self) -> dict[str, Any]:
        """Describe the trunk that the recipe trains."""
        return (self.settings.backbone or self.preset.backbone).model_dump()

    def protocol(self) -> dict[str, Any]:
        """State the facts that make results comparable."""
        train, test = self._splits
        given = {"proposals": proposals.fingerprint(self.settings.proposals)} if self.preset.takes_proposals else {}
        return {
            "dataset": "puppets" if self.preset.builtin else "voc2007",
            "train_split": train,
            "val_split": test,
            **detection_facts(self._recipe()),
            **given,
            "rescaled": False,
            "label_swap": "none (classes are not sided)",
            "metric": "mAP: area under the best precision at each recall; mAP07: 11 points; IoU 0.5, difficult ignored",
        }

    def check_data(self, root: Path) -> DataReport:
        """Say what of the devkit is under `root` (that folder, or VOC2007 or VOCdevkit/VOC2007 below it)."""
        report = inspect_objects(root, self._splits, self._classes)
        if not self.preset.takes_proposals:
            return report
        lost: list[str] = []
        if not self.settings.proposals:
            lost.append("files of proposed boxes")
        elif not report.missing:
            folder = devkit.voc_root(root)
            names = [name for split in self._splits for name in devkit.read_list(folder, split)]
            if absent := proposals.missing(self.settings.proposals, names):
                some = ", ".join(absent[:5]) + (", ..." if len(absent) > 5 else "")
                lost.append(f"proposed boxes for {len(absent)} of {len(names)} images: {some}")
        if not lost:
            return report
        cures = " ".join(each for each in (report.how_to_get, GIVE_PROPOSALS) if each)
        return replace(report, missing=[*report.missing, *lost], how_to_get=cures, fingerprint="")

    def run(self, context: RunContext) -> TaskResult:
        """Train and evaluate; continues from the run folder's last checkpoint where there is one."""
        from ssl_motion.openmmlab.libraries import use_mmdet

        if self.preset.takes_proposals and not self.settings.proposals:
            raise UsageError(GIVE_PROPOSALS)
        use_mmdet()
        import_module("ssl_motion_benchmarks.voc07_det.parts")  # registers data set and metric
        recipe = self._resolved(context)
        metrics, seconds = train_and_test(recipe, context, f"{self.settings.preset} seed {context.seed}")
        kept = read_boxes(context.run_dir / PER_IMAGE)
        rules: dict[str, Rule] = {"AP": "envelope", "AP (11-point)": "11-point"}
        details = {
            group: {
                label: float(value)
                for label, value in zip(kept.classes, kept.average_precisions(rule), strict=True)
                if value == value
            }
            for group, rule in rules.items()
        }
        return TaskResult(metrics=metrics, details=details, per_image=PER_IMAGE, wall_seconds=seconds)

    @property
    def _splits(self) -> tuple[str, str]:
        """What is trained on and what is scored."""
        return ("train", "val") if self.settings.evaluate_on == "val" else ("trainval", "test")

    @property
    def _classes(self) -> tuple[str, ...]:
        if not self.preset.builtin:
            return devkit.CLASSES
        from ssl_motion.puppets import CLASSES

        return CLASSES[1:]

    def _recipe(self) -> recipes.Recipe:
        """The preset's recipe with the task's settings, without paths, seed and weights."""
        settings = self.settings
        recipe = recipes.load_recipe(settings.preset)
        classes = list(self._classes)
        recipe["classes"] = classes
        for loader, split in zip(("train_dataloader", "test_dataloader"), self._splits, strict=True):
            for node in recipes.nodes(recipe[loader], lambda node: node.get("type") == "Voc07Objects"):
                node.update(split=split, metainfo={"classes": classes})
        for node in recipes.nodes(recipe["model"], lambda node: "num_classes" in node):
            node["num_classes"] = len(classes)
        if settings.backbone is not None and settings.backbone != self.preset.backbone:
            (set_pyramid if recipe["model"].get("neck") else set_single_map)(recipe, settings.backbone)
        if settings.freeze_to is not None:
            recipes.set_frozen_to(recipe, settings.freeze_to, BackboneSpec(**self.backbone()))
        if settings.iterations is not None:
            recipes.set_iterations(recipe, settings.iterations)
        if settings.batch_size is not None:
            recipes.set_total_batch(recipe, settings.batch_size)
        if settings.lr is not None:
            recipes.set_learning_rate(recipe, settings.lr)
        return recipe

    def _resolved(self, context: RunContext) -> recipes.Recipe:
        """The recipe of one run: data, proposals, seed, weights and the user's overrides filled in."""
        from ssl_motion.engine.environment import launched_processes

        recipe = self._recipe()
        recipes.set_data_root(recipe, devkit.voc_root(context.data_root).resolve())
        recipes.set_seed(recipe, context.seed)
        recipes.set_total_batch(recipe, recipes.total_batch(recipe), launched_processes().world_size)
        if self.settings.proposals:
            for node in recipes.nodes(recipe, lambda node: node.get("type") == "Voc07Objects"):
                node["proposals"] = list(self.settings.proposals)
        if context.weights is not None:
            card = read_card(context.weights)
            recipe["model"]["backbone"]["weights"] = str(context.weights)
            recipe["model"]["data_preprocessor"].update(mean=list(card.mean), std=list(card.std))
        recipe["test_evaluator"]["path"] = str(context.run_dir / PER_IMAGE)
        return recipes.override(recipe, context.recipe_overrides)

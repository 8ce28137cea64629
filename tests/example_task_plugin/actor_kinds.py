"""A complete transfer task: which kinds of actors an image shows, read off a frozen trunk by ridge regression."""

import time
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from PIL import Image
from pydantic import Field

from ssl_motion.frozen.extract import Pooled, extract
from ssl_motion.frozen.trunk import FrozenTrunk, build_trunk
from ssl_motion.frozen.views import View
from ssl_motion.identity import digest
from ssl_motion.protocols import DataReport, Metric, RunContext, TaskResult, TransferTask
from ssl_motion.puppets import CLASSES
from ssl_motion.ranking import average_precision
from ssl_motion.spec import BackboneSpec, Strict

VOC = Path("VOCdevkit", "VOC2012")  # the layout "voc" of the built-in world, and of PASCAL VOC


class ActorKindsConfig(Strict):  # Strict: an unknown key is an error; what is set here is part of a run's identity
    """`backbone`: the trunk that is judged; `ridge`: weight of the squared norm, per training image."""

    preset: Literal["puppets_actor_kinds"] = "puppets_actor_kinds"
    backbone: BackboneSpec = BackboneSpec(arch="alexnet_mini")
    ridge: Annotated[float, Field(gt=0)] = 0.1


class ActorKinds(TransferTask):
    """Average the trunk's last stage over the image, regress every class, rank the test images by each."""

    Config = ActorKindsConfig
    recipe_version = 1  # raise it whenever a change of code moves numbers: old and new results are then kept apart
    metrics = (Metric("mAP", primary=True),)
    presets = {"puppets_actor_kinds": "which actors an image of the built-in world shows; seconds on one core"}
    uses_puppets = True
    scale = "builtin"

    def backbone(self) -> dict[str, Any]:
        """The trunk, which the weights of --init must fit."""
        return self.config.backbone.model_dump()

    def protocol(self) -> dict[str, Any]:
        """All that two results must have in common to be ranked together: the settings, and what the code fixes."""
        fixed = {"dataset": "puppets", "train_split": "train", "val_split": "test", "ap_rule": "step"}
        return {**fixed, "head": "ridge on the mean of the last stage", **self.config.model_dump(exclude={"preset"})}

    def check_data(self, root: Path) -> DataReport:
        """What is there, what is missing and what to do; and a fingerprint of the content, never of paths."""
        lists = [root / VOC / f"ImageSets/Segmentation/{split}.txt" for split in ("train", "test")]
        if missing := [f"list {path}" for path in lists if not path.is_file()]:
            return DataReport([], missing, how_to_get="Render it: ssl-bench puppets render --layout voc")
        return DataReport([str(path) for path in lists], fingerprint=digest([path.read_text() for path in lists]))

    def run(self, context: RunContext) -> TaskResult:
        """Whatever is written goes to context.run_dir, and whatever is random follows from context.seed."""
        began = time.monotonic()
        trunk = build_trunk(context.weights, self.config.backbone, context.seed)  # through the coverage gate
        known, answers = self._read(context.data_root / VOC, "train", trunk)
        asked, truth = self._read(context.data_root / VOC, "test", trunk)
        mean, deviation = known.mean(0), known.std(0) + 1e-6
        known, asked = (known - mean) / deviation, (asked - mean) / deviation
        gram = known.T @ known + self.config.ridge * len(known) * np.eye(known.shape[1])
        scores = asked @ np.linalg.solve(gram, known.T @ (answers - answers.mean(0)))
        kinds = [kind for kind in range(1, len(CLASSES)) if truth[:, kind].any()]  # 0 is the background
        found = {CLASSES[kind]: average_precision(truth[:, kind], scores[:, kind]) for kind in kinds}
        return TaskResult({"mAP": float(np.mean(list(found.values())))}, {"AP": found}, None, time.monotonic() - began)

    def _read(self, voc: Path, split: str, trunk: FrozenTrunk) -> tuple[np.ndarray, np.ndarray]:
        """Features [images, channels], and which classes each image shows [images, classes]."""
        names = (voc / f"ImageSets/Segmentation/{split}.txt").read_text().split()
        images, stage = [voc / "JPEGImages" / f"{name}.jpg" for name in names], trunk.network.last_stage
        means = Pooled(trunk.network.channels[stage])  # one number per channel
        features = [kept[stage].numpy() for _, kept in extract(trunk, images, View(), means, [stage])]
        labels = [np.asarray(Image.open(voc / "SegmentationClass" / f"{name}.png")) for name in names]
        return np.concatenate(features), np.stack([np.isin(np.arange(len(CLASSES)), label) for label in labels])

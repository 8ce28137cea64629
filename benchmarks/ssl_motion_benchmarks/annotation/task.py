"""The task: clicks are simulated on objects whose masks are known, and counted. See protocol.md."""

import time
from pathlib import Path
from typing import Any

import numpy as np

from ssl_motion.annotation.procedure import REFERENCE_SIDE, Annotator
from ssl_motion.data.label_lists import fixed_order
from ssl_motion.data.sample import UInt8Array
from ssl_motion.errors import DataError
from ssl_motion.model_task import ModelTask
from ssl_motion.per_image.clicks import PerObjectClicks
from ssl_motion.preset_task import PresetTaskBase
from ssl_motion.progress import Progress
from ssl_motion.protocols import PER_IMAGE, DataReport, Metric, RunContext, TaskResult
from ssl_motion_benchmarks.annotation import baselines, shapes, simulation
from ssl_motion_benchmarks.annotation.objects import LAYOUTS, PER_CLASS, SMALLEST, ObjectList
from ssl_motion_benchmarks.annotation.presets import AnnotationConfig, Preset
from ssl_motion_benchmarks.annotation.simulation import Answer, Segmenter

_DATASETS = {"voc": "voc2012", "davis": "davis2016", "coco": "coco2017"}


class AnnotationByClicks(ModelTask, PresetTaskBase[AnnotationConfig, Preset]):
    """Interactive segmentation with a model of motion, or with what learns nothing in its place."""

    Config = AnnotationConfig
    recipe_version = 1
    metrics = (
        *(Metric(f"NoC{each}", "clicks", higher_is_better=False, primary=each == 85) for each in (80, 85, 90)),
        Metric("failures90", higher_is_better=False),
        *(Metric(f"IoU{each}") for each in (1, 3, 5)),
    )
    baselines = {
        "grabcut": "OpenCV's GrabCut, marks of the clicks as its seeds",
        "random_walker": "scikit-image's random walker, marks of the clicks as its seeds",
    }

    @property
    def no_test_labels(self) -> str:
        """None of the data sets has any."""
        return f"{self.settings.preset} has no masks of a test list"

    def protocol(self) -> dict[str, Any]:
        """State the facts that make results comparable."""
        preset = self.preset
        return {
            "dataset": "puppets (voc)" if preset.builtin else _DATASETS[preset.layout],
            "val_split": self.tested,
            "objects": {
                "most": self.settings.objects or preset.objects,
                "per_class": PER_CLASS if preset.layout == "coco" else None,
                "smallest_share_of_image": SMALLEST,
                "choice": "first in the order of SHA-256 of their names",
            },
            "clicks": {
                "next": "deepest point of what is missing or too much",
                "most": simulation.MOST,
                "until_iou": simulation.ENOUGH,
                "but_at_least": simulation.LEAST,
            },
            "procedure": {**self.settings.procedure.model_dump(), "motion_at_side": REFERENCE_SIDE},
            "eval_mask_resolution": "original image",
            "metric": "means over objects; unlabelled pixels are neither clicked nor counted",
        }

    def check_data(self, root: Path) -> DataReport:
        """Say what of the images and masks is under `root`, what is missing, and how to get it."""
        return self._list(root).check()

    def run(self, context: RunContext) -> TaskResult:
        """Annotate every object."""
        began = time.monotonic()
        segmenter = self._segmenter(context)
        source = self._list(context.data_root)
        chosen = fixed_order(source.names())[: self.settings.objects or self.preset.objects]
        if not chosen:
            raise DataError(f"{context.data_root}: no object covers {SMALLEST:.1%} of its image")
        kept, seconds = annotate_all(source, chosen, segmenter, f"{self.settings.preset} seed {context.seed}")
        kept.save(context.run_dir / PER_IMAGE)
        return TaskResult(
            metrics={metric.name: kept.mean(metric.name) for metric in self.metrics},
            details={**self._by_kind(kept), "processor seconds": {"median a click": seconds}},
            per_image=PER_IMAGE,
            wall_seconds=time.monotonic() - began,
        )

    def _list(self, root: Path) -> ObjectList:
        return LAYOUTS[self.preset.layout](root, self.tested)

    def _segmenter(self, context: RunContext) -> Segmenter:
        if context.baseline is not None:
            return baselines.BASELINES[context.baseline]
        predictor = self.predictor(context)

        def segmenter(image: UInt8Array) -> Answer:
            annotator = Annotator(predictor, image, self.settings.procedure)
            return lambda positive, negative: annotator.annotate(positive, negative).mask

        return segmenter

    def _by_kind(self, kept: PerObjectClicks) -> dict[str, dict[str, float]]:
        """The metrics of each kind of object, that which ranks first, and how many objects there are of it."""
        kinds = {name: chosen for name, chosen in kept.kinds.items() if chosen.any()}
        figures = {
            metric.name: {name: kept.mean(metric.name, chosen) for name, chosen in kinds.items()}
            for metric in sorted(self.metrics, key=lambda metric: not metric.primary)
        }
        return {**figures, "objects": {name: float(chosen.sum()) for name, chosen in kinds.items()}}


def annotate_all(
    source: ObjectList, names: list[str], segmenter: Segmenter, label: str
) -> tuple[PerObjectClicks, float]:
    """Annotate objects by simulated clicks.

    Args:
        source: has them.
        names: of the objects.
        segmenter: what is judged.
        label: for the display of progress.

    Returns:
        How it went, and the median processor time of an answer, in seconds.

    Raises:
        DataError: A file cannot be read; it is named.
    """
    images: list[str] = []
    rows: list[tuple[int, str, int, int]] = []
    ious: list[list[float]] = []
    seconds: list[float] = []
    with Progress(label, len(names), "objects") as progress:
        for picture in source.pictures(names):
            answer = segmenter(picture.image)
            for each in picture.objects:
                course = simulation.simulate(each.truth, each.counted, answer)
                pieces, holes = shapes.count_pieces(each.truth), shapes.count_holes(each.truth)
                rows.append((len(images), each.name, pieces, holes))
                ious.append(course.ious)
                seconds += course.seconds
            images.append(picture.name)
            progress.advance(len(picture.objects))
    image, objects, pieces_of, holes_of = zip(*rows, strict=True)
    kept = PerObjectClicks(
        names=images,
        image=np.array(image, np.int32),
        objects=list(objects),
        pieces=np.array(pieces_of, np.int32),
        holes=np.array(holes_of, np.int32),
        click_iou=np.array(ious, np.float32),
    )
    return kept, float(np.median(seconds))

"""The task: every test scene is asked about, and what the model predicts is measured. See protocol.md."""

import time
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from ssl_motion.data.codec import decode_image
from ssl_motion.errors import DataError
from ssl_motion.identity import digest
from ssl_motion.model_task import ModelTask
from ssl_motion.progress import Progress
from ssl_motion.propagation.outputs import write_png
from ssl_motion.protocols import PER_IMAGE, DataReport, Metric, RunContext, TaskResult
from ssl_motion.puppets import articulation, dataset_spec, fingerprint
from ssl_motion.spec import PuppetsSpec, Strict
from ssl_motion_benchmarks.motion_probe.baselines import BASELINES, Predict
from ssl_motion_benchmarks.motion_probe.figure import SHOWN, Example, draw
from ssl_motion_benchmarks.motion_probe.measures import METRICS, averages, details, measure
from ssl_motion_benchmarks.motion_probe.queries import KINDS, LEAST_LEVER, LEAST_SEEN, LENGTH, Kind, queries

FIGURE = "figure.png"
"""What some of the predictions look like, in the run folder."""

_VOC = Path("VOCdevkit", "VOC2012")
_STILL = "puppets_motion_probe_still"


class MotionProbeConfig(Strict):
    """Settings of the task.

    Attributes:
        preset: whether a still point is given beside the arrow.
        evaluate_on: list that is scored. Make choices on "val".
    """

    preset: Literal["puppets_motion_probe", "puppets_motion_probe_still"] = "puppets_motion_probe"
    evaluate_on: Literal["val", "test"] = "test"


class MotionProbe(ModelTask):
    """Rigidity, kinematic coherence and feasibility of predicted motion, in the built-in world."""

    Config = MotionProbeConfig
    recipe_version = 1
    metrics = (
        Metric("rigidity", primary=True),
        Metric("separation"),
        Metric("kinematic_error", "arrow lengths", higher_is_better=False),
        Metric("kinematic_cosine", unit=""),
        Metric("fixed_motion", "arrow lengths", higher_is_better=False),
    )
    presets = {
        "puppets_motion_probe": "one arrow on a part of a figure, nothing else; seconds on one core",
        _STILL: "the same with a still point on what has to stay; seconds on one core",
    }
    baselines = {
        "copy_arrow": "every pixel gets the arrow's vector",
        "fading_arrow": "every pixel gets the arrow's vector, the less the farther it is",
        "nearest_guidance": "every pixel gets the vector of its nearest guidance point",
    }
    uses_puppets = True
    scale = "builtin"

    def __init__(self, config: BaseModel) -> None:
        super().__init__(config)
        assert isinstance(config, MotionProbeConfig)
        self.still = config.preset == _STILL
        self.tested = config.evaluate_on

    def protocol(self) -> dict[str, Any]:
        """State the facts that make results comparable."""
        return {
            "dataset": "puppets",
            "val_split": self.tested,
            "questions": {
                "kinds": list(KINDS),
                "of": "every actor that nothing bends: a shift of the whole, a turn of one limb",
                "arrow": "one",
                "still_point": "one, on what has to stay" if self.still else "none",
                "arrow_length_px_at_96": LENGTH,
                "least_seen_px_at_96": LEAST_SEEN,
                "least_lever_px_at_96": LEAST_LEVER,
            },
            "input": "the whole image, at the size of the model's training images",
            "metric": "mean over images of the mean over an image's questions",
        }

    def check_data(self, root: Path) -> DataReport:
        """Say what of the built-in world is under `root`, what is missing, and how to get it."""
        try:
            spec = dataset_spec(root)
            names = _names(root, self.tested)
        except (DataError, OSError) as error:
            return DataReport([], [str(error)], how_to_get="Render it: ssl-bench puppets render --layout voc")
        images = [_image_path(root, name) for name in names]
        if lost := [f"image {path}" for path in images if not path.is_file()]:
            return DataReport([], lost, how_to_get=f"Remove {root}, and render it: ssl-bench puppets render")
        content = [
            fingerprint(spec, ()),
            [[name, path.stat().st_size] for name, path in zip(names, images, strict=True)],
        ]
        return DataReport([f"{self.tested}: {len(names)} images ({root / _VOC})"], fingerprint=digest(content))

    def run(self, context: RunContext) -> TaskResult:
        """Ask about every scene, and measure what is predicted."""
        began = time.monotonic()
        predict = self._predict(context)
        spec, names = dataset_spec(context.data_root), _names(context.data_root, self.tested)
        measured: list[list[dict[str, float]]] = []
        examples: dict[tuple[Kind, str], Example] = {}
        with Progress("motion probe", len(names), "images") as progress:
            for name in names:
                found = self._ask(predict, context.data_root, spec, name)
                measured.append([measure(each.query, each.flow) for each in found])
                for each in found:
                    examples.setdefault((each.query.kind, each.query.owner), each)
                progress.advance()
        if not examples:
            raise DataError(
                f"{context.data_root}: no actor of the list {self.tested!r} is plain enough to be asked about"
            )
        kept = averages(names, measured)
        kept.save(context.run_dir / PER_IMAGE)
        if shown := [examples[key] for key in SHOWN if key in examples]:
            write_png(context.run_dir / FIGURE, draw(shown))
        return TaskResult(
            metrics={metric: kept.mean(metric) for metric in METRICS},
            details=details(kept),
            per_image=PER_IMAGE,
            wall_seconds=time.monotonic() - began,
        )

    def _predict(self, context: RunContext) -> Predict:
        if context.baseline is not None:
            return BASELINES[context.baseline]
        predictor = self.predictor(context)
        return lambda image, guidances: predictor.look(image).flow(guidances)

    def _ask(self, predict: Predict, root: Path, spec: PuppetsSpec, name: str) -> list[Example]:
        """Ask all that there is to ask about an image, at once."""
        index = int(name.rpartition("_")[2])
        asked = queries(articulation(spec, self.tested, index), index, self.still)
        if not asked:
            return []
        image = decode_image(_image_path(root, name).read_bytes())
        flows = predict(image, [query.guidance for query in asked])
        return [Example(image, query, flow) for query, flow in zip(asked, flows, strict=True)]


def _names(root: Path, split: str) -> list[str]:
    return (root / _VOC / "ImageSets" / "Segmentation" / f"{split}.txt").read_text(encoding="utf-8").split()


def _image_path(root: Path, name: str) -> Path:
    return root / _VOC / "JPEGImages" / f"{name}.jpg"

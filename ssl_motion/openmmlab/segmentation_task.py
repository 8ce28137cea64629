"""A segmentation task through mmsegmentation: its figures, and the average of several runs."""

from collections.abc import Sequence
from pathlib import Path

from ssl_motion.openmmlab import recipes
from ssl_motion.openmmlab.recipe_task import RecipeConfigT, RecipeTask
from ssl_motion.per_image.confusion import read_per_image, scores
from ssl_motion.preset_task import PresetT
from ssl_motion.protocols import PER_IMAGE, SEGMENTATION_METRICS, RunContext, TaskResult
from ssl_motion.spec import BackboneSpec


class SegmentationTask(RecipeTask[RecipeConfigT, PresetT]):
    """Base of the tasks whose recipes train a segmentor and count a confusion matrix of every image."""

    metrics = SEGMENTATION_METRICS

    def ensemble(self, members: Sequence[Path], context: RunContext) -> TaskResult:
        """Score the average of the class probabilities of finished runs."""
        from ssl_motion.openmmlab.averaging import score_average

        self.register()
        label = f"{self.settings.preset}, average of {len(members)}"
        metrics, seconds = score_average(self.resolve(context), members, context, label)
        return self.result(context.run_dir, metrics, seconds)

    def register(self) -> None:
        """Import mmsegmentation and our parts for it."""
        from ssl_motion.openmmlab.libraries import use_mmseg

        use_mmseg()

    def set_backbone(self, recipe: recipes.Recipe, spec: BackboneSpec) -> None:
        """Put another trunk in."""
        recipes.set_backbone(recipe, spec)

    def details(self, run_dir: Path, metrics: dict[str, float]) -> dict[str, dict[str, float]]:
        """IoU and accuracy of every class."""
        del metrics
        matrices = read_per_image(run_dir / PER_IMAGE)
        return scores(matrices.total()).details(matrices.classes)

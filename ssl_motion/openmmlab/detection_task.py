"""A detection task through mmdetection: pictures of what its networks find."""

from collections.abc import Sequence
from pathlib import Path

from ssl_motion.openmmlab.recipe_task import RecipeConfigT, RecipeTask
from ssl_motion.preset_task import PresetT
from ssl_motion.protocols import ObjectPrediction, RunContext


class DetectionTask(RecipeTask[RecipeConfigT, PresetT]):
    """Base of the tasks whose recipes train a detector."""

    def predict(self, member: Path, images: Sequence[str], context: RunContext) -> list[ObjectPrediction]:
        """Predict single images of the scored split with a finished run's network."""
        self.register()
        from ssl_motion.openmmlab.predicting import predict_objects

        return predict_objects(self.resolve(context), member, images, context.device)

    def register(self) -> None:
        """Import mmdetection and our parts for it."""
        from ssl_motion.openmmlab.libraries import use_mmdet

        use_mmdet()

"""Base of the tasks that judge whole pretraining models, such as what they predict of motion."""

from typing import Any, ClassVar

from ssl_motion.propagation.predictor import MotionPredictor
from ssl_motion.protocols import RunContext, TransferTask
from ssl_motion.whole_models import load_whole_model


class ModelTask(TransferTask):
    """A task whose starts are whole models, or baselines in their place.

    Trunk and decoder are part of what is judged, so models of different trunks are ranked together: their records name
    "whole model" where others name the trunk.
    """

    judges_models: ClassVar[bool] = True

    def backbone(self) -> dict[str, Any]:
        """Describe no trunk: the model brings its own."""
        return {}

    @staticmethod
    def predictor(context: RunContext) -> MotionPredictor:
        """Load the model that is judged.

        Raises:
            UsageError: A baseline is judged, or the method predicts no flow.
            DataError: A file is damaged.
        """
        assert context.model is not None, "a baseline has no model"
        return MotionPredictor.of(load_whole_model(context.model), context.device)

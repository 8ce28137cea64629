"""What can be plugged into ssl-motion: pretraining methods, transfer tasks and flow estimators.

Third-party packages subclass these and announce the class by entry point
(`ssl_motion.plugins`); nothing in this repository needs to change for them.
`ssl_motion.testing` holds the contract checks that go with each shape.
"""

from ssl_motion.flow.protocol import FlowEstimator
from ssl_motion.protocols.pretraining import Backbone, PretrainMethod
from ssl_motion.protocols.transfer import (
    PER_IMAGE,
    SEGMENTATION_METRICS,
    DataReport,
    ImagePrediction,
    Metric,
    ObjectPrediction,
    RunContext,
    Scale,
    TaskResult,
    TransferTask,
)

__all__ = [
    "PER_IMAGE",
    "SEGMENTATION_METRICS",
    "Backbone",
    "DataReport",
    "FlowEstimator",
    "ImagePrediction",
    "Metric",
    "ObjectPrediction",
    "PretrainMethod",
    "RunContext",
    "Scale",
    "TaskResult",
    "TransferTask",
]

"""Interactive segmentation by simulated clicks: how few of them a model of motion needs to cut out an object."""

from ssl_motion_benchmarks.annotation.task import AnnotationByClicks

__all__ = ["AnnotationByClicks"]

"""Linear probes on every stage of a frozen trunk, for images in one folder a class."""

from ssl_motion_benchmarks.imagenet_linear.task import ImageNetLinear

__all__ = ["ImageNetLinear"]

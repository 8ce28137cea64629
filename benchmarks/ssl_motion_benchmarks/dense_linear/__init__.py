"""Dense linear read-out: a frozen trunk's stage, standardised, and one 1x1 convolution, on any labelled images."""

from ssl_motion_benchmarks.dense_linear.task import DenseLinear

__all__ = ["DenseLinear"]

"""Whether a model's motion is that of articulated bodies: rigid, kinematically coherent, feasible."""

from ssl_motion_benchmarks.motion_probe.task import MotionProbe

__all__ = ["MotionProbe"]

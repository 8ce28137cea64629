"""Object detection on PASCAL VOC 2007 or the built-in world: Faster R-CNN, or Fast R-CNN on given proposals."""

from ssl_motion_benchmarks.voc07_det.task import Voc07Det

__all__ = ["Voc07Det"]

"""Multi-label classification on PASCAL VOC 2007 or the built-in world: fine-tuned, or SVMs on frozen features."""

from ssl_motion_benchmarks.voc07_cls.task import Voc07Cls

__all__ = ["Voc07Cls"]

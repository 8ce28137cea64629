"""Semantic segmentation by a fully convolutional network, on PASCAL VOC 2012 or the built-in world."""

from ssl_motion_benchmarks.voc_fcn.task import VocFCN

__all__ = ["VocFCN"]

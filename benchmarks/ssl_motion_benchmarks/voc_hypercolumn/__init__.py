"""Semantic segmentation by a small network on sparse hypercolumns, on PASCAL VOC 2012 or the built-in world."""

from ssl_motion_benchmarks.voc_hypercolumn.task import VocHypercolumn

__all__ = ["VocHypercolumn"]

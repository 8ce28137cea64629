"""Object detection and instance segmentation by Mask R-CNN, on COCO or the built-in world."""

from ssl_motion_benchmarks.coco_mask_rcnn.task import CocoMaskRCNN

__all__ = ["CocoMaskRCNN"]

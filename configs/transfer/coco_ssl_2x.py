# COCO: as coco_ssl_1x, trained twice as long (mmselfsup's mask-rcnn_r50_fpn_ms-2x_coco).
#
# Cost: 175,920 iterations of batch 16, twice that of coco_ssl_1x.
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
_base_ = ["coco_ssl_1x.py"]

# 24 epochs of 7,330; steps after epochs 16 and 22, warm-up of 1,000 iterations.
iterations = 175920
param_scheduler = [
    dict(type="LinearLR", start_factor=0.001, begin=0, end=1000, by_epoch=False),
    dict(type="MultiStepLR", milestones=[117280, 161260], gamma=0.1, by_epoch=False),
]
train_cfg = dict(max_iters=iterations)

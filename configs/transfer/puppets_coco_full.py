# Detection and segmentation of the built-in world's actors, trained five times as long as puppets_coco.
#
# Cost: 424 s of processor time on one core. A random start came to box AP 36.9, mask AP 22.0 (seed 0).
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
_base_ = ["puppets_coco.py"]

iterations = 1500
param_scheduler = [dict(type="OneCycleLR", eta_max=3e-3, total_steps=iterations, by_epoch=False)]
train_cfg = dict(max_iters=iterations)

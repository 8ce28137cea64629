# Segmentation of the built-in world by sparse hypercolumns, trained ten times as long as puppets_hypercolumn.
#
# Cost: 321 s of processor time on one core. A random start came to mIoU 55.9 (seed 0).
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
_base_ = ["puppets_hypercolumn.py"]

iterations = 3000

param_scheduler = [dict(type="OneCycleLR", eta_max=3e-3, total_steps=iterations, by_epoch=False)]
train_cfg = dict(max_iters=iterations)
checkpoint_every = 500

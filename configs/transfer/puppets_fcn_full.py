# Segmentation of the built-in world with few labels, trained ten times as long as puppets_fcn.
#
# Cost: 259 s of processor time on one core. A random start came to mIoU 57.4 (seed 0).
# Data, labels, augmentation, network, batch and test list are those of puppets_fcn.
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
_base_ = ["puppets_fcn.py"]

iterations = 3000

param_scheduler = [dict(type="OneCycleLR", eta_max=3e-3, total_steps=iterations, by_epoch=False)]
train_cfg = dict(max_iters=iterations)
checkpoint_every = 500

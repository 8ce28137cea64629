# Linear read-out in the built-in world: the trunk stays as it is, one 1x1 convolution is trained on its last stage.
#
# Cost: a few seconds on one CPU core. Data, labels, augmentation, batch and test list are those of puppets_fcn; it
# ranks what the features already hold, where fine-tuning ranks what can be made of them.
# Native MMEngine: every key can be changed by `ssl-bench transfer --cfg-options KEY=VALUE`.
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
_base_ = ["puppets_fcn.py"]

iterations = 150

model = dict(
    backbone=dict(frozen=True),
    decode_head=dict(
        _delete_=True,
        type="LinearHead",
        in_channels=64,
        in_index=0,
        dropout_ratio=0.0,
        num_classes=1,
        align_corners=False,
        loss_decode=dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0, avg_non_ignore=True),
    ),
)
optim_wrapper = dict(optimizer=dict(lr=1e-1))
param_scheduler = [dict(type="OneCycleLR", eta_max=1e-1, total_steps=iterations, by_epoch=False)]
train_cfg = dict(max_iters=iterations)

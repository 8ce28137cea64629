# Multi-label classification of the built-in world by fine-tuning: 400 iterations of batch 16 on crops of 80 x 80.
#
# Cost: 40 s of processor time on one core. A random start came to mAP 31.3 (seed 0).
# Not a protocol of any paper. It ranks methods inside one world only.
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
_base_ = ["voc07_cls_ft.py"]

crop_size = (80, 80)
iterations = 400

crops = dict(crop_size=crop_size, scale=(0.85, 1.2))
train_dataloader = dict(num_workers=0, persistent_workers=False, dataset=crops)
test_dataloader = dict(batch_size=10, num_workers=0, persistent_workers=False, dataset=crops)

model = dict(
    backbone=dict(spec=dict(arch="alexnet_mini"), out_stages=["conv5"]),
    head=dict(in_channels=64),
)
optim_wrapper = dict(_delete_=True, type="OptimWrapper", optimizer=dict(type="AdamW", lr=3e-3, weight_decay=1e-2))
param_scheduler = [dict(type="OneCycleLR", eta_max=3e-3, total_steps=iterations, by_epoch=False)]
train_cfg = dict(max_iters=iterations)
checkpoint_every = 200

# Segmentation of the built-in world with few labels: 300 iterations of batch 16 on 400 images of 96x96.
#
# Cost: about half a minute on one CPU core. Not a protocol of any paper. It ranks methods inside one world only.
# The optimiser is AdamW with OneCycle because SGD does not train in a few hundred iterations.
# Native MMEngine: every key can be changed by `ssl-bench transfer --cfg-options KEY=VALUE`; the task fills in the data
# folder, the classes, the trunk and its weights.
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
_base_ = ["_base_/datasets/voc12_puppets.py", "_base_/models/fcn_puppets.py"]

iterations = 300

train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations"),
    dict(type="RandomFlip", prob=0.5),
    dict(type="RandomShift", pixels=8),
    dict(type="PackSegInputs"),
]
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations"),
    dict(type="PackSegInputs", meta_keys=("img_path", "seg_map_path", "ori_shape", "img_shape", "pad_shape")),
]
train_dataloader = dict(batch_size=16, num_workers=0, dataset=dict(dataset=dict(pipeline=train_pipeline)))
test_dataloader = dict(batch_size=20, num_workers=0, dataset=dict(pipeline=test_pipeline))

model = dict(decode_head=dict(num_classes=1))

optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="AdamW", lr=3e-3, weight_decay=1e-2))
param_scheduler = [dict(type="OneCycleLR", eta_max=3e-3, total_steps=iterations, by_epoch=False)]
train_cfg = dict(max_iters=iterations)
checkpoint_every = 150

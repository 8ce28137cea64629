# CIHP scaled down to a laptop and a sample of the data: any trunk, small crops.
#
# Cost: that of voc12_fcn_small: 300 iterations of batch 8 at crop 160 with ResNet-18 at stride 8.
# Not a protocol of any paper; results are marked "reduced" and never share a rank with a full protocol.
# Network, optimiser and schedule are those of voc12_fcn_small; left and right change places on mirrored pictures.
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
_base_ = ["_base_/datasets/cihp.py", "_base_/models/fcn_small.py"]

crop_size = (160, 160)
scale = (1024, 192)
iterations = 300

train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations"),
    dict(type="RandomResize", scale=scale, ratio_range=(0.75, 1.5), keep_ratio=True),
    dict(type="RandomCrop", crop_size=crop_size, cat_max_ratio=0.75),
    dict(type="RandomFlip", prob=0.5, swap_seg_labels=_base_.sided),
    dict(type="PackSegInputs"),
]
# The label is loaded after the image is resized: predictions are scored at the size of the original image.
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=scale, keep_ratio=True),
    dict(type="LoadAnnotations"),
    dict(type="PackSegInputs", meta_keys=("img_path", "seg_map_path", "ori_shape", "img_shape", "pad_shape")),
]
train_dataloader = dict(batch_size=8, num_workers=0, dataset=dict(dataset=dict(pipeline=train_pipeline)))
test_dataloader = dict(batch_size=1, num_workers=0, dataset=dict(pipeline=test_pipeline))

model = dict(data_preprocessor=dict(size=crop_size), decode_head=dict(num_classes=20))

optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="AdamW", lr=1e-3, weight_decay=1e-2))
param_scheduler = [dict(type="OneCycleLR", eta_max=1e-3, total_steps=iterations, by_epoch=False)]
train_cfg = dict(max_iters=iterations)
checkpoint_every = 50

# CIHP, several persons a picture: FCN-d8 with a plain ResNet-50.
# The network, schedule and augmentation are those of voc12_fcn_r50_mmseg at crop 473, with left and right changing
# places when a picture is mirrored. Whole scenes keep their proportions, as VOC's do.
#
# Cost: 20,000 iterations of batch 16 at crop 473: some hours on one large GPU; impractical on a CPU.
# Ours, not CMP's: the CMP paper says nothing of its schedule on "LIP, multiple persons", which probably is CIHP.
# What is known and what is not: benchmarks/ssl_motion_benchmarks/lip/protocol.md.
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
_base_ = ["_base_/datasets/cihp.py", "_base_/models/fcn_r50_d8.py"]

crop_size = (473, 473)
scale = (2048, 473)
iterations = 20000

train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations"),
    dict(type="RandomResize", scale=scale, ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type="RandomCrop", crop_size=crop_size, cat_max_ratio=0.75),
    dict(type="RandomFlip", prob=0.5, swap_seg_labels=_base_.sided),
    dict(type="PhotoMetricDistortion"),
    dict(type="Pad", size=crop_size),
    dict(type="PackSegInputs"),
]
# The label is loaded after the image is resized: predictions are scored at the size of the original image.
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=scale, keep_ratio=True),
    dict(type="LoadAnnotations"),
    dict(type="PackSegInputs", meta_keys=("img_path", "seg_map_path", "ori_shape", "img_shape", "pad_shape")),
]
train_dataloader = dict(
    batch_size=16, num_workers=4, persistent_workers=True, dataset=dict(dataset=dict(pipeline=train_pipeline))
)
test_dataloader = dict(batch_size=1, num_workers=4, persistent_workers=True, dataset=dict(pipeline=test_pipeline))

model = dict(
    data_preprocessor=dict(size=crop_size), decode_head=dict(num_classes=20), auxiliary_head=dict(num_classes=20)
)

optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=0.01, momentum=0.9, weight_decay=0.0005))
param_scheduler = [dict(type="PolyLR", eta_min=1e-4, power=0.9, begin=0, end=iterations, by_epoch=False)]
train_cfg = dict(max_iters=iterations)
checkpoint_every = 1000

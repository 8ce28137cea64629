# Human parsing in the built-in world, one person a picture: 20 parts, 300 iterations of batch 16 at 128x128.
#
# Cost: 75 s of processor time on one core. A random start came to mIoU 13.6 (seed 0).
# Not a protocol of any paper. It ranks methods inside one world only.
# Pictures are cut out around persons and so differ in size; all are stretched to one, as is usual on LIP.
# Native MMEngine: every key can be changed by `ssl-bench transfer --cfg-options KEY=VALUE`; the task fills in the data
# folder, the trunk and its weights.
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
_base_ = ["_base_/datasets/lip.py", "_base_/models/fcn_puppets.py"]

classes = []  # LIPDataset brings its own
size = (128, 128)
iterations = 300

train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations"),
    dict(type="Resize", scale=size, keep_ratio=False),
    dict(type="RandomFlip", prob=0.5, swap_seg_labels=_base_.sided),
    dict(type="RandomShift", pixels=8),
    dict(type="PackSegInputs"),
]
# The label is loaded after the image is resized: predictions are scored at the size of the original picture.
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=size, keep_ratio=False),
    dict(type="LoadAnnotations"),
    dict(type="PackSegInputs", meta_keys=("img_path", "seg_map_path", "ori_shape", "img_shape", "pad_shape")),
]
train_dataloader = dict(batch_size=16, num_workers=0, dataset=dict(dataset=dict(pipeline=train_pipeline)))
test_dataloader = dict(
    batch_size=20,
    num_workers=0,
    dataset=dict(
        data_prefix=dict(img_path="test_images", seg_map_path="test_segmentations"),
        ann_file="test_id.txt",
        pipeline=test_pipeline,
    ),
)

model = dict(decode_head=dict(num_classes=20))

optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="AdamW", lr=3e-3, weight_decay=1e-2))
param_scheduler = [dict(type="OneCycleLR", eta_max=3e-3, total_steps=iterations, by_epoch=False)]
train_cfg = dict(max_iters=iterations)
checkpoint_every = 150

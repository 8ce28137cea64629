# Boxes and masks of the built-in world's actors: a small Mask R-CNN, 300 iterations of batch 8 on 400 images of 96x96.
#
# Cost: 121 s of processor time on one core. A random start came to box AP 6.5, mask AP 1.9 (seed 0).
# Not a protocol of any paper: it ranks methods inside one world.
# A small Mask R-CNN: pyramid of 64 channels at strides 4, 8 and 16, anchors of 16, 32 and 64 pixels.
# Native MMEngine: every key can be changed by `ssl-bench transfer --cfg-options KEY=VALUE`; the task fills in the data
# folder, the classes, the trunk and its weights.
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
_base_ = ["_base_/datasets/coco.py", "_base_/models/mask_rcnn_puppets.py"]

classes = ["actor"]  # the task fills in the world's classes and colours
iterations = 300

train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations", with_bbox=True, with_mask=True),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackDetInputs"),
]
# Resizing by 1 only notes the scale, which the detector asks for.
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale_factor=1.0, keep_ratio=True),
    dict(type="PackDetInputs", meta_keys=("img_id", "img_path", "ori_shape", "img_shape", "scale_factor")),
]
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    dataset=dict(
        dataset=dict(
            ann_file="annotations/instances_train.json",
            data_prefix=dict(img="train"),
            filter_cfg=dict(min_size=1),
            pipeline=train_pipeline,
        )
    ),
)
test_dataloader = dict(
    batch_size=20,
    num_workers=0,
    dataset=dict(
        ann_file="annotations/instances_test.json",
        data_prefix=dict(img="test"),
        pipeline=test_pipeline,
    ),
)
test_evaluator = dict(ann_file="annotations/instances_test.json")

optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="AdamW", lr=3e-3, weight_decay=1e-2))
param_scheduler = [dict(type="OneCycleLR", eta_max=3e-3, total_steps=iterations, by_epoch=False)]
train_cfg = dict(max_iters=iterations)
checkpoint_every = 100

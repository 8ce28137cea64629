# Boxes of the built-in world's actors: a small Faster R-CNN, 300 iterations of batch 8 on images of 96x96.
#
# Cost: 80 s of processor time on one core. A random start came to mAP 13.1 (seed 0).
# Not a protocol of any paper. It ranks methods inside one world only.
# It is puppets_coco without masks.
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
_base_ = ["_base_/datasets/voc07_boxes.py", "_base_/models/mask_rcnn_puppets.py"]

classes = ["actor"]  # the task fills in the world's classes and colours
iterations = 300

train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations", with_bbox=True),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackDetInputs"),
]
# Resizing by 1 only notes the scale, which the detector asks for.
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale_factor=1.0, keep_ratio=True),
    dict(type="PackDetInputs", meta_keys=("img_id", "img_path", "ori_shape", "img_shape", "scale_factor")),
]
train_dataloader = dict(batch_size=8, num_workers=0, dataset=dict(dataset=dict(pipeline=train_pipeline)))
test_dataloader = dict(batch_size=20, num_workers=0, dataset=dict(pipeline=test_pipeline))

model = dict(
    type="FasterRCNN",
    data_preprocessor=dict(pad_mask=False),
    roi_head=dict(mask_roi_extractor=None, mask_head=None),
)

optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="AdamW", lr=3e-3, weight_decay=1e-2))
param_scheduler = [dict(type="OneCycleLR", eta_max=3e-3, total_steps=iterations, by_epoch=False)]
train_cfg = dict(max_iters=iterations)
checkpoint_every = 100

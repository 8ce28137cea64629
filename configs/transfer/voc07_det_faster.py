# PASCAL VOC 2007 detection: Faster R-CNN with FPN and ResNet-50, all of it trained, mmdetection's schedule for VOC.
# mmdetection's faster-rcnn_r50_fpn_1x_voc0712 (12 passes over the data, batch 16) on VOC 2007 alone.
#
# Cost: 3,758 iterations of batch 16 at 1000 x 600: hours on one GPU; impractical on a CPU.
# Ours, no paper's: settings one by one in benchmarks/ssl_motion_benchmarks/voc07_det/protocol.md.
# Native MMEngine: every key can be changed by `ssl-bench transfer --cfg-options KEY=VALUE`; the task fills in the data
# folder, the classes, the trunk and its weights.
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
_base_ = ["_base_/datasets/voc07_boxes.py", "_base_/models/two_stage_fpn.py"]

classes = ["aeroplane"]  # the task fills in all
# 12 passes over the 5,011 images of trainval.
iterations = 3758

train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations", with_bbox=True),
    dict(type="Resize", scale=(1000, 600), keep_ratio=True),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackDetInputs"),
]
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=(1000, 600), keep_ratio=True),
    dict(type="PackDetInputs", meta_keys=("img_id", "img_path", "ori_shape", "img_shape", "scale_factor")),
]
train_dataloader = dict(
    batch_size=16, num_workers=4, persistent_workers=True, dataset=dict(dataset=dict(pipeline=train_pipeline))
)
test_dataloader = dict(batch_size=1, num_workers=4, persistent_workers=True, dataset=dict(pipeline=test_pipeline))

sync_bn = "torch"
model = dict(
    type="FasterRCNN",
    backbone=dict(spec=dict(arch="resnet50")),
    neck=dict(in_channels=[256, 512, 1024, 2048], out_channels=256),
    rpn_head=dict(
        in_channels=256,
        feat_channels=256,
        anchor_generator=dict(type="AnchorGenerator", scales=[8]),
        bbox_coder=dict(type="DeltaXYWHBBoxCoder"),
        loss_bbox=dict(type="L1Loss", loss_weight=1.0),
    ),
    roi_head=dict(
        bbox_roi_extractor=dict(roi_layer=dict(sampling_ratio=0), out_channels=256),
        bbox_head=dict(
            type="Shared2FCBBoxHead",
            in_channels=256,
            fc_out_channels=1024,
            num_classes=20,
            bbox_coder=dict(type="DeltaXYWHBBoxCoder"),
            loss_bbox=dict(type="L1Loss", loss_weight=1.0),
        ),
    ),
    train_cfg=dict(
        rpn=dict(sampler=dict(num=256), allowed_border=-1),
        rpn_proposal=dict(nms_pre=2000, max_per_img=1000),
        rcnn=dict(assigner=dict(match_low_quality=False), sampler=dict(num=512)),
    ),
    test_cfg=dict(rpn=dict(nms_pre=1000, max_per_img=1000)),
)

# The rate falls after 9 of the 12 passes.
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=0.01, momentum=0.9, weight_decay=1e-4))
param_scheduler = [dict(type="MultiStepLR", milestones=[2819], gamma=0.1, by_epoch=False)]
train_cfg = dict(max_iters=iterations)
checkpoint_every = 500

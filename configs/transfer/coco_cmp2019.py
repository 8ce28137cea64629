# COCO: Mask R-CNN with FPN as mmdetection had it in 2019: stored batch-norm statistics, first stage frozen; 1x.
# mmdetection's mask_rcnn_r50_fpn_1x before version 2.0, by way of the parts that version 3 keeps for it (legacy_1.x).
# Best guess at what CMP's Table 2 ran: its ImageNet row (37.2 / 34.1) is that zoo's (37.3 / 34.2) to a tenth.
#
# Cost: 87,960 iterations of batch 16 at 1333 x 800; impractical on a CPU.
# CMP paper, box / mask AP: random 19.7 / 18.8, ImageNet 37.2 / 34.1. Frozen statistics and a frozen first stage do not
# suit a random start: its figure here is no figure for training from scratch. Never ranked with coco_ssl_1x.
# Settings one by one, and what is not known: benchmarks/ssl_motion_benchmarks/coco_mask_rcnn/protocol.md.
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
_base_ = ["_base_/datasets/coco.py", "_base_/models/two_stage_fpn.py"]

# 12 epochs of 7,330: train2017 has 117,266 images with boxes.
iterations = 87960

train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations", with_bbox=True, with_mask=True),
    dict(type="Resize", scale=(1333, 800), keep_ratio=True),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackDetInputs"),
]
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=(1333, 800), keep_ratio=True),
    dict(type="PackDetInputs", meta_keys=("img_id", "img_path", "ori_shape", "img_shape", "scale_factor")),
]
train_dataloader = dict(
    batch_size=16, num_workers=4, persistent_workers=True, dataset=dict(dataset=dict(pipeline=train_pipeline))
)
test_dataloader = dict(batch_size=1, num_workers=4, persistent_workers=True, dataset=dict(pipeline=test_pipeline))

model = dict(
    type="MaskRCNN",
    data_preprocessor=dict(pad_mask=True),
    backbone=dict(spec=dict(arch="resnet50"), frozen="layer1", norm_eval=True),
    neck=dict(in_channels=[256, 512, 1024, 2048], out_channels=256),
    rpn_head=dict(
        in_channels=256,
        feat_channels=256,
        anchor_generator=dict(type="LegacyAnchorGenerator", center_offset=0.5, scales=[8]),
        bbox_coder=dict(type="LegacyDeltaXYWHBBoxCoder"),
        loss_bbox=dict(type="SmoothL1Loss", beta=1.0 / 9.0, loss_weight=1.0),
    ),
    roi_head=dict(
        bbox_roi_extractor=dict(roi_layer=dict(sampling_ratio=2, aligned=False), out_channels=256),
        bbox_head=dict(
            type="Shared2FCBBoxHead",
            in_channels=256,
            fc_out_channels=1024,
            num_classes=80,
            bbox_coder=dict(type="LegacyDeltaXYWHBBoxCoder"),
            loss_bbox=dict(type="SmoothL1Loss", beta=1.0, loss_weight=1.0),
        ),
        mask_roi_extractor=dict(
            type="SingleRoIExtractor",
            roi_layer=dict(type="RoIAlign", output_size=14, sampling_ratio=2, aligned=False),
            out_channels=256,
            featmap_strides=[4, 8, 16, 32],
        ),
        mask_head=dict(
            type="FCNMaskHead",
            num_convs=4,
            in_channels=256,
            conv_out_channels=256,
            num_classes=80,
            loss_mask=dict(type="CrossEntropyLoss", use_mask=True, loss_weight=1.0),
        ),
    ),
    train_cfg=dict(
        rpn=dict(sampler=dict(num=256), allowed_border=0),
        rpn_proposal=dict(nms_pre=2000, max_per_img=2000),
        rcnn=dict(assigner=dict(match_low_quality=True), sampler=dict(num=512), mask_size=28),
    ),
    test_cfg=dict(rpn=dict(nms_pre=1000, max_per_img=1000), rcnn=dict(mask_thr_binary=0.5)),
)

optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="SGD", lr=0.02, momentum=0.9, weight_decay=0.0001),
    clip_grad=dict(max_norm=35, norm_type=2),
)
# After epochs 8 and 11.
param_scheduler = [
    dict(type="LinearLR", start_factor=1.0 / 3, begin=0, end=500, by_epoch=False),
    dict(type="MultiStepLR", milestones=[58640, 80630], gamma=0.1, by_epoch=False),
]
train_cfg = dict(max_iters=iterations)
checkpoint_every = 1000

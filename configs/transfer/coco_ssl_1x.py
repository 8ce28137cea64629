# COCO: Mask R-CNN with FPN and synchronised batch norm everywhere, as mmselfsup compares self-supervised trunks; 1x.
# This is mmselfsup's mask-rcnn_r50_fpn_ms-1x_coco on mmdetection's mask-rcnn_r50_fpn_1x_coco, in iterations.
#
# Cost: 87,960 iterations of batch 16 at 1333 x 800: a day on eight GPUs' older generation; impractical on a CPU.
# Published (mmselfsup model zoo, box / mask AP): BYOL 40.9 / 36.8, MoCo v2 40.2 / 36.1, SwAV 40.2 / 36.3, SimCLR
# 38.7 / 34.9, rotation 37.9 / 34.2, relative location 37.5 / 33.7.
# Settings one by one, and what differs: benchmarks/ssl_motion_benchmarks/coco_mask_rcnn/protocol.md.
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
_base_ = ["_base_/datasets/coco.py", "_base_/models/two_stage_fpn.py"]

# 12 epochs of 7,330: train2017 has 117,266 images with boxes.
iterations = 87960

train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations", with_bbox=True, with_mask=True),
    dict(
        type="RandomChoiceResize",
        scales=[(1333, 640), (1333, 672), (1333, 704), (1333, 736), (1333, 768), (1333, 800)],
        keep_ratio=True,
    ),
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

# Batch norms share their statistics over all processes: those of the whole batch of 16, as 8 x 2 with SyncBN.
norm_cfg = dict(type="BN", requires_grad=True)
sync_bn = "torch"
model = dict(
    type="MaskRCNN",
    data_preprocessor=dict(pad_mask=True),
    backbone=dict(spec=dict(arch="resnet50")),
    neck=dict(in_channels=[256, 512, 1024, 2048], out_channels=256, norm_cfg=norm_cfg),
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
            type="Shared4Conv1FCBBoxHead",
            in_channels=256,
            fc_out_channels=1024,
            num_classes=80,
            norm_cfg=norm_cfg,
            bbox_coder=dict(type="DeltaXYWHBBoxCoder"),
            loss_bbox=dict(type="L1Loss", loss_weight=1.0),
        ),
        mask_roi_extractor=dict(
            type="SingleRoIExtractor",
            roi_layer=dict(type="RoIAlign", output_size=14, sampling_ratio=0),
            out_channels=256,
            featmap_strides=[4, 8, 16, 32],
        ),
        mask_head=dict(
            type="FCNMaskHead",
            num_convs=4,
            in_channels=256,
            conv_out_channels=256,
            num_classes=80,
            norm_cfg=norm_cfg,
            loss_mask=dict(type="CrossEntropyLoss", use_mask=True, loss_weight=1.0),
        ),
    ),
    train_cfg=dict(
        rpn=dict(sampler=dict(num=256), allowed_border=-1),
        rpn_proposal=dict(nms_pre=2000, max_per_img=1000),
        rcnn=dict(assigner=dict(match_low_quality=True), sampler=dict(num=512), mask_size=28),
    ),
    test_cfg=dict(rpn=dict(nms_pre=1000, max_per_img=1000), rcnn=dict(mask_thr_binary=0.5)),
)

optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=0.02, momentum=0.9, weight_decay=0.0001))
# After epochs 8 and 11.
param_scheduler = [
    dict(type="LinearLR", start_factor=0.001, begin=0, end=500, by_epoch=False),
    dict(type="MultiStepLR", milestones=[58640, 80630], gamma=0.1, by_epoch=False),
]
train_cfg = dict(max_iters=iterations)
checkpoint_every = 1000

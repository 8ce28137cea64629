# COCO scaled down to a laptop: Mask R-CNN with a pyramid of 128 channels, shorter side 192, any trunk.
#
# Cost: one or two seconds an iteration of batch 4 on one CPU core.
# Not a protocol of any paper; results are marked "reduced" and never share a rank with a full protocol.
# The task fills in the data folder, the trunk and its weights; everything can be changed by --cfg-options KEY=VALUE.
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
_base_ = ["_base_/datasets/coco.py", "_base_/models/two_stage_fpn.py"]

iterations = 300

train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations", with_bbox=True, with_mask=True),
    dict(type="Resize", scale=(320, 192), keep_ratio=True),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackDetInputs"),
]
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=(320, 192), keep_ratio=True),
    dict(type="PackDetInputs", meta_keys=("img_id", "img_path", "ori_shape", "img_shape", "scale_factor")),
]
train_dataloader = dict(batch_size=4, num_workers=0, dataset=dict(dataset=dict(pipeline=train_pipeline)))
test_dataloader = dict(batch_size=1, num_workers=0, dataset=dict(pipeline=test_pipeline))

norm_cfg = dict(type="BN", requires_grad=True)
model = dict(
    type="MaskRCNN",
    data_preprocessor=dict(pad_mask=True),
    backbone=dict(spec=dict(arch="resnet18")),
    neck=dict(in_channels=[64, 128, 256, 512], out_channels=128, norm_cfg=norm_cfg),
    rpn_head=dict(
        in_channels=128,
        feat_channels=128,
        anchor_generator=dict(type="AnchorGenerator", scales=[4]),
        bbox_coder=dict(type="DeltaXYWHBBoxCoder"),
        loss_bbox=dict(type="L1Loss", loss_weight=1.0),
    ),
    roi_head=dict(
        bbox_roi_extractor=dict(roi_layer=dict(sampling_ratio=2), out_channels=128, finest_scale=28),
        bbox_head=dict(
            type="Shared2FCBBoxHead",
            in_channels=128,
            fc_out_channels=512,
            num_classes=80,
            bbox_coder=dict(type="DeltaXYWHBBoxCoder"),
            loss_bbox=dict(type="L1Loss", loss_weight=1.0),
        ),
        mask_roi_extractor=dict(
            type="SingleRoIExtractor",
            roi_layer=dict(type="RoIAlign", output_size=14, sampling_ratio=2),
            out_channels=128,
            featmap_strides=[4, 8, 16, 32],
            finest_scale=28,
        ),
        mask_head=dict(
            type="FCNMaskHead",
            num_convs=2,
            in_channels=128,
            conv_out_channels=128,
            num_classes=80,
            norm_cfg=norm_cfg,
            loss_mask=dict(type="CrossEntropyLoss", use_mask=True, loss_weight=1.0),
        ),
    ),
    train_cfg=dict(
        rpn=dict(sampler=dict(num=128), allowed_border=-1),
        rpn_proposal=dict(nms_pre=500, max_per_img=300),
        rcnn=dict(assigner=dict(match_low_quality=True), sampler=dict(num=64), mask_size=28),
    ),
    test_cfg=dict(rpn=dict(nms_pre=300, max_per_img=300), rcnn=dict(mask_thr_binary=0.5)),
)

optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="AdamW", lr=1e-3, weight_decay=1e-2))
param_scheduler = [dict(type="OneCycleLR", eta_max=1e-3, total_steps=iterations, by_epoch=False)]
train_cfg = dict(max_iters=iterations)
checkpoint_every = 50

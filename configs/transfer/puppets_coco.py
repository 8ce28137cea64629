# Boxes and masks of the built-in world's actors: a small Mask R-CNN, 300 iterations of batch 8 on 400 images of 96x96.
#
# Cost: about four iterations a second on one CPU core. Not a protocol of any paper: it ranks methods inside one world.
# A small Mask R-CNN: pyramid of 64 channels at strides 4, 8 and 16, anchors of 16, 32 and 64 pixels.
# Native MMEngine: every key can be changed by `ssl-bench transfer --cfg-options KEY=VALUE`; the task fills in the data
# folder, the classes, the trunk and its weights.
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
default_scope = "mmdet"
custom_imports = dict(imports=["ssl_motion.openmmlab.registered_mmdet"], allow_failed_imports=False)

data_root = "coco"
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
    sampler=dict(type="DrawSampler", seed=0),
    dataset=dict(
        type="SeededDataset",
        seed=0,
        dataset=dict(
            type="CocoDataset",
            data_root=data_root,
            ann_file="annotations/instances_train.json",
            data_prefix=dict(img="train"),
            filter_cfg=dict(filter_empty_gt=True, min_size=1),
            pipeline=train_pipeline,
        ),
    ),
)
test_dataloader = dict(
    batch_size=20,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="CocoDataset",
        data_root=data_root,
        ann_file="annotations/instances_test.json",
        data_prefix=dict(img="test"),
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_evaluator = dict(type="InstanceAPMetric", ann_file="annotations/instances_test.json", path="per_image.npz")
test_cfg = dict(type="TestLoop")

norm_cfg = dict(type="BN", requires_grad=True)
model = dict(
    type="MaskRCNN",
    data_preprocessor=dict(
        type="DetDataPreprocessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_mask=True,
        pad_size_divisor=32,
    ),
    backbone=dict(
        type="SSLMotionBackbone", spec=dict(arch="alexnet_mini"), out_stages=["conv2", "conv5"], weights=None
    ),
    neck=dict(type="FPN", in_channels=[64, 64], out_channels=64, num_outs=3, norm_cfg=norm_cfg),
    rpn_head=dict(
        type="RPNHead",
        in_channels=64,
        feat_channels=64,
        anchor_generator=dict(type="AnchorGenerator", scales=[4], ratios=[0.5, 1.0, 2.0], strides=[4, 8, 16]),
        bbox_coder=dict(type="DeltaXYWHBBoxCoder", target_means=[0.0, 0.0, 0.0, 0.0], target_stds=[1.0, 1.0, 1.0, 1.0]),
        loss_cls=dict(type="CrossEntropyLoss", use_sigmoid=True, loss_weight=1.0),
        loss_bbox=dict(type="L1Loss", loss_weight=1.0),
    ),
    roi_head=dict(
        type="StandardRoIHead",
        # Regions of less than 28 pixels a side are read at the finest level.
        bbox_roi_extractor=dict(
            type="SingleRoIExtractor",
            roi_layer=dict(type="RoIAlign", output_size=7, sampling_ratio=2),
            out_channels=64,
            featmap_strides=[4, 8],
            finest_scale=14,
        ),
        bbox_head=dict(
            type="Shared2FCBBoxHead",
            in_channels=64,
            fc_out_channels=256,
            roi_feat_size=7,
            num_classes=1,
            bbox_coder=dict(
                type="DeltaXYWHBBoxCoder", target_means=[0.0, 0.0, 0.0, 0.0], target_stds=[0.1, 0.1, 0.2, 0.2]
            ),
            reg_class_agnostic=False,
            loss_cls=dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0),
            loss_bbox=dict(type="L1Loss", loss_weight=1.0),
        ),
        mask_roi_extractor=dict(
            type="SingleRoIExtractor",
            roi_layer=dict(type="RoIAlign", output_size=14, sampling_ratio=2),
            out_channels=64,
            featmap_strides=[4, 8],
            finest_scale=14,
        ),
        mask_head=dict(
            type="FCNMaskHead",
            num_convs=2,
            in_channels=64,
            conv_out_channels=64,
            num_classes=1,
            norm_cfg=norm_cfg,
            loss_mask=dict(type="CrossEntropyLoss", use_mask=True, loss_weight=1.0),
        ),
    ),
    train_cfg=dict(
        rpn=dict(
            assigner=dict(
                type="MaxIoUAssigner",
                pos_iou_thr=0.7,
                neg_iou_thr=0.3,
                min_pos_iou=0.3,
                match_low_quality=True,
                ignore_iof_thr=-1,
            ),
            sampler=dict(type="RandomSampler", num=64, pos_fraction=0.5, neg_pos_ub=-1, add_gt_as_proposals=False),
            allowed_border=-1,
            pos_weight=-1,
            debug=False,
        ),
        rpn_proposal=dict(nms_pre=300, max_per_img=100, nms=dict(type="nms", iou_threshold=0.7), min_bbox_size=0),
        rcnn=dict(
            assigner=dict(
                type="MaxIoUAssigner",
                pos_iou_thr=0.5,
                neg_iou_thr=0.5,
                min_pos_iou=0.5,
                match_low_quality=True,
                ignore_iof_thr=-1,
            ),
            sampler=dict(type="RandomSampler", num=32, pos_fraction=0.25, neg_pos_ub=-1, add_gt_as_proposals=True),
            mask_size=28,
            pos_weight=-1,
            debug=False,
        ),
    ),
    test_cfg=dict(
        rpn=dict(nms_pre=300, max_per_img=50, nms=dict(type="nms", iou_threshold=0.7), min_bbox_size=0),
        rcnn=dict(score_thr=0.05, nms=dict(type="nms", iou_threshold=0.5), max_per_img=20, mask_thr_binary=0.5),
    ),
)

optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="AdamW", lr=3e-3, weight_decay=1e-2))
param_scheduler = [dict(type="OneCycleLR", eta_max=3e-3, total_steps=iterations, by_epoch=False)]
train_cfg = dict(type="ResumableTrainLoop", max_iters=iterations, val_interval=10**9)
checkpoint_every = 100

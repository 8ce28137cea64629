# PASCAL VOC 2007 detection: Fast R-CNN with AlexNet on proposals that are given, as papers on AlexNet report it.
#
# Cost: 150,000 iterations of 2 images: days on one GPU; impractical on a CPU.
# Needs --set proposals=FILE. What is known and what is not: benchmarks/ssl_motion_benchmarks/voc07_det/protocol.md.
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
_base_ = ["_base_/datasets/voc07_boxes.py"]

classes = ["aeroplane"]  # the task fills in all
iterations = 150000

# Fast R-CNN's five scales of the shorter side in training; its one scale in testing.
train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadProposals", num_max_proposals=2000),
    dict(type="LoadAnnotations", with_bbox=True),
    dict(
        type="ProposalBroadcaster",
        transforms=[
            dict(
                type="RandomChoiceResize",
                scales=[(2000, 480), (2000, 576), (2000, 688), (2000, 864), (2000, 1200)],
                keep_ratio=True,
            ),
            dict(type="RandomFlip", prob=0.5),
        ],
    ),
    dict(type="PackDetInputs"),
]
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadProposals", num_max_proposals=None),
    dict(type="ProposalBroadcaster", transforms=[dict(type="Resize", scale=(1000, 600), keep_ratio=True)]),
    dict(type="PackDetInputs", meta_keys=("img_id", "img_path", "ori_shape", "img_shape", "scale_factor")),
]
train_dataloader = dict(
    batch_size=2, num_workers=4, persistent_workers=True, dataset=dict(dataset=dict(pipeline=train_pipeline))
)
test_dataloader = dict(batch_size=1, num_workers=4, persistent_workers=True, dataset=dict(pipeline=test_pipeline))

sync_bn = "torch"
# Regions come from conv5 at stride 16; two layers of 4,096 follow, which start at random.
model = dict(
    type="FastRCNN",
    data_preprocessor=dict(
        type="DetDataPreprocessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=32,
    ),
    backbone=dict(type="SSLMotionBackbone", spec=dict(arch="alexnet_32x"), out_stages=["conv5"], weights=None),
    roi_head=dict(
        type="StandardRoIHead",
        bbox_roi_extractor=dict(
            type="SingleRoIExtractor",
            roi_layer=dict(type="RoIAlign", output_size=6, sampling_ratio=2),
            out_channels=256,
            featmap_strides=[16],
        ),
        bbox_head=dict(
            type="Shared2FCBBoxHead",
            in_channels=256,
            fc_out_channels=4096,
            roi_feat_size=6,
            num_classes=20,
            bbox_coder=dict(
                type="DeltaXYWHBBoxCoder", target_means=[0.0, 0.0, 0.0, 0.0], target_stds=[0.1, 0.1, 0.2, 0.2]
            ),
            reg_class_agnostic=False,
            loss_cls=dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0),
            loss_bbox=dict(type="SmoothL1Loss", beta=1.0, loss_weight=1.0),
        ),
    ),
    train_cfg=dict(
        rcnn=dict(
            assigner=dict(
                type="MaxIoUAssigner",
                pos_iou_thr=0.5,
                neg_iou_thr=(0.1, 0.5),
                min_pos_iou=0.5,
                match_low_quality=False,
                ignore_iof_thr=-1,
            ),
            sampler=dict(type="RandomSampler", num=64, pos_fraction=0.25, neg_pos_ub=-1, add_gt_as_proposals=True),
            pos_weight=-1,
            debug=False,
        )
    ),
    test_cfg=dict(rcnn=dict(score_thr=0.05, nms=dict(type="nms", iou_threshold=0.3), max_per_img=100)),
)

# Biases learn twice as fast.
optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="SGD", lr=2e-3, momentum=0.9, weight_decay=5e-4),
    paramwise_cfg=dict(bias_lr_mult=2.0),
)
param_scheduler = [dict(type="StepLR", step_size=50000, gamma=0.1, by_epoch=False)]
train_cfg = dict(max_iters=iterations)
checkpoint_every = 1000

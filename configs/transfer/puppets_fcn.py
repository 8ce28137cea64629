# Segmentation of the built-in world with few labels: 300 iterations of batch 16 on 400 images of 96x96.
#
# Cost: about half a minute on one CPU core. Not a protocol of any paper. It ranks methods inside one world only.
# The optimiser is AdamW with OneCycle because SGD does not train in a few hundred iterations.
# Native MMEngine: every key can be changed by `ssl-bench transfer --cfg-options KEY=VALUE`; the task fills in the data
# folder, the classes, the trunk and its weights.
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
default_scope = "mmseg"
custom_imports = dict(imports=["ssl_motion.openmmlab.registered"], allow_failed_imports=False)

data_root = "VOCdevkit/VOC2012"
prefix = dict(img_path="JPEGImages", seg_map_path="SegmentationClass")
classes = ["background"]  # the task fills in the world's classes and colours
iterations = 300

train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations"),
    dict(type="RandomFlip", prob=0.5),
    dict(type="RandomShift", pixels=8),
    dict(type="PackSegInputs"),
]
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations"),
    dict(type="PackSegInputs", meta_keys=("img_path", "seg_map_path", "ori_shape", "img_shape", "pad_shape")),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    sampler=dict(type="DrawSampler", seed=0),
    dataset=dict(
        type="SeededDataset",
        seed=0,
        dataset=dict(
            type="BaseSegDataset",
            data_root=data_root,
            data_prefix=prefix,
            ann_file="ImageSets/Segmentation/train.txt",
            img_suffix=".jpg",
            seg_map_suffix=".png",
            pipeline=train_pipeline,
        ),
    ),
)
test_dataloader = dict(
    batch_size=20,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="BaseSegDataset",
        data_root=data_root,
        data_prefix=prefix,
        ann_file="ImageSets/Segmentation/test.txt",
        img_suffix=".jpg",
        seg_map_suffix=".png",
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_evaluator = dict(type="PerImageConfusionMetric", path="per_image.npz")
test_cfg = dict(type="TestLoop")

model = dict(
    type="EncoderDecoder",
    data_preprocessor=dict(
        type="SegDataPreProcessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
        size_divisor=1,
    ),
    backbone=dict(type="SSLMotionBackbone", spec=dict(arch="alexnet_mini"), out_stages=["conv5"], weights=None),
    decode_head=dict(
        type="FCNHead",
        in_channels=64,
        in_index=0,
        channels=64,
        num_convs=1,
        concat_input=False,
        dropout_ratio=0.0,
        num_classes=1,
        norm_cfg=dict(type="BN", requires_grad=True),
        align_corners=False,
        loss_decode=dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0, avg_non_ignore=True),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode="whole"),
)

optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="AdamW", lr=3e-3, weight_decay=1e-2))
param_scheduler = [dict(type="OneCycleLR", eta_max=3e-3, total_steps=iterations, by_epoch=False)]
train_cfg = dict(type="ResumableTrainLoop", max_iters=iterations, val_interval=10**9)
checkpoint_every = 150

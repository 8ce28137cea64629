# PASCAL VOC 2012 scaled down to a laptop and a sample of the data.
# Any trunk, small crops, and the lists train and val that the devkit itself holds.
#
# Cost: 300 iterations of batch 8 at crop 160 with ResNet-18 at stride 8 take about 6 minutes on one CPU core.
# Not a protocol of any paper; results are marked "reduced" and never share a rank with a full protocol.
# The task fills in the data folder, the trunk and its weights; everything can be changed by --cfg-options KEY=VALUE.
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
default_scope = "mmseg"
custom_imports = dict(imports=["ssl_motion.openmmlab.registered"], allow_failed_imports=False)

data_root = "VOCdevkit/VOC2012"
prefix = dict(img_path="JPEGImages", seg_map_path="SegmentationClass")
crop_size = (160, 160)
iterations = 300

train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations"),
    dict(type="RandomResize", scale=(1024, 192), ratio_range=(0.75, 1.5), keep_ratio=True),
    dict(type="RandomCrop", crop_size=crop_size, cat_max_ratio=0.75),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackSegInputs"),
]
# The label is loaded after the image is resized: predictions are scored at the size of the original image.
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=(1024, 192), keep_ratio=True),
    dict(type="LoadAnnotations"),
    dict(type="PackSegInputs", meta_keys=("img_path", "seg_map_path", "ori_shape", "img_shape", "pad_shape")),
]
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type="DrawSampler", seed=0),
    dataset=dict(
        type="SeededDataset",
        seed=0,
        dataset=dict(
            type="PascalVOCDataset",
            data_root=data_root,
            data_prefix=prefix,
            ann_file="ImageSets/Segmentation/train.txt",
            pipeline=train_pipeline,
        ),
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="PascalVOCDataset",
        data_root=data_root,
        data_prefix=prefix,
        ann_file="ImageSets/Segmentation/val.txt",
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
        size=crop_size,
    ),
    backbone=dict(
        type="SSLMotionBackbone",
        spec=dict(arch="resnet18", output_stride=8),
        out_stages=["layer4"],
        weights=None,
    ),
    decode_head=dict(
        type="FCNHead",
        in_channels=512,
        in_index=0,
        channels=128,
        num_convs=1,
        concat_input=False,
        dropout_ratio=0.1,
        num_classes=21,
        norm_cfg=dict(type="BN", requires_grad=True),
        align_corners=False,
        loss_decode=dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0, avg_non_ignore=True),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode="whole"),
)

optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="AdamW", lr=1e-3, weight_decay=1e-2))
param_scheduler = [dict(type="OneCycleLR", eta_max=1e-3, total_steps=iterations, by_epoch=False)]
train_cfg = dict(type="ResumableTrainLoop", max_iters=iterations, val_interval=10**9)
checkpoint_every = 50

# The built-in world's actors by an FCN with one convolution: 300 iterations of batch 16 on crops of 80.
# Cost: half a minute of one CPU core. A random start came to mIoU 23 on 100 test images (seed 0).
# Native MMEngine. The task fills in classes and folders, the harness trunk, weights and seed; what the numbers are is
# decided here. `crop_size` is the name that the setting `crop` changes, wherever its value stands below.
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
default_scope = "mmseg"
custom_imports = dict(imports=["ssl_motion.openmmlab.registered"], allow_failed_imports=False)
iterations = 300
checkpoint_every = 100
crop_size = (80, 80)

images = dict(
    type="BaseSegDataset",
    data_root="VOCdevkit/VOC2012",
    data_prefix=dict(img_path="JPEGImages", seg_map_path="SegmentationClass"),
    img_suffix=".jpg",
    seg_map_suffix=".png",
)
train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations"),
    dict(type="RandomCrop", crop_size=crop_size),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackSegInputs"),
]
test_pipeline = [dict(type="LoadImageFromFile"), dict(type="LoadAnnotations"), dict(type="PackSegInputs")]
train_dataloader = dict(
    batch_size=16,
    sampler=dict(type="DrawSampler", seed=0),
    dataset=dict(
        type="SeededDataset",
        seed=0,
        dataset=dict(ann_file="ImageSets/Segmentation/train.txt", pipeline=train_pipeline, **images),
    ),
)
test_dataloader = dict(
    batch_size=20,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(ann_file="ImageSets/Segmentation/test.txt", pipeline=test_pipeline, test_mode=True, **images),
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
    backbone=dict(type="SSLMotionBackbone", spec=dict(arch="alexnet_mini"), out_stages=["conv5"], weights=None),
    decode_head=dict(
        type="FCNHead",
        in_channels=64,
        in_index=0,
        channels=64,
        num_convs=1,
        concat_input=False,
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

# PASCAL VOC 2012 + SBD: FCN-d8 with a plain ResNet-50, as mmsegmentation and mmselfsup run it.
# This is mmsegmentation's fcn_r50-d8_4xb4-20k_voc12aug-512x512 with two mends: the stem is the plain 7x7 one
# (type "ResNet", not "ResNetV1c", so that no stem stays random), and nothing is downloaded (no `pretrained`).
#
# Cost: 20,000 iterations of batch 16 at crop 512: some hours on one large GPU; impractical on a CPU.
# Published with this schedule (mmselfsup model zoo, mIoU; stem not stated): BYOL 67.2, DenseCL 69.5, MoCo v2 67.6,
# rotation 64.3, relative location 63.5. CMP paper (recipe unstated): random 42.4, ImageNet 69.0, CMP 59.0.
# The batch of 16 is 4 GPUs x 4 there: `torchrun` divides the total; batch statistics are then shared (sync_bn).
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
default_scope = "mmseg"
custom_imports = dict(imports=["ssl_motion.openmmlab.registered"], allow_failed_imports=False)

data_root = "VOCdevkit/VOC2012"
crop_size = (512, 512)
iterations = 20000

train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations"),
    dict(type="RandomResize", scale=(2048, 512), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type="RandomCrop", crop_size=crop_size, cat_max_ratio=0.75),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PhotoMetricDistortion"),
    dict(type="Pad", size=crop_size),
    dict(type="PackSegInputs"),
]
# The label is loaded after the image is resized: predictions are scored at the size of the original image.
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=(2048, 512), keep_ratio=True),
    dict(type="LoadAnnotations"),
    dict(type="PackSegInputs", meta_keys=("img_path", "seg_map_path", "ori_shape", "img_shape", "pad_shape")),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="DrawSampler", seed=0),
    dataset=dict(
        type="SeededDataset",
        seed=0,
        dataset=dict(
            type="ConcatDataset",
            datasets=[
                dict(
                    type="PascalVOCDataset",
                    data_root=data_root,
                    data_prefix=dict(img_path="JPEGImages", seg_map_path="SegmentationClass"),
                    ann_file="ImageSets/Segmentation/train.txt",
                    pipeline=train_pipeline,
                ),
                dict(
                    type="PascalVOCDataset",
                    data_root=data_root,
                    data_prefix=dict(img_path="JPEGImages", seg_map_path="SegmentationClassAug"),
                    ann_file="ImageSets/Segmentation/aug.txt",
                    pipeline=train_pipeline,
                ),
            ],
        ),
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="PascalVOCDataset",
        data_root=data_root,
        data_prefix=dict(img_path="JPEGImages", seg_map_path="SegmentationClass"),
        ann_file="ImageSets/Segmentation/val.txt",
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_evaluator = dict(type="PerImageConfusionMetric", path="per_image.npz")
test_cfg = dict(type="TestLoop")

norm_cfg = dict(type="BN", requires_grad=True)
sync_bn = "torch"
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
        type="SSLMotionResNet",
        weights=None,
        depth=50,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        dilations=(1, 1, 2, 4),
        strides=(1, 2, 1, 1),
        norm_cfg=norm_cfg,
        norm_eval=False,
        style="pytorch",
        contract_dilation=True,
    ),
    decode_head=dict(
        type="FCNHead",
        in_channels=2048,
        in_index=3,
        channels=512,
        num_convs=2,
        concat_input=True,
        dropout_ratio=0.1,
        num_classes=21,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0),
    ),
    auxiliary_head=dict(
        type="FCNHead",
        in_channels=1024,
        in_index=2,
        channels=256,
        num_convs=1,
        concat_input=False,
        dropout_ratio=0.1,
        num_classes=21,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=0.4),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode="whole"),
)

optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=0.01, momentum=0.9, weight_decay=0.0005))
param_scheduler = [dict(type="PolyLR", eta_min=1e-4, power=0.9, begin=0, end=iterations, by_epoch=False)]
train_cfg = dict(type="ResumableTrainLoop", max_iters=iterations, val_interval=10**9)
checkpoint_every = 1000

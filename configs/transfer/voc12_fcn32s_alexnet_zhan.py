# PASCAL VOC 2012 + SBD: FCN-32s with CMP's AlexNet, the published template of CMP's first author.
# It was published for mix-and-match, and is the best guess at what CMP's Table 1 ran: the recipe itself is in an
# unpublished supplement.
#
# Cost: 42,000 iterations of batch 64 at crop 512: about a day on one GPU; impractical on a CPU.
# The CMP paper, AlexNet: random 19.8, ImageNet 48.0, CMP 44.5 (3.22M pairs).
# What is known and what is not: benchmarks/ssl_motion_benchmarks/voc_fcn/protocol.md.
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
_base_ = ["_base_/datasets/voc12_aug.py"]

crop_size = (512, 512)
iterations = 42000

# No scaling: VOC images have at most 500 pixels a side, so that the 512 crop is the whole image, padded.
train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations"),
    dict(type="RandomCrop", crop_size=crop_size),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackSegInputs"),
]
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations"),
    dict(type="PackSegInputs", meta_keys=("img_path", "seg_map_path", "ori_shape", "img_shape", "pad_shape")),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    dataset=dict(
        dataset=dict(
            datasets=[dict(part, pipeline=train_pipeline) for part in _base_.train_dataloader.dataset.dataset.datasets]
        )
    ),
)
test_dataloader = dict(batch_size=1, num_workers=4, persistent_workers=True, dataset=dict(pipeline=test_pipeline))

# With several GPUs a pass of 16 is divided: its batch statistics stay those of the 16.
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
        test_cfg=dict(size=crop_size),
    ),
    backbone=dict(type="SSLMotionBackbone", spec=dict(arch="alexnet_32x"), out_stages=["fc7"], weights=None),
    # Only the 1x1 score layer, drawn from N(0, 0.01); dropout is in the trunk's fc6 and fc7.
    decode_head=dict(
        type="FCNHead",
        in_channels=4096,
        in_index=0,
        channels=4096,
        num_convs=0,
        concat_input=False,
        dropout_ratio=0.0,
        num_classes=21,
        align_corners=True,
        init_cfg=dict(type="Normal", std=0.01, override=dict(name="conv_seg")),
        loss_decode=dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0, avg_non_ignore=True),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode="whole"),
)

# Batch 64 as 4 backward passes of 16; learning rate of biases doubled in every layer but batch norms.
optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="SGD", lr=1e-2, momentum=0.9, weight_decay=5e-4),
    paramwise_cfg=dict(bias_lr_mult=2.0),
    accumulative_counts=4,
)
param_scheduler = [dict(type="MultiStepLR", milestones=[24000, 36000, 40000], gamma=0.1, by_epoch=False)]
train_cfg = dict(max_iters=iterations, passes=4)
checkpoint_every = 1000

# PASCAL VOC 2012 + SBD: a network on sparse hypercolumns of AlexNet, after Larsson et al. and Mahendran et al.
# Settings are those of the code that Larsson et al. published for their ResNet-152 (gustavla/self-supervision,
# selfsup/evaluate/voc_segmentation.py); the stages are those that Mahendran et al. name for AlexNet.
#
# Cost: 40,000 iterations of batch 10 at crop 448: hours on one GPU; impractical on a CPU.
# Published, AlexNet, mIoU: Larsson et al. 38.4; Mahendran et al. 41.4, by direct prediction of flow 37.1.
# What is known and what is not: benchmarks/ssl_motion_benchmarks/voc_hypercolumn/protocol.md.
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
_base_ = ["voc12_fcn32s_alexnet_zhan.py"]

crop_size = (448, 448)
iterations = 40000

# No scaling. What the crop has beyond the image is unknown (255), so that nothing is learned from it.
train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations"),
    dict(type="RandomCrop", crop_size=crop_size),
    dict(type="RandomFlip", prob=0.5),
    dict(type="Pad", size=crop_size, pad_val=dict(img=0, seg=255)),
    dict(type="SparseLabels", pixels=128, border=32),
    dict(type="PackSegInputs"),
]
train_dataloader = dict(
    batch_size=10,
    dataset=dict(
        dataset=dict(
            datasets=[dict(part, pipeline=train_pipeline) for part in _base_.train_dataloader.dataset.dataset.datasets]
        )
    ),
)

model = dict(
    # Tested on the whole image as it is.
    data_preprocessor=dict(size=crop_size, test_cfg=None),
    backbone=dict(out_stages=["conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"]),
    decode_head=dict(
        _delete_=True,
        type="HypercolumnHead",
        in_index=[0, 1, 2, 3, 4, 5, 6],
        in_channels=[96, 256, 384, 384, 256, 4096, 4096],
        strides=[4, 8, 16, 16, 16, 32, 32],
        hidden=1024,
        dropout_ratio=0.5,
        num_classes=21,
        init_cfg=[
            dict(type="Normal", std=1e-4, override=dict(name="hidden")),
            dict(type="Normal", std=0.01, override=dict(name="conv_seg")),
        ],
        loss_decode=dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0, avg_non_ignore=True),
    ),
)

# Weight decay on weights alone.
optim_wrapper = dict(
    _delete_=True,
    type="OptimWrapper",
    optimizer=dict(type="SGD", lr=1e-3, momentum=0.9, weight_decay=5e-4),
    paramwise_cfg=dict(bias_decay_mult=0.0, norm_decay_mult=0.0),
)
param_scheduler = [dict(type="MultiStepLR", milestones=[22500, 30000], gamma=0.1, by_epoch=False)]
train_cfg = dict(_delete_=True, type="ResumableTrainLoop", max_iters=iterations, val_interval=10**9)

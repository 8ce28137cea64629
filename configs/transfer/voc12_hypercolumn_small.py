# PASCAL VOC 2012 by sparse hypercolumns, scaled down to a laptop and a sample of the data.
# Data, augmentation, optimiser and schedule are those of voc12_fcn_small; the head reads every stage of the trunk.
#
# Cost: minutes on one CPU core. Not a protocol of any paper; results are marked "reduced".
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
_base_ = ["voc12_fcn_small.py"]

crop_size = (160, 160)
train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations"),
    dict(type="RandomResize", scale=(1024, 192), ratio_range=(0.75, 1.5), keep_ratio=True),
    dict(type="RandomCrop", crop_size=crop_size, cat_max_ratio=0.75),
    dict(type="RandomFlip", prob=0.5),
    dict(type="SparseLabels", pixels=128),
    dict(type="PackSegInputs"),
]
train_dataloader = dict(dataset=dict(dataset=dict(pipeline=train_pipeline)))

model = dict(
    backbone=dict(out_stages=["stem", "layer1", "layer2", "layer3", "layer4"]),
    decode_head=dict(
        _delete_=True,
        type="HypercolumnHead",
        in_index=[0, 1, 2, 3, 4],
        in_channels=[64, 64, 128, 256, 512],
        strides=[2, 4, 8, 8, 8],
        hidden=256,
        dropout_ratio=0.1,
        num_classes=21,
        init_cfg=dict(type="Normal", std=0.01, override=[dict(name="hidden"), dict(name="conv_seg")]),
        loss_decode=dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0, avg_non_ignore=True),
    ),
)

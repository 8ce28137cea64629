# PASCAL VOC 2012 scaled down to a laptop and a sample of the data.
# Any trunk, small crops, and the lists train and val that the devkit itself holds.
#
# Cost: 300 iterations of batch 8 at crop 160 with ResNet-18 at stride 8 take about 6 minutes on one CPU core.
# Not a protocol of any paper; results are marked "reduced" and never share a rank with a full protocol.
# The task fills in the data folder, the trunk and its weights; everything can be changed by --cfg-options KEY=VALUE.
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
_base_ = ["_base_/datasets/voc12_aug.py", "_base_/models/fcn_small.py"]

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
    dataset=dict(
        dataset=dict(
            _delete_=True,
            type="PascalVOCDataset",
            data_root=_base_.data_root,
            data_prefix=prefix,
            ann_file="ImageSets/Segmentation/train.txt",
            pipeline=train_pipeline,
        )
    ),
)
test_dataloader = dict(batch_size=1, num_workers=0, dataset=dict(pipeline=test_pipeline))

model = dict(data_preprocessor=dict(size=crop_size), decode_head=dict(num_classes=21))

optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="AdamW", lr=1e-3, weight_decay=1e-2))
param_scheduler = [dict(type="OneCycleLR", eta_max=1e-3, total_steps=iterations, by_epoch=False)]
train_cfg = dict(max_iters=iterations)
checkpoint_every = 50

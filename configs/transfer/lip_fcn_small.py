# LIP scaled down to a laptop and a sample of the data: any trunk, small crops.
#
# Cost: that of voc12_fcn_small: 300 iterations of batch 8 at crop 160 with ResNet-18 at stride 8.
# Not a protocol of any paper; results are marked "reduced" and never share a rank with a full protocol.
# Network, optimiser and schedule are those of voc12_fcn_small; left and right change places on mirrored pictures.
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
_base_ = ["voc12_fcn_small.py"]

data_root = "LIP"
prefix = dict(img_path="train_images", seg_map_path="train_segmentations")
crop_size = (160, 160)
scale = (176, 176)
# A mirrored left arm is a right arm.
sided = [(14, 15), (16, 17), (18, 19)]

train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations"),
    dict(type="RandomResize", scale=scale, ratio_range=(0.75, 1.25), keep_ratio=False),
    dict(type="RandomCrop", crop_size=crop_size, cat_max_ratio=0.75),
    dict(type="RandomFlip", prob=0.5, swap_seg_labels=sided),
    dict(type="PackSegInputs"),
]
# The label is loaded after the image is resized: predictions are scored at the size of the original image.
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=scale, keep_ratio=False),
    dict(type="LoadAnnotations"),
    dict(type="PackSegInputs", meta_keys=("img_path", "seg_map_path", "ori_shape", "img_shape", "pad_shape")),
]
train_dataloader = dict(
    dataset=dict(
        dataset=dict(
            _delete_=True,
            type="LIPDataset",
            data_root=data_root,
            data_prefix=prefix,
            ann_file="train_id.txt",
            pipeline=train_pipeline,
        ),
    ),
)
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="LIPDataset",
        data_root=data_root,
        data_prefix=dict(img_path="val_images", seg_map_path="val_segmentations"),
        ann_file="val_id.txt",
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
model = dict(decode_head=dict(num_classes=20))

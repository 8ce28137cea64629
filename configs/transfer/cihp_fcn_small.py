# CIHP scaled down to a laptop and a sample of the data: any trunk, small crops.
#
# Cost: that of voc12_fcn_small: 300 iterations of batch 8 at crop 160 with ResNet-18 at stride 8.
# Not a protocol of any paper; results are marked "reduced" and never share a rank with a full protocol.
# Network, optimiser and schedule are those of voc12_fcn_small; left and right change places on mirrored pictures.
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
_base_ = ["voc12_fcn_small.py"]

data_root = "CIHP"
prefix = dict(img_path="images", seg_map_path="labels")
crop_size = (160, 160)
scale = (1024, 192)
# A mirrored left arm is a right arm.
sided = [(14, 15), (16, 17), (18, 19)]
# LIP's, but for 10: torso skin takes the place of jumpsuits.
classes = [
    "Background", "Hat", "Hair", "Glove", "Sunglasses", "UpperClothes", "Dress", "Coat", "Socks", "Pants",
    "Torso-skin", "Scarf", "Skirt", "Face", "Left-arm", "Right-arm", "Left-leg", "Right-leg", "Left-shoe",
    "Right-shoe",
]  # fmt: skip

train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations"),
    dict(type="RandomResize", scale=scale, ratio_range=(0.75, 1.5), keep_ratio=True),
    dict(type="RandomCrop", crop_size=crop_size, cat_max_ratio=0.75),
    dict(type="RandomFlip", prob=0.5, swap_seg_labels=sided),
    dict(type="PackSegInputs"),
]
# The label is loaded after the image is resized: predictions are scored at the size of the original image.
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=scale, keep_ratio=True),
    dict(type="LoadAnnotations"),
    dict(type="PackSegInputs", meta_keys=("img_path", "seg_map_path", "ori_shape", "img_shape", "pad_shape")),
]
train_dataloader = dict(
    dataset=dict(
        dataset=dict(
            _delete_=True,
            type="BaseSegDataset",
            metainfo=dict(classes=classes),
            data_root=data_root,
            data_prefix=prefix,
            ann_file="list/train_id.txt",
            img_suffix=".jpg",
            seg_map_suffix=".png",
            pipeline=train_pipeline,
        ),
    ),
)
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="BaseSegDataset",
        metainfo=dict(classes=classes),
        data_root=data_root,
        data_prefix=prefix,
        ann_file="list/val_id.txt",
        img_suffix=".jpg",
        seg_map_suffix=".png",
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
model = dict(decode_head=dict(num_classes=20))

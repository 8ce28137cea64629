# CIHP, several persons a picture: FCN-d8 with a plain ResNet-50.
# The network, schedule and augmentation are those of voc12_fcn_r50_mmseg at crop 473, with left and right changing
# places when a picture is mirrored. Whole scenes keep their proportions, as VOC's do.
#
# Cost: 20,000 iterations of batch 16 at crop 473: some hours on one large GPU; impractical on a CPU.
# Ours, not CMP's: the CMP paper says nothing of its schedule on "LIP, multiple persons", which probably is CIHP.
# What is known and what is not: benchmarks/ssl_motion_benchmarks/lip/protocol.md.
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
_base_ = ["voc12_fcn_r50_mmseg.py"]

data_root = "CIHP"
crop_size = (473, 473)
scale = (2048, 473)
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
    dict(type="RandomResize", scale=scale, ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type="RandomCrop", crop_size=crop_size, cat_max_ratio=0.75),
    dict(type="RandomFlip", prob=0.5, swap_seg_labels=sided),
    dict(type="PhotoMetricDistortion"),
    dict(type="Pad", size=crop_size),
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
            data_prefix=dict(img_path="images", seg_map_path="labels"),
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
        data_prefix=dict(img_path="images", seg_map_path="labels"),
        ann_file="list/val_id.txt",
        img_suffix=".jpg",
        seg_map_suffix=".png",
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
model = dict(
    data_preprocessor=dict(size=crop_size),
    decode_head=dict(num_classes=20),
    auxiliary_head=dict(num_classes=20),
)

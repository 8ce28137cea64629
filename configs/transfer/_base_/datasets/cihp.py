# CIHP, several persons a picture: lists, sampling and figures. A recipe adds its pipelines, batch and iterations.
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
default_scope = "mmseg"
custom_imports = dict(imports=["ssl_motion.openmmlab.registered"], allow_failed_imports=False)

data_root = "CIHP"
# A mirrored left arm is a right arm.
sided = [(14, 15), (16, 17), (18, 19)]
# LIP's, but for 10: torso skin takes the place of jumpsuits.
classes = [
    "Background", "Hat", "Hair", "Glove", "Sunglasses", "UpperClothes", "Dress", "Coat", "Socks", "Pants",
    "Torso-skin", "Scarf", "Skirt", "Face", "Left-arm", "Right-arm", "Left-leg", "Right-leg", "Left-shoe",
    "Right-shoe",
]  # fmt: skip
train_dataloader = dict(
    sampler=dict(type="DrawSampler", seed=0),
    dataset=dict(
        type="SeededDataset",
        seed=0,
        dataset=dict(
            type="BaseSegDataset",
            metainfo=dict(classes=classes),
            data_root=data_root,
            data_prefix=dict(img_path="images", seg_map_path="labels"),
            ann_file="list/train_id.txt",
            img_suffix=".jpg",
            seg_map_suffix=".png",
        ),
    ),
)
test_dataloader = dict(
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="BaseSegDataset",
        metainfo=dict(classes=classes),
        data_root=data_root,
        data_prefix=dict(img_path="images", seg_map_path="labels"),
        ann_file="list/val_id.txt",
        img_suffix=".jpg",
        seg_map_suffix=".png",
        test_mode=True,
    ),
)
test_evaluator = dict(type="PerImageConfusionMetric", path="per_image.npz")
test_cfg = dict(type="TestLoop")
train_cfg = dict(type="ResumableTrainLoop", val_interval=10**9)

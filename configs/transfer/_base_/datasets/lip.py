# LIP, one person a picture: lists, sampling and figures. A recipe adds its pipelines, batch and iterations.
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
default_scope = "mmseg"
custom_imports = dict(imports=["ssl_motion.openmmlab.registered"], allow_failed_imports=False)

data_root = "LIP"
# A mirrored left arm is a right arm.
sided = [(14, 15), (16, 17), (18, 19)]
train_dataloader = dict(
    sampler=dict(type="DrawSampler", seed=0),
    dataset=dict(
        type="SeededDataset",
        seed=0,
        dataset=dict(
            type="LIPDataset",
            data_root=data_root,
            data_prefix=dict(img_path="train_images", seg_map_path="train_segmentations"),
            ann_file="train_id.txt",
        ),
    ),
)
test_dataloader = dict(
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="LIPDataset",
        data_root=data_root,
        data_prefix=dict(img_path="val_images", seg_map_path="val_segmentations"),
        ann_file="val_id.txt",
        test_mode=True,
    ),
)
test_evaluator = dict(type="PerImageConfusionMetric", path="per_image.npz")
test_cfg = dict(type="TestLoop")
train_cfg = dict(type="ResumableTrainLoop", val_interval=10**9)

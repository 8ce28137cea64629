# The built-in world in VOC's layout: lists, sampling and figures. A recipe adds its pipelines, batch and iterations.
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
default_scope = "mmseg"
custom_imports = dict(imports=["ssl_motion.openmmlab.registered"], allow_failed_imports=False)

data_root = "VOCdevkit/VOC2012"
prefix = dict(img_path="JPEGImages", seg_map_path="SegmentationClass")
classes = ["background"]  # the task fills in the world's classes and colours
train_dataloader = dict(
    sampler=dict(type="DrawSampler", seed=0),
    dataset=dict(
        type="SeededDataset",
        seed=0,
        dataset=dict(
            type="BaseSegDataset",
            data_root=data_root,
            data_prefix=prefix,
            ann_file="ImageSets/Segmentation/train.txt",
            img_suffix=".jpg",
            seg_map_suffix=".png",
        ),
    ),
)
test_dataloader = dict(
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="BaseSegDataset",
        data_root=data_root,
        data_prefix=prefix,
        ann_file="ImageSets/Segmentation/test.txt",
        img_suffix=".jpg",
        seg_map_suffix=".png",
        test_mode=True,
    ),
)
test_evaluator = dict(type="PerImageConfusionMetric", path="per_image.npz")
test_cfg = dict(type="TestLoop")
train_cfg = dict(type="ResumableTrainLoop", val_interval=10**9)

# PASCAL VOC 2012 with SBD's labels (train_aug), segmentation: lists, sampling and figures.
# A recipe adds its pipelines, batch and iterations. MMEngine replaces lists whole; so a recipe rebuilds `datasets` with
# its pipeline in each of the two.
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
default_scope = "mmseg"
custom_imports = dict(imports=["ssl_motion.openmmlab.registered"], allow_failed_imports=False)

data_root = "VOCdevkit/VOC2012"
train_dataloader = dict(
    sampler=dict(type="DrawSampler", seed=0),
    dataset=dict(
        type="SeededDataset",
        seed=0,
        dataset=dict(
            type="ConcatDataset",
            datasets=[
                dict(
                    type="PascalVOCDataset",
                    data_root=data_root,
                    data_prefix=dict(img_path="JPEGImages", seg_map_path="SegmentationClass"),
                    ann_file="ImageSets/Segmentation/train.txt",
                ),
                dict(
                    type="PascalVOCDataset",
                    data_root=data_root,
                    data_prefix=dict(img_path="JPEGImages", seg_map_path="SegmentationClassAug"),
                    ann_file="ImageSets/Segmentation/aug.txt",
                ),
            ],
        ),
    ),
)
test_dataloader = dict(
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="PascalVOCDataset",
        data_root=data_root,
        data_prefix=dict(img_path="JPEGImages", seg_map_path="SegmentationClass"),
        ann_file="ImageSets/Segmentation/val.txt",
        test_mode=True,
    ),
)
test_evaluator = dict(type="PerImageConfusionMetric", path="per_image.npz")
test_cfg = dict(type="TestLoop")
train_cfg = dict(type="ResumableTrainLoop", val_interval=10**9)

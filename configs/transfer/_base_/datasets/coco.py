# COCO 2017, boxes and masks: lists, sampling and figures. A recipe adds its pipelines, batch and iterations.
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
default_scope = "mmdet"
custom_imports = dict(imports=["ssl_motion.openmmlab.registered_mmdet"], allow_failed_imports=False)

data_root = "coco"
train_dataloader = dict(
    sampler=dict(type="DrawSampler", seed=0),
    dataset=dict(
        type="SeededDataset",
        seed=0,
        dataset=dict(
            type="CocoDataset",
            data_root=data_root,
            ann_file="annotations/instances_train2017.json",
            data_prefix=dict(img="train2017"),
            filter_cfg=dict(filter_empty_gt=True, min_size=32),
        ),
    ),
)
test_dataloader = dict(
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="CocoDataset",
        data_root=data_root,
        ann_file="annotations/instances_val2017.json",
        data_prefix=dict(img="val2017"),
        test_mode=True,
    ),
)
test_evaluator = dict(type="InstanceAPMetric", ann_file="annotations/instances_val2017.json", path="per_image.npz")
test_cfg = dict(type="TestLoop")
train_cfg = dict(type="ResumableTrainLoop", val_interval=10**9)

# PASCAL VOC 2007, boxes: lists, sampling and figures. A recipe adds its pipelines, batch and iterations.
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
default_scope = "mmdet"
custom_imports = dict(imports=["ssl_motion.openmmlab.registered_mmdet"], allow_failed_imports=False)

data_root = "VOCdevkit/VOC2007"
train_dataloader = dict(
    sampler=dict(type="DrawSampler", seed=0),
    dataset=dict(
        type="SeededDataset",
        seed=0,
        dataset=dict(
            type="Voc07Objects",
            data_root=data_root,
            split="trainval",
            filter_cfg=dict(filter_empty_gt=True),
        ),
    ),
)
test_dataloader = dict(
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(type="Voc07Objects", data_root=data_root, split="test", test_mode=True),
)
test_evaluator = dict(type="Voc07APMetric", data_root=data_root, path="per_image.npz")
test_cfg = dict(type="TestLoop")
train_cfg = dict(type="ResumableTrainLoop", val_interval=10**9)

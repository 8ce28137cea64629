# Human parsing in the built-in world, scenes of one to three persons: 20 parts, 300 iterations of batch 16 at 144x144.
#
# Cost: 88 s of processor time on one core. A random start came to mIoU 12.0 (seed 0).
# Not a protocol of any paper. It ranks methods inside one world only.
# Scenes are enlarged, since parts are a few pixels wide and the trunk's stride is 8; predictions are scored at 96x96.
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
_base_ = ["_base_/datasets/lip.py", "_base_/models/fcn_puppets.py"]

# The built-in persons wear LIP's clothes in both layouts, so the classes are LIP's; LIPDataset brings them.
classes = []
data_root = "CIHP"
prefix = dict(img_path="images", seg_map_path="labels")
size = (144, 144)
iterations = 300

train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations"),
    dict(type="Resize", scale=size, keep_ratio=False),
    dict(type="RandomFlip", prob=0.5, swap_seg_labels=_base_.sided),
    dict(type="RandomShift", pixels=12),
    dict(type="PackSegInputs"),
]
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=size, keep_ratio=False),
    dict(type="LoadAnnotations"),
    dict(type="PackSegInputs", meta_keys=("img_path", "seg_map_path", "ori_shape", "img_shape", "pad_shape")),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    dataset=dict(
        dataset=dict(
            data_root=data_root,
            data_prefix=prefix,
            ann_file="list/train_id.txt",
            pipeline=train_pipeline,
        )
    ),
)
test_dataloader = dict(
    batch_size=20,
    num_workers=0,
    dataset=dict(
        data_root=data_root,
        data_prefix=prefix,
        ann_file="list/test_id.txt",
        pipeline=test_pipeline,
    ),
)

model = dict(decode_head=dict(num_classes=20))

optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="AdamW", lr=3e-3, weight_decay=1e-2))
param_scheduler = [dict(type="OneCycleLR", eta_max=3e-3, total_steps=iterations, by_epoch=False)]
train_cfg = dict(max_iters=iterations)
checkpoint_every = 150

# PASCAL VOC 2012 + SBD: FCN-d8 with a plain ResNet-50, as mmsegmentation and mmselfsup run it.
# This is mmsegmentation's fcn_r50-d8_4xb4-20k_voc12aug-512x512 with two mends: the stem is the plain 7x7 one
# (type "ResNet", not "ResNetV1c", so that no stem stays random), and nothing is downloaded (no `pretrained`).
#
# Cost: 20,000 iterations of batch 16 at crop 512: some hours on one large GPU; impractical on a CPU.
# Published with this schedule (mmselfsup model zoo, mIoU; stem not stated): BYOL 67.2, DenseCL 69.5, MoCo v2 67.6,
# rotation 64.3, relative location 63.5. CMP paper (recipe unstated): random 42.4, ImageNet 69.0, CMP 59.0.
# The batch of 16 is 4 GPUs x 4 there: `torchrun` divides the total; batch statistics are then shared (sync_bn).
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
_base_ = ["_base_/datasets/voc12_aug.py", "_base_/models/fcn_r50_d8.py"]

crop_size = (512, 512)
iterations = 20000

train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations"),
    dict(type="RandomResize", scale=(2048, 512), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type="RandomCrop", crop_size=crop_size, cat_max_ratio=0.75),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PhotoMetricDistortion"),
    dict(type="Pad", size=crop_size),
    dict(type="PackSegInputs"),
]
# The label is loaded after the image is resized: predictions are scored at the size of the original image.
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=(2048, 512), keep_ratio=True),
    dict(type="LoadAnnotations"),
    dict(type="PackSegInputs", meta_keys=("img_path", "seg_map_path", "ori_shape", "img_shape", "pad_shape")),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    dataset=dict(
        dataset=dict(
            datasets=[dict(part, pipeline=train_pipeline) for part in _base_.train_dataloader.dataset.dataset.datasets]
        )
    ),
)
test_dataloader = dict(batch_size=1, num_workers=4, persistent_workers=True, dataset=dict(pipeline=test_pipeline))

model = dict(
    data_preprocessor=dict(size=crop_size), decode_head=dict(num_classes=21), auxiliary_head=dict(num_classes=21)
)

optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=0.01, momentum=0.9, weight_decay=0.0005))
param_scheduler = [dict(type="PolyLR", eta_min=1e-4, power=0.9, begin=0, end=iterations, by_epoch=False)]
train_cfg = dict(max_iters=iterations)
checkpoint_every = 1000

# PASCAL VOC 2007, multi-label classification by fine-tuning: P. Krähenbühl's voc-classification.
#
# Cost: 80,000 iterations of batch 16 at crop 227: hours on one GPU; impractical on a CPU.
# What is known and what is not: benchmarks/ssl_motion_benchmarks/voc07_cls/protocol.md.
# Native MMEngine: every key can be changed by `ssl-bench transfer --cfg-options KEY=VALUE`; the task fills in the data
# folder, the classes, the trunk and its weights.
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
default_scope = "mmengine"

data_root = "VOCdevkit/VOC2007"
classes = ["aeroplane"]  # the task fills in all
crop_size = (227, 227)
iterations = 80000

crops = dict(
    type="Voc07Crops", data_root=data_root, classes=classes, crop_size=crop_size, scale=(0.5, 2.0), mirror=True
)
train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="DrawSampler", seed=0),
    dataset=dict(**crops, split="trainval", seed=0),
)
# Ten random crops an image, drawn as in training, whose scores are averaged.
test_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(**crops, split="test", crops=10),
)
test_evaluator = dict(type="MultiLabelAPMetric", path="per_image.npz", rule="step")
test_cfg = dict(type="TestLoop")

sync_bn = "torch"
model = dict(
    type="MultiLabelClassifier",
    data_preprocessor=dict(type="CropPreprocessor", mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    backbone=dict(type="SSLMotionBackbone", spec=dict(arch="alexnet_32x"), out_stages=["fc7"], weights=None),
    head=dict(type="AverageThenLinear", in_channels=4096, num_classes=1),
)

# The gradient of all parameters together is cut to a norm of 10; biases learn twice as fast.
optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="SGD", lr=1e-3, momentum=0.9, weight_decay=1e-6),
    paramwise_cfg=dict(bias_lr_mult=2.0),
    clip_grad=dict(max_norm=10),
)
param_scheduler = [dict(type="StepLR", step_size=10000, gamma=0.5, by_epoch=False)]
train_cfg = dict(type="ResumableTrainLoop", max_iters=iterations, val_interval=10**9)
checkpoint_every = 1000

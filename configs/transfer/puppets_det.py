# Boxes of the built-in world's actors: a small Faster R-CNN, 300 iterations of batch 8 on images of 96x96.
#
# Cost: about a minute and a half on one CPU core. Not a protocol of any paper. It ranks methods inside one world only.
# It is puppets_coco without masks.
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
_base_ = ["puppets_coco.py"]

data_root = "VOCdevkit/VOC2007"
train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations", with_bbox=True),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackDetInputs"),
]
train_dataloader = dict(
    dataset=dict(
        dataset=dict(
            _delete_=True,
            type="Voc07Objects",
            data_root=data_root,
            split="trainval",
            filter_cfg=dict(filter_empty_gt=True),
            pipeline=train_pipeline,
        )
    )
)
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="Voc07Objects",
        data_root=data_root,
        split="test",
        pipeline={{_base_.test_pipeline}},
        test_mode=True,
    )
)
test_evaluator = dict(_delete_=True, type="Voc07APMetric", data_root=data_root, path="per_image.npz")

model = dict(
    type="FasterRCNN",
    data_preprocessor=dict(pad_mask=False),
    roi_head=dict(mask_roi_extractor=None, mask_head=None),
)

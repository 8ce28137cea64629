# PASCAL VOC 2012 + SBD: FCN-d8 with a plain ResNet-18, data and schedule of voc12_fcn_r50_mmseg.
# mmsegmentation has no VOC recipe for this trunk; the heads are those of its fcn_r18-d8_4xb2-80k_cityscapes-512x1024.
#
# Cost: 20,000 iterations of batch 16 at crop 512: some hours on one GPU; impractical on a CPU.
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
_base_ = ["voc12_fcn_r50_mmseg.py"]

model = dict(
    backbone=dict(depth=18),
    decode_head=dict(in_channels=512, channels=128),
    auxiliary_head=dict(in_channels=256, channels=64),
)

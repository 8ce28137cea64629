# PASCAL VOC 2012 + SBD: FCN-d8 with a plain ResNet-101, as voc12_fcn_r50_mmseg.
# This is mmsegmentation's fcn_r101-d8_4xb4-20k_voc12aug-512x512 with the same two mends.
#
# Cost: 20,000 iterations of batch 16 at crop 512: longer than with ResNet-50; impractical on a CPU.
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
_base_ = ["voc12_fcn_r50_mmseg.py"]

model = dict(backbone=dict(depth=101))

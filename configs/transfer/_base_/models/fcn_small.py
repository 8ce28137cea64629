# FCN with one convolution on any trunk at stride 8, for a laptop. A recipe adds the crop and the number of classes.
# ruff: noqa: C408 - dict() is how OpenMMLab writes recipes
model = dict(
    type="EncoderDecoder",
    data_preprocessor=dict(
        type="SegDataPreProcessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
    ),
    backbone=dict(
        type="SSLMotionBackbone",
        spec=dict(arch="resnet18", output_stride=8),
        out_stages=["layer4"],
        weights=None,
    ),
    decode_head=dict(
        type="FCNHead",
        in_channels=512,
        in_index=0,
        channels=128,
        num_convs=1,
        concat_input=False,
        dropout_ratio=0.1,
        norm_cfg=dict(type="BN", requires_grad=True),
        align_corners=False,
        loss_decode=dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0, avg_non_ignore=True),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode="whole"),
)

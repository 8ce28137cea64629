"""Settings of mask prediction. What the sources leave open is a choice of this project; README.md lists which."""

from typing import Annotated, Literal

from pydantic import Field

from ssl_motion.spec import Strict


class PathakConfig(Strict):
    """Settings of Pathak et al.'s mask prediction.

    Attributes:
        head: "deepmask": a 1x1 convolution and a linear map of the whole feature map, in two factors; its weights
            belong to one image size. "conv": 1x1 convolutions at the trunk's stride, resized bilinearly. "auto":
            "deepmask" for AlexNets, "conv" for all other trunks.
        image_size: side of the square images that the network sees, in pixels; with `object_crops` crops are resized
            to it. None keeps the size that the data have, which "deepmask" does not allow.
        mask_size: side of the predicted mask in cells.
        channels: of the head's first 1x1 convolution.
        rank: values between the two factors of the linear map.
        object_crops: look at the surroundings of the largest object; else at the whole image.
        context: side of such a crop over the longer side of the object's box.
        scale_jitter: in training the crop's side is multiplied by 2^x, x uniform within +- this.
        shift_jitter: in training the crop is shifted along each axis by up to this share of its side.
    """

    head: Literal["auto", "deepmask", "conv"] = "auto"
    image_size: Annotated[int, Field(ge=16)] | None = None
    mask_size: Annotated[int, Field(ge=4)] = 56
    channels: Annotated[int, Field(ge=1)] = 128
    rank: Annotated[int, Field(ge=1)] = 512
    object_crops: bool = True
    context: Annotated[float, Field(ge=1)] = 1.75
    scale_jitter: Annotated[float, Field(ge=0, le=2)] = 0.25
    shift_jitter: Annotated[float, Field(ge=0, lt=0.5)] = 1 / 14

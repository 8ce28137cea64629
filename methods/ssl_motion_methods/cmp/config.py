"""Settings of CMP. The defaults are those of the authors' AlexNet experiments."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from ssl_motion.spec import Strict
from ssl_motion_methods.cmp.guidance import GuidanceConfig


class CMPNetworkConfig(Strict):
    """Settings of everything but the guidance: what network, what classes, what start.

    Attributes:
        bins: classes per axis, odd, so that zero motion is the centre of one (authors: 99; the paper gives no number).
        boundary: flow beyond +-boundary pixels counts as the outermost class (authors: 50).
        guidance_channels: 4 (u, v, mask, mask) as in the authors' code and weights, or 3 (u, v, mask) as in the paper.
        image_channels: channels of the image feature, after the additional 1x1 convolution.
        motion_channels: channels of the motion feature.
        decoder: "plain" for learning features; "skip" for sharp flow (needs stages of stride 2 and 4).
        strides: pooling strides of the propagation networks, ascending. The authors use 1, 2, 4 with the plain decoder
            and always 1, 2, 4, 8 with the skip decoder.
        decoder_width: channels of the propagation networks.
        initialisation: "original" draws all parameters, the trunk's included, as their code does; "original_head"
            leaves the trunk as it was handed in; "default" does too, and gives the rest torch's own initialisation.
    """

    bins: Annotated[int, Field(ge=3)] = 99
    boundary: Annotated[float, Field(gt=0.01)] = 50.0
    guidance_channels: Literal[3, 4] = 4
    image_channels: Annotated[int, Field(ge=1)] = 256
    motion_channels: Annotated[int, Field(ge=1)] = 16
    decoder: Literal["plain", "skip"] = "plain"
    strides: Annotated[tuple[Literal[1, 2, 4, 8], ...], Field(min_length=1)] = (1, 2, 4)
    decoder_width: Annotated[int, Field(ge=4, multiple_of=4)] = 128
    initialisation: Literal["original", "original_head", "default"] = "original"

    @field_validator("bins")
    @classmethod
    def _odd(cls, bins: int) -> int:
        if bins % 2 == 0:
            raise ValueError(f"must be odd, so that zero motion is the centre of a bin; try {bins + 1}")
        return bins

    @field_validator("strides")
    @classmethod
    def _ascending(cls, strides: tuple[int, ...]) -> tuple[int, ...]:
        if list(strides) != sorted(set(strides)):
            raise ValueError("must be ascending and without repeats, such as [1, 2, 4]")
        return strides


class CMPConfig(CMPNetworkConfig):
    """Settings of conditional motion propagation: those of `CMPNetworkConfig`, and the guidance.

    Attributes:
        guidance: how the sparse guidance is sampled from a flow.
    """

    guidance: GuidanceConfig = GuidanceConfig()

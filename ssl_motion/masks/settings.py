"""What masks are made with."""

from typing import Annotated

from pydantic import Field, model_validator

from ssl_motion.flow.background import BackgroundModel
from ssl_motion.spec import Strict

_Share = Annotated[float, Field(ge=0, le=1)]


class MaskSettings(Strict):
    """How masks are made and which are kept.

    The two vote thresholds are those of the authors' released code. The three on foreground and border are said of
    the paper from memory and could not be verified; the two on the background are this project's.

    Attributes:
        background: what the camera may do (`ssl_motion.flow.background`), or "translate" for uNLC's own rule: nothing
            but a static or panning camera, told by the directions of the flow (`ssl_motion.masks.saliency`).
        foreground_vote: a pixel is foreground from this vote on.
        background_vote: a pixel is background up to this vote; between the two, it is ignored.
        min_foreground: a mask with a smaller share of foreground is dropped.
        max_foreground: and with a larger one.
        border: width of a band along the image's border, as a share of the shorter side.
        max_border: a mask is dropped when a larger share of that band is foreground.
        min_inliers: a mask is dropped when the background motion explains a smaller share of the valid pixels.
        max_scale: a mask is dropped when the residuals at the border spread further, as a share of the longer side.
        cells: regions start from so many cells along the longer side.
    """

    background: BackgroundModel = "quadratic"
    foreground_vote: _Share = 0.7
    background_vote: _Share = 0.4
    min_foreground: _Share = 0.1
    max_foreground: _Share = 0.8
    border: Annotated[float, Field(gt=0, le=0.5)] = 0.05
    max_border: _Share = 0.1
    min_inliers: _Share = 0.5
    max_scale: Annotated[float, Field(gt=0)] = 0.01
    cells: Annotated[int, Field(ge=4, le=64)] = 16

    @model_validator(mode="after")
    def _thresholds_are_in_order(self) -> "MaskSettings":
        if self.background_vote >= self.foreground_vote:
            raise ValueError("background_vote must be below foreground_vote: no pixel is both")
        if self.min_foreground > self.max_foreground:
            raise ValueError("min_foreground must not exceed max_foreground: no mask would be kept")
        return self

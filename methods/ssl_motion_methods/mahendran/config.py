"""Settings of Mahendran, Thewlis and Vedaldi's method, and of its direct-prediction baseline."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from ssl_motion.spec import Strict


class HypercolumnConfig(Strict):
    """What both methods share: points, hypercolumns and flow.

    Attributes:
        points: random pixels of each image that the loss looks at (paper: 512).
        stages: stages that a hypercolumn is put together from, the deepest among them; None takes the paper's where the
            trunk has them (`stages.resolve_stages`).
        hidden: width of the hidden layer (our choice: the paper gives it in a supplement that we do not have).
        saturation: pixels of motion per axis that are normalised to 1, and beyond which all motion is alike. The paper
            has 56, a quarter of its 224-pixel crops; scale it with the size of the images.
        batch_norm: "affine_free" fixes the trunk's batch norms at scale 1 and shift 0, as in the paper; "as_given"
            trains them.
        absorb_batch_norm: hand the trunk over without batch norms, absorbed into its convolutions, as in the paper
            (AlexNets only).
    """

    points: Annotated[int, Field(ge=2)] = 512
    stages: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    hidden: Annotated[int, Field(ge=1)] = 256
    saturation: Annotated[float, Field(gt=0)] = 56.0
    batch_norm: Literal["as_given", "affine_free"] = "as_given"
    absorb_batch_norm: bool = False

    @field_validator("stages")
    @classmethod
    def _no_repeats(cls, stages: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if stages is not None and len(set(stages)) < len(stages):
            raise ValueError("must be without repeats, such as [conv1, pool1, conv3, conv5]")
        return stages


class MahendranConfig(HypercolumnConfig):
    """Settings of cross-pixel flow similarity.

    Attributes:
        dimensions: of the embedding (paper: 16).
        sigma: initial width of the flow kernel, in units of normalised flow (our choice; the paper's ended at 0.06).
        sigma_range: bounds that the learned width is kept in (our choice).
    """

    dimensions: Annotated[int, Field(ge=2)] = 16
    sigma: Annotated[float, Field(gt=0)] = 0.08
    sigma_range: tuple[Annotated[float, Field(gt=0)], float] = (0.01, 1.0)

    @field_validator("sigma_range")
    @classmethod
    def _ascending(cls, bounds: tuple[float, float]) -> tuple[float, float]:
        if not bounds[0] < bounds[1]:
            raise ValueError("must be (smallest, largest), such as [0.01, 1.0]")
        return bounds


class MahendranDirectConfig(HypercolumnConfig):
    """Settings of direct flow prediction.

    Attributes:
        bins: equal classes per axis over normalised flow from -1 to 1 (paper: 16).
    """

    bins: Annotated[int, Field(ge=2)] = 16

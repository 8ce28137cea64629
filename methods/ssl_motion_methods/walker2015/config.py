"""Settings of Walker, Gupta and Hebert's method. The defaults are the authors' where their code gives them."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from ssl_motion.errors import UsageError
from ssl_motion.flow.codebook import Clusters, Codebook, FrameSide, load_codebook
from ssl_motion.spec import Strict


def _read(value: Any) -> Any:
    """Put a codebook's content in the place of its file's name, so that a run's identity depends on the content."""
    return load_codebook(Path(value)) if isinstance(value, str) else value


class Walker2015Config(Strict):
    """Settings of dense flow prediction with a codebook.

    Attributes:
        codebook: of the training data: a file of `ssl-bench codebook`, or its content; None fits one when a run starts.
        clusters: number of flow vectors in it (authors: 40).
        frame_side: shorter side, in pixels, of the frames whose flow it describes (authors: 195, of 195x260).
        head: "fc": fully connected, on a fixed grid, as the authors'; "conv": a convolution on the trunk's own grid;
            "auto": "fc" for AlexNets that have fc6, "conv" for all other trunks.
        stage: the trunk's stage that the head stands on; None takes conv5 of AlexNets for "fc", else the deepest.
        grid: cells per side that the head "fc" predicts (authors: 20).
        hidden: channels of the two hidden layers of the head "fc" (authors: 4096).
        kernel: side of the convolution of the head "conv".
        crop: side of a square that is looked at: with probability 1/2 the whole image squeezed to it, else a random
            crop (authors: 200). None looks at what augmentation leaves, as `data.crop` says.
    """

    codebook: Annotated[Codebook | None, BeforeValidator(_read)] = None
    clusters: Clusters = 40
    frame_side: FrameSide = 195
    head: Literal["auto", "fc", "conv"] = "auto"
    stage: str | None = None
    grid: Annotated[int, Field(ge=1)] = 20
    hidden: Annotated[int, Field(ge=1)] = 4096
    kernel: Literal[1, 3] = 1
    crop: Annotated[int, Field(ge=16)] | None = None

    @model_validator(mode="after")
    def _codebook_is_as_it_says(self) -> "Walker2015Config":
        if self.codebook is not None:
            for name in ("clusters", "frame_side"):
                asked, given = getattr(self, name), getattr(self.codebook.settings, name)
                if asked != given:
                    raise UsageError(
                        f"method_config.{name} is {asked}, but the codebook was fitted with {given}: set it to {given}"
                    )
        return self

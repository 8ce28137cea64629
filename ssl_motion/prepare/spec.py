"""Settings of data preparation: everything, beside the input's content, that determines a data set's bytes."""

from typing import Annotated, Any, Literal

from pydantic import Field

from ssl_motion.spec import Strict
from ssl_motion.video.pairs import PairRule
from ssl_motion.video.rules import StillRule


class ShardSpec(Strict):
    """What videos and imported flow have in common.

    Attributes:
        short_side: images are shrunk so that the shorter side has so many pixels; smaller ones, and all where it
            is None, keep their size. Flow is in pixels of the stored image.
        still: what counts as a pair without motion; such pairs are left out.
        val_fraction: share of the clips that becomes the val split, by a hash of the clip's name. With two clips or
            more and a fraction above 0, each split gets at least one.
        pairs_per_shard: at most so many planned pairs in a shard; rejected pairs make it smaller.
        jpeg_quality: of the stored images.
    """

    short_side: Annotated[int, Field(ge=16)] | None = 416
    still: StillRule = StillRule()
    val_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.05
    pairs_per_shard: Annotated[int, Field(ge=1, le=100_000)] = 256
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] = 95


class PrepareSpec(ShardSpec):
    """How videos become pairs.

    Which videos is not part of it: paths do not matter, the clips' names and content do, and they are hashed
    into the data set's identity.

    Attributes:
        pairs: which frames are paired.
        flow: name of a flow estimator; it works on the resized frames.
        flow_options: arguments of its constructor.
    """

    pairs: PairRule = PairRule()
    flow: str = "dis"
    flow_options: dict[str, Any] = {}


class ImportSpec(ShardSpec):
    """How existing flow files become pairs.

    Attributes:
        clip: what a clip is (splits are by clip): "folder" takes the images' folder, for frames of videos;
            "file" takes each image for itself, for collections of unrelated pairs.
        flow_name: what measured the flow, for records ("liteflownet", "ground truth", ...).
        flow_supervision: what that was learned from ("none", "synthetic labels", ...).
    """

    clip: Literal["folder", "file"] = "folder"
    flow_name: str = "imported"
    flow_supervision: str = "unknown"

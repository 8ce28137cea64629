"""Whether a method, a trunk and the images fit together: found at planning where possible, else said clearly.

Planning comes before the built-in world is rendered, so that a mistake costs seconds.
"""

import re
from collections.abc import Mapping

import torch
from pydantic import BaseModel
from torch import Tensor

from ssl_motion.backbones import build_backbone
from ssl_motion.errors import SSLMotionError, UsageError
from ssl_motion.protocols import Backbone, PretrainMethod
from ssl_motion.spec import DataSpec, PretrainSpec

_ONE_VALUE = re.compile(r"Expected more than 1 value per channel when training, got input size torch\.Size\((\[.*\])\)")


def check_compatible(method: type[PretrainMethod], config: BaseModel, spec: PretrainSpec) -> None:
    """Try trunk, images and method together without memory: tensors of torch's device "meta" have shapes alone.

    Raises:
        UsageError: The trunk does not exist, images are smaller than its stride, or it is not one for the method.
    """
    with torch.device("meta"):
        backbone = build_backbone(spec.backbone)
        side = _known_side(spec.data)
        if side is not None:
            check_image_size(backbone, side, side)
        if method.fit.__func__ is not PretrainMethod.fit.__func__:  # type: ignore[attr-defined]  # classmethods have it
            return  # its settings need not be complete before the data are there
        try:
            method(config, backbone)
        except SSLMotionError:
            raise
        except Exception:
            # Such as an initialisation that reads values, which "meta" has not. When it is built for training the same
            # happens again, or does not.
            return


def _known_side(data: DataSpec) -> int | None:
    """Shorter side of the images in pixels before `PretrainMethod.view`, where the spec alone decides it."""
    if data.crop is not None:
        return data.crop
    return data.short_side or (data.puppets.size if data.puppets is not None else None)


def check_image_size(backbone: Backbone, height: int, width: int) -> None:
    """Check that images have at least one whole cell of the deepest stage.

    Raises:
        UsageError: They have not.
    """
    stride = backbone.strides[backbone.last_stage]
    if min(height, width) < stride:
        raise UsageError(
            f"images of {height}x{width} pixels are smaller than the stride {stride} of {backbone.arch}'s last stage "
            f"({backbone.last_stage}): nothing of them is left there. Use larger images (data.crop, data.short_side, "
            "data.puppets.size) or a trunk of smaller stride (backbone.arch, backbone.output_stride)."
        )


def single_value_error(error: ValueError, batch: Mapping[str, Tensor]) -> UsageError | None:
    """Say what torch's complaint about a batch norm that sees one value a channel means; None for other errors."""
    found = _ONE_VALUE.search(str(error))
    if found is None:
        return None
    count, _, height, width = batch["image"].shape
    return UsageError(
        f"batch norm cannot be trained on one value a channel: a batch of {count} image(s) of {height}x{width} pixels "
        f"is {found.group(1)} (batch, channels, ...) inside the network. Use a batch_size of 2 or more, larger images, "
        "or a trunk of smaller stride. accumulate does not help: each of its passes is a batch of its own."
    )

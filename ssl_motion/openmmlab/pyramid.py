"""Putting one of our trunks below a feature pyramid (FPN), whatever its stages and strides.

A recipe's pyramid is written for ResNets: levels at strides 4, 8, 16 and 32, and one more at 64. Another trunk has
other strides; levels, anchors and the assignment of regions to levels follow from them.
"""

from typing import Any

from ssl_motion.backbones import outline_backbone
from ssl_motion.errors import UsageError
from ssl_motion.openmmlab.recipes import Recipe, nodes
from ssl_motion.spec import BackboneSpec

FINEST_STRIDE = 4
"""Stride below which no level is read: that of the finest level of Lin et al. (2017)."""

_FINEST_SCALE = 56
"""mmdet's default: regions of less than twice so many pixels a side go to the finest level."""


def pyramid_stages(spec: BackboneSpec) -> dict[str, tuple[int, int]]:
    """Choose the stages that the pyramid reads: the last one at each stride of at least 4.

    Returns:
        Stage -> (stride, channels), finest first.
    """
    trunk = outline_backbone(spec)
    last = {stride: stage for stage, stride in trunk.strides.items() if stride >= FINEST_STRIDE}
    return {stage: (stride, trunk.channels[stage]) for stride, stage in sorted(last.items())}


def set_pyramid(recipe: Recipe, spec: BackboneSpec) -> None:
    """Put one of our trunks into a recipe with an FPN; its policies on freezing and batch norms stay.

    The pyramid reads the trunk's stages at every stride from 4 on and goes on by pooling up to the recipe's coarsest
    stride. Anchors have the recipe's sizes relative to their level, and regions go to the level of their size.

    Raises:
        UsageError: The recipe keeps a stage as it starts that the trunk does not have.
    """
    model = recipe["model"]
    stages = pyramid_stages(spec)
    backbone: dict[str, Any] = {
        "type": "SSLMotionBackbone",
        "spec": spec.model_dump(exclude_none=True),
        "out_stages": list(stages),
        "weights": None,
    }
    for policy in ("frozen", "norm_eval"):
        if model["backbone"].get(policy):
            backbone[policy] = model["backbone"][policy]
    frozen = backbone.get("frozen")
    known = list(outline_backbone(spec).channels)
    if isinstance(frozen, str) and frozen not in known:
        raise UsageError(
            f"the preset keeps the trunk up to {frozen!r} as it starts, and {spec.arch} has no such stage; "
            f"say with --freeze-to which of {', '.join(known)} it is to be"
        )
    model["backbone"] = backbone
    strides = [stride for stride, _ in stages.values()]
    model["neck"]["in_channels"] = [channels for _, channels in stages.values()]
    for node in nodes(model["roi_head"], lambda node: "featmap_strides" in node):
        scale = node.get("finest_scale", _FINEST_SCALE) * strides[0] // node["featmap_strides"][0]
        node.update(featmap_strides=list(strides), finest_scale=scale)
    if "rpn_head" in model:
        generator = model["rpn_head"]["anchor_generator"]
        levels = list(strides)
        while levels[-1] < max(generator["strides"]):
            levels.append(2 * levels[-1])
        generator["strides"] = levels
        model["neck"]["num_outs"] = len(levels)
    else:
        model["neck"]["num_outs"] = len(strides)

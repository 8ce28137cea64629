"""Putting one of our trunks below a detector that reads regions from one map, as Fast R-CNN does."""

from ssl_motion.backbones import outline_backbone
from ssl_motion.openmmlab.recipes import Recipe, nodes
from ssl_motion.spec import BackboneSpec

STRIDE = 16
"""Largest stride of the map: that of AlexNet's conv5 and of ResNet's layer3."""


def set_single_map(recipe: Recipe, spec: BackboneSpec) -> None:
    """Put one of our trunks in; regions are read from its last stage at a stride of at most 16.

    The recipe's policies on freezing and batch norms stay.
    """
    trunk = outline_backbone(spec)
    stage, stride = [(name, each) for name, each in trunk.strides.items() if each <= STRIDE][-1]
    model = recipe["model"]
    model["backbone"].update(spec=spec.model_dump(exclude_none=True), out_stages=[stage])
    for node in nodes(model["roi_head"], lambda node: "featmap_strides" in node):
        node.update(featmap_strides=[stride], out_channels=trunk.channels[stage])
    for node in nodes(model["roi_head"], lambda node: "fc_out_channels" in node):
        node["in_channels"] = trunk.channels[stage]

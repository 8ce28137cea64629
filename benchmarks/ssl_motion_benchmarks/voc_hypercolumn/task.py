"""The task: data, metric and settings of voc_fcn with another head. See protocol.md beside this file."""

from ssl_motion.backbones import outline_backbone
from ssl_motion.openmmlab import recipes
from ssl_motion.spec import BackboneSpec
from ssl_motion_benchmarks.voc_fcn import VocFCN
from ssl_motion_benchmarks.voc_hypercolumn.presets import HypercolumnConfig


class VocHypercolumn(VocFCN):
    """Semantic segmentation by a network on sparse hypercolumns, through mmsegmentation."""

    Config = HypercolumnConfig
    recipe_version = 1

    def set_backbone(self, recipe: recipes.Recipe, spec: BackboneSpec) -> None:
        """Put another trunk in; all of its stages go into the hypercolumn."""
        super().set_backbone(recipe, spec)
        trunk = outline_backbone(spec)
        recipe["model"]["backbone"]["out_stages"] = list(trunk.channels)
        recipe["model"]["decode_head"].update(
            in_index=list(range(len(trunk.channels))),
            in_channels=list(trunk.channels.values()),
            strides=list(trunk.strides.values()),
        )

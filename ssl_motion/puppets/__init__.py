"""Puppets, the built-in world: seeded scenes of articulated actors with exact flow and labels.

Texture and colour tell nothing about the class; shape and articulation do.
"""

from ssl_motion.puppets.articulation import Articulation, RigidGroup
from ssl_motion.puppets.dataset import dataset_folder, dataset_spec, ensure_dataset, missing_layouts
from ssl_motion.puppets.labels import CLASSES, LIP_PARTS, PALETTE, PARTS
from ssl_motion.puppets.layouts import LAYOUTS, Layout
from ssl_motion.puppets.scene import STREAMS, Scene, Stream, articulation, clip_name, render, semantic_labels
from ssl_motion.puppets.version import GENERATOR_VERSION, fingerprint
from ssl_motion.puppets.worlds import WORLDS, World

__all__ = [
    "CLASSES",
    "GENERATOR_VERSION",
    "LAYOUTS",
    "LIP_PARTS",
    "PALETTE",
    "PARTS",
    "STREAMS",
    "WORLDS",
    "Articulation",
    "Layout",
    "RigidGroup",
    "Scene",
    "Stream",
    "World",
    "articulation",
    "clip_name",
    "dataset_folder",
    "dataset_spec",
    "ensure_dataset",
    "fingerprint",
    "missing_layouts",
    "render",
    "semantic_labels",
]

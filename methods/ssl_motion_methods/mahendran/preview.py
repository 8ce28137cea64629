"""Pictures of what was learned: image, what the network says on a coarse grid, and the true flow there."""

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from ssl_motion.data.sample import UInt8Array
from ssl_motion.flow.colour import flow_to_colour
from ssl_motion.panels import full_colour, panel


def grid_radius(batch: Mapping[str, Tensor], index: int) -> float:
    """Speed that is drawn at full colour in an image's panel: `panels.full_colour` of the grid."""
    return full_colour(batch["grid_flow"][index].cpu().numpy(), batch["grid_valid"][index].cpu().numpy())


def draw_panels(
    images: Sequence[UInt8Array], title: str, maps: Sequence[UInt8Array], batch: Mapping[str, Tensor]
) -> list[UInt8Array]:
    """Put image, map and true flow side by side.

    Args:
        images: uint8 [H, W, 3] RGB.
        title: what the maps show.
        maps: uint8 [h, w, 3] RGB on the coarse grid, one per image.
        batch: its "grid_flow" and "grid_valid" are the truth.

    Returns:
        One uint8 RGB panel per image.
    """
    flows, valid = batch["grid_flow"].cpu().numpy(), batch["grid_valid"].cpu().numpy()
    panels = []
    for index, image in enumerate(images):
        radius = grid_radius(batch, index)
        truth = flow_to_colour(np.moveaxis(flows[index], 0, -1), radius, valid[index])
        columns = [("image", image), (title, maps[index]), (f"true flow, <= {radius:.1f} px", truth)]
        panels.append(panel(image, columns))
    return panels

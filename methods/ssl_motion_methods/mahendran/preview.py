"""Pictures of what was learned: image, what the network says on a coarse grid, and the true flow there."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from torch import Tensor

from ssl_motion.data.sample import Float32Array, UInt8Array
from ssl_motion.flow.colour import flow_to_colour
from ssl_motion.seeding import generator

_LEAST_RADIUS = 5.0  # pixels of motion at full colour at least, so that noise on a still scene stays pale
_LEAST_HEIGHT = 192  # smaller images are enlarged, so that captions can be read
_CAPTION = 18
_GAP = 4


def embedding_colours(embedding_BDhw: Float32Array) -> list[UInt8Array]:
    """Show unit embeddings as colours: three fixed random orthogonal directions as red, green and blue.

    The directions depend on the number of dimensions alone, and the scale is one for all images, so that like colours
    mean like embeddings everywhere in a picture.

    Returns:
        One uint8 [h, w, 3] per image.
    """
    dimensions = embedding_BDhw.shape[1]
    directions, _ = np.linalg.qr(generator(0, "embedding colours").standard_normal((dimensions, min(3, dimensions))))
    values = np.einsum("bdhw,dc->bhwc", embedding_BDhw.astype(np.float64), directions)
    low, high = np.percentile(values, (2, 98), axis=(0, 1, 2))
    shown = np.clip((values - low) / np.maximum(high - low, 1e-6), 0, 1)
    colours = np.zeros((*shown.shape[:3], 3), np.uint8)
    colours[..., : shown.shape[3]] = (255 * shown).astype(np.uint8)
    return list(colours)


def full_colour(batch: Mapping[str, Tensor], index: int) -> float:
    """Speed that is drawn at full colour in an image's panel: that of its fastest point on the grid."""
    speed = batch["grid_flow"][index].norm(dim=0)[batch["grid_valid"][index]]
    return max(_LEAST_RADIUS, float(speed.max()) if speed.numel() else 0.0)


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
        radius = full_colour(batch, index)
        truth = flow_to_colour(np.moveaxis(flows[index], 0, -1), radius, valid[index])
        pictures = ((image, "image"), (maps[index], title), (truth, f"true flow, <= {radius:.1f} px"))
        zoom = max(1, -(-_LEAST_HEIGHT // image.shape[0]))
        height, width = image.shape[0] * zoom, image.shape[1] * zoom
        gap = np.full((height + _CAPTION, _GAP, 3), 255, np.uint8)
        columns = [gap]
        for picture, caption in pictures:
            columns += [_captioned(picture, caption, height, width), gap]
        panels.append(np.concatenate(columns[1:-1], axis=1))
    return panels


def _captioned(picture: UInt8Array, caption: str, height: int, width: int) -> UInt8Array:
    strip = np.full((_CAPTION, width, 3), 255, np.uint8)
    cv2.putText(strip, caption, (3, _CAPTION - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (20, 20, 20), 1, cv2.LINE_AA)
    large = cv2.resize(picture, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.concatenate([strip, large.astype(np.uint8, copy=False)], axis=0)

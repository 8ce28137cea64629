"""The part of an image that training looks at: the surroundings of the largest object, a little off centre."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from ssl_motion.data.augment import crop, resize
from ssl_motion.data.sample import UNKNOWN_LABEL, FlowSample, UInt8Array
from ssl_motion_methods.pathak.config import PathakConfig

OBJECT = 1
"""Label of moving pixels in the layer "masks"; 0 is background."""

LEAST_SIDE = 0.25
"""Least side of a crop over the image's shorter one: what a random crop left of an object may be a few pixels."""


@dataclass(frozen=True)
class Window:
    """A rectangle in pixels of the image; it may reach beyond the image."""

    top: int
    left: int
    height: int
    width: int


def largest_object(mask_HW: UInt8Array) -> Window | None:
    """Find the box of the largest connected object (8 neighbours); of equal ones the first; None where there is none.

    Args:
        mask_HW: uint8 [H, W]: 1 object, 0 background, 255 unknown.
    """
    # Filled boxes of (left, top, width, height, area) by blob; number 0 is all that is no object.
    _, _, statistics, _ = cv2.connectedComponentsWithStats((mask_HW == OBJECT).view(np.uint8), connectivity=8)
    if len(statistics) < 2:
        return None
    left, top, width, height, _ = statistics[1 + int(statistics[1:, cv2.CC_STAT_AREA].argmax())].tolist()
    return Window(top, left, height, width)


def window_around(
    box: Window,
    image: tuple[int, int],
    shape: tuple[int, int],
    config: PathakConfig,
    rng: np.random.Generator | None,
) -> Window:
    """Choose the window to look at: the object in the middle with its surroundings, jittered in training.

    Args:
        box: of the object.
        image: (height, width) of the image.
        shape: (height, width) that the window is resized to; it has this shape's proportions.
        config: its `context`, `scale_jitter` and `shift_jitter` count.
        rng: decides the jitter; None leaves it out.
    """
    scale, shift_y, shift_x = 1.0, 0.0, 0.0
    if rng is not None:
        scale = 2.0 ** rng.uniform(-config.scale_jitter, config.scale_jitter)
        shift_y, shift_x = rng.uniform(-config.shift_jitter, config.shift_jitter, 2)
    side = max(max(box.height, box.width) * config.context, LEAST_SIDE * min(image)) * scale
    height, width = (max(1, round(side * part / min(shape))) for part in shape)
    top = box.top + box.height / 2 + shift_y * height - height / 2
    left = box.left + box.width / 2 + shift_x * width - width / 2
    return Window(round(top), round(left), height, width)


def look_at(sample: FlowSample, window: Window, shape: tuple[int, int]) -> FlowSample:
    """Cut out a window and resize it to `shape`; beyond the image all is black, unknown and without motion."""
    rows, columns = (
        (max(start, 0), min(start + length, limit))
        for start, length, limit in zip(
            (window.top, window.left), (window.height, window.width), sample.size, strict=True
        )
    )
    inside = crop(sample, rows[0], columns[0], rows[1] - rows[0], columns[1] - columns[0])
    if inside.size != (window.height, window.width):
        around = [
            (rows[0] - window.top, window.top + window.height - rows[1]),
            (columns[0] - window.left, window.left + window.width - columns[1]),
        ]
        inside = replace(
            inside,
            image=np.pad(inside.image, [*around, (0, 0)]),
            flow=np.pad(inside.flow, [*around, (0, 0)]),
            valid=np.pad(inside.valid, around),
            layers={
                name: np.pad(layer, around, constant_values=UNKNOWN_LABEL) for name, layer in inside.layers.items()
            },
        )
    return resize(inside, *shape)


def object_crop(sample: FlowSample, config: PathakConfig, rng: np.random.Generator | None) -> FlowSample:
    """Look at the largest object of the layer "masks"; at the whole image where it shows none.

    Args:
        sample: with its layers.
        config: `image_size` is the side of the result; None keeps the sample's own size.
        rng: decides the jitter; None in validation: the object in the middle.
    """
    shape = sample.size if config.image_size is None else (config.image_size, config.image_size)
    box = largest_object(sample.layers["masks"])
    if box is None:
        return resize(sample, *shape)
    return look_at(sample, window_around(box, sample.size, shape, config, rng), shape)

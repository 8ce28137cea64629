"""Geometric augmentation of an image, its flow and its layers together.

Every function returns a new `FlowSample` whose flow is still in pixels of the new image. Padding is black, with
zero flow, invalid, and of unknown label.
"""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
from PIL import Image

from ssl_motion.data.sample import UNKNOWN_LABEL, FlowSample, UInt8Array
from ssl_motion.spec import DataSpec


def _layers(sample: FlowSample, change: Callable[[UInt8Array], UInt8Array]) -> dict[str, UInt8Array]:
    return {name: change(layer) for name, layer in sample.layers.items()}


def resize(sample: FlowSample, height: int, width: int, flow_scale: tuple[float, float] | None = None) -> FlowSample:
    """Resize to [height, width].

    The image is resized bicubically (antialiased), the flow bilinearly; layers take their nearest pixel. A pixel is
    valid where all that it is interpolated from was valid.

    Args:
        sample: of any size.
        height: new, in pixels.
        width: new, in pixels.
        flow_scale: what u and v are multiplied by; None takes the factors by which the axes change.
    """
    if flow_scale is None:
        flow_scale = (width / sample.size[1], height / sample.size[0])
    size = (width, height)
    # A copy, since Pillow's own memory is read-only.
    image = np.array(Image.fromarray(sample.image).resize(size, Image.Resampling.BICUBIC))
    flow = cv2.resize(sample.flow, size, interpolation=cv2.INTER_LINEAR).astype(np.float32, copy=False)
    flow *= np.array(flow_scale, np.float32)
    if sample.valid.all():
        valid = np.ones((height, width), np.bool_)
    else:
        valid = cv2.resize(sample.valid.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) > 0.999
        flow[~valid] = 0.0
    layers = _layers(sample, lambda layer: cv2.resize(layer, size, interpolation=cv2.INTER_NEAREST_EXACT))
    return replace(sample, image=image, flow=flow, valid=valid, layers=layers)


def resize_short_side(sample: FlowSample, short_side: int) -> FlowSample:
    """Resize so that the shorter side has `short_side` pixels; the longer one is proportional, truncated.

    As CMP's authors do, both flow components are multiplied by new height / old height.
    """
    height, width = sample.size
    if min(height, width) == short_side:
        return sample
    if height <= width:
        new_height, new_width = short_side, width * short_side // height
    else:
        new_height, new_width = height * short_side // width, short_side
    return resize(sample, new_height, new_width, (new_height / height, new_height / height))


def pad_to(sample: FlowSample, side: int) -> FlowSample:
    """Pad both sides to at least `side` pixels, the content in the middle."""
    height, width = sample.size
    if height >= side and width >= side:
        return sample
    missing = (max(side - height, 0), max(side - width, 0))
    around = [(total // 2, total - total // 2) for total in missing]
    return replace(
        sample,
        image=np.pad(sample.image, [*around, (0, 0)]),
        flow=np.pad(sample.flow, [*around, (0, 0)]),
        valid=np.pad(sample.valid, around),
        layers=_layers(sample, lambda layer: np.pad(layer, around, constant_values=UNKNOWN_LABEL)),
    )


def crop(sample: FlowSample, top: int, left: int, height: int, width: int) -> FlowSample:
    """Cut out a window (views, no copies). Flow vectors keep their values."""
    rows, columns = slice(top, top + height), slice(left, left + width)
    return replace(
        sample,
        image=sample.image[rows, columns],
        flow=sample.flow[rows, columns],
        valid=sample.valid[rows, columns],
        layers=_layers(sample, lambda layer: layer[rows, columns]),
    )


def flip(sample: FlowSample) -> FlowSample:
    """Mirror left and right; the flow's u changes its sign with the axis."""
    flow = sample.flow[:, ::-1].copy()
    flow[..., 0] *= -1.0
    return replace(
        sample,
        image=sample.image[:, ::-1].copy(),
        flow=flow,
        valid=sample.valid[:, ::-1].copy(),
        layers=_layers(sample, lambda layer: layer[:, ::-1].copy()),
    )


def augment(sample: FlowSample, spec: DataSpec, rng: np.random.Generator | None) -> FlowSample:
    """Resize, pad, crop and flip as the spec says.

    Args:
        sample: as stored.
        spec: its `short_side`, `crop` and `flip` count.
        rng: decides crop and flip; None for validation: the central crop, never flipped.

    Returns:
        A sample with contiguous arrays, [crop, crop] where a crop is set.
    """
    if spec.short_side is not None:
        sample = resize_short_side(sample, spec.short_side)
    if spec.crop is not None:
        sample = pad_to(sample, spec.crop)
        spare = [side - spec.crop for side in sample.size]
        if rng is None:
            top, left = spare[0] // 2, spare[1] // 2
        else:
            top, left = (int(rng.integers(free + 1)) for free in spare)
        sample = crop(sample, top, left, spec.crop, spec.crop)
    if spec.flip and rng is not None and rng.random() < 0.5:
        sample = flip(sample)
    return replace(
        sample,
        image=np.ascontiguousarray(sample.image),
        flow=np.ascontiguousarray(sample.flow),
        valid=np.ascontiguousarray(sample.valid),
        layers=_layers(sample, lambda layer: np.ascontiguousarray(layer)),
    )

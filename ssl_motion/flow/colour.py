"""Flow as colour: hue is direction, saturation is speed (the Middlebury colour wheel).

After S. Baker et al., "A Database and Evaluation Methodology for Optical Flow", IJCV 92, 2011. The wheel has 55
colours: red to yellow 15, yellow to green 6, green to cyan 4, cyan to blue 11, blue to magenta 13, magenta to red 6
(finer where the eye tells hues apart better). Motion to the right is red, down yellow, left cyan, up violet blue.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from ssl_motion.data.sample import BoolArray, UInt8Array

# (colour at the segment's start, colour at its end, number of steps)
_SEGMENTS = (
    ((255, 0, 0), (255, 255, 0), 15),
    ((255, 255, 0), (0, 255, 0), 6),
    ((0, 255, 0), (0, 255, 255), 4),
    ((0, 255, 255), (0, 0, 255), 11),
    ((0, 0, 255), (255, 0, 255), 13),
    ((255, 0, 255), (255, 0, 0), 6),
)


def colour_wheel() -> npt.NDArray[np.float64]:
    """Make the wheel's 55 RGB colours, [55, 3] in 0..255."""
    parts = []
    for start, end, steps in _SEGMENTS:
        # The rising component is rounded down and the falling one is 255 minus it, as in the published wheel.
        share = np.floor(255 * np.arange(steps) / steps)[:, None]
        rises, falls = np.subtract(end, start) > 0, np.subtract(end, start) < 0
        parts.append(np.asarray(start) + share * rises - share * falls)
    return np.concatenate(parts)


_WHEEL = colour_wheel()

_BAND_PIXELS = 2**20  # drawn at a time: in float64 that takes some 200 MB, whatever the picture's size


def row_bands(size: tuple[int, ...]) -> list[slice]:
    """Cut a picture of (height, width) into bands of whole rows of about a megapixel, to be worked on in turn."""
    height, width = size
    rows = max(1, _BAND_PIXELS // max(width, 1))
    return [slice(first, first + rows) for first in range(0, height, rows)]


def flow_to_colour(
    flow_HW2: npt.NDArray[Any], max_radius: float | None = None, valid: BoolArray | None = None
) -> UInt8Array:
    """Draw flow in the colour wheel's colours.

    Args:
        flow_HW2: floating point [H, W, 2], pixels, (right, down).
        max_radius: speed drawn at full saturation; None takes the largest valid speed. Faster flow is drawn darker.
        valid: bool [H, W]; where false, or where flow is not finite, the picture is black.

    Returns:
        uint8 [H, W, 3] RGB; no motion is white.
    """
    flow = np.asarray(flow_HW2)
    bands = row_bands(flow.shape[:2])
    parts = [(flow[rows], None if valid is None else valid[rows]) for rows in bands]
    if max_radius is None:
        max_radius = max((float(np.hypot(*_known(*part)[0].T).max(initial=0.0)) for part in parts), default=0.0)
    picture = np.empty((*flow.shape[:2], 3), np.uint8)
    for rows, part in zip(bands, parts, strict=True):
        picture[rows] = _coloured(*_known(*part), max(max_radius, 1e-9))
    return picture


def _known(flow_HW2: npt.NDArray[Any], valid: BoolArray | None) -> tuple[npt.NDArray[np.float64], BoolArray]:
    """Flow as float64, zero where it is not to be shown; and where it is, bool [H, W]."""
    flow = np.asarray(flow_HW2, np.float64)
    shown: BoolArray = np.asarray(np.isfinite(flow).all(axis=-1))
    if valid is not None:
        shown = shown & valid
    return np.where(shown[..., None], flow, 0.0), shown


def _coloured(flow: npt.NDArray[np.float64], shown: BoolArray, max_radius: float) -> UInt8Array:
    radius = np.hypot(flow[..., 0], flow[..., 1]) / max_radius

    place = (np.arctan2(-flow[..., 1], -flow[..., 0]) / np.pi + 1) / 2 * (len(_WHEEL) - 1)
    below = np.floor(place).astype(np.int64)
    share = (place - below)[..., None]
    hue = ((1 - share) * _WHEEL[below] + share * _WHEEL[(below + 1) % len(_WHEEL)]) / 255

    colour = np.where(radius[..., None] <= 1, 1 - radius[..., None] * (1 - hue), 0.75 * hue)
    return np.where(shown[..., None], np.floor(255 * colour), 0).astype(np.uint8)


def colour_wheel_legend(size: int) -> UInt8Array:
    """Draw the legend: each point of the disc has the colour of motion from the centre towards it.

    Args:
        size: side in pixels.

    Returns:
        uint8 [size, size, 3] RGB on white; the rim is the speed `max_radius` of `flow_to_colour`.
    """
    axis = np.linspace(-1, 1, size) * (size / max(size - 1, 1)) if size > 1 else np.zeros(1)
    flow = np.stack(np.meshgrid(axis, axis), axis=-1)
    radius = np.hypot(flow[..., 0], flow[..., 1])
    return np.where(radius[..., None] <= 1, flow_to_colour(flow, max_radius=1.0), 255).astype(np.uint8)

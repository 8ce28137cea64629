"""Pictures of guidance and flow: arrows over an image, flow in the colour wheel's colours, its legend."""

import cv2
import numpy as np

from ssl_motion.data.sample import Float32Array, UInt8Array
from ssl_motion.flow.colour import colour_wheel_legend, flow_to_colour, row_bands
from ssl_motion.panels import full_colour
from ssl_motion.propagation.guidance import Guidance

_LEAST_SIDE = 384  # smaller images are enlarged, so that arrows can be told apart
RIM = (255, 255, 255)
"""Light rim of what is drawn over an image, so that it shows on any ground."""

SHIFT = 4
"""OpenCV draws at 1/16 of a pixel (`fixed`)."""

_INK, _ARROW, _STILL = (32, 33, 36), (230, 30, 30), (20, 90, 235)
_WHEEL, _MARGIN, _LINE = 112, 12, 18
_VEIL = 0.65  # share of the flow's colour where it is drawn over an image


def speed_at_full_colour(flow_HW2: Float32Array) -> float:
    """Speed in pixels at the rim of the colour wheel: that of the fastest pixel, but 5 at least.

    So noise on a still image stays pale (the authors' demonstrations do the same).
    """
    return full_colour(np.moveaxis(flow_HW2, -1, 0), np.ones(flow_HW2.shape[:2], np.bool_))


def flow_picture(flow_HW2: Float32Array, radius: float | None = None) -> UInt8Array:
    """Draw flow in the colour wheel's colours: hue is direction, saturation is speed.

    Args:
        flow_HW2: float32 [H, W, 2] in pixels.
        radius: speed drawn at full saturation [`speed_at_full_colour`].

    Returns:
        uint8 [H, W, 3] RGB; no motion is white.
    """
    return flow_to_colour(flow_HW2, radius or speed_at_full_colour(flow_HW2))


def enlargement(size: tuple[int, int]) -> int:
    """By which whole number `overlay` and `with_legend` enlarge a picture of (height, width)."""
    return max(1, -(-_LEAST_SIDE // max(size)))


def overlay(image: UInt8Array, guidance: Guidance, flow: Float32Array | None = None) -> UInt8Array:
    """Draw guidance over an image: red arrows from foot to head at their true length, blue discs where it is to stay.

    Args:
        image: uint8 [H, W, 3] RGB; one whose longer side is below 384 pixels is enlarged by a whole number.
        guidance: in the image's pixels.
        flow: float32 [H, W, 2]; where it moves, its colours (`flow_picture`) lie over the image.

    Returns:
        uint8 [enlargement H, enlargement W, 3] RGB.

    Raises:
        UsageError: A point lies outside the image.
    """
    guidance.checked(image.shape[:2])
    base = image if flow is None else _veiled(image, flow)
    zoom = enlargement(image.shape[:2])
    picture = enlarged(base, zoom)
    unit = stroke(picture)
    for x, y, dx, dy in guidance.arrows:
        _arrow(picture, place(x, y, zoom), place(x + dx, y + dy, zoom), unit)
    for x, y in guidance.stills:
        for radius, colour in ((6.5, RIM), (5.0, _STILL)):
            cv2.circle(picture, fixed(place(x, y, zoom)), round(radius * unit * 16), colour, -1, cv2.LINE_AA, SHIFT)
    return picture


def with_legend(picture: UInt8Array, radius: float) -> UInt8Array:
    """Put the colour wheel beside a picture of flow, with the speed at its rim.

    Args:
        picture: of `flow_picture`; enlarged as by `overlay`.
        radius: speed at full saturation, in pixels.

    Returns:
        uint8 [h, w, 3] RGB.
    """
    large = enlarged(picture, enlargement(picture.shape[:2]))
    lines = (f"rim: {radius:.3g} px", "white: still", "a colour lies where", "its motion points to")
    strip = np.full((_WHEEL + 2 * _MARGIN + len(lines) * _LINE, _WHEEL + 3 * _MARGIN, 3), 255, np.uint8)
    strip[_MARGIN : _MARGIN + _WHEEL, _MARGIN : _MARGIN + _WHEEL] = colour_wheel_legend(_WHEEL)
    for row, line in enumerate(lines):
        foot = (_MARGIN, _WHEEL + 2 * _MARGIN + row * _LINE + 4)
        cv2.putText(strip, line, foot, cv2.FONT_HERSHEY_SIMPLEX, 0.36, _INK, 1, cv2.LINE_AA)
    sheet = np.full((max(len(large), len(strip)), large.shape[1] + strip.shape[1], 3), 255, np.uint8)
    sheet[: len(large), : large.shape[1]] = large
    sheet[: len(strip), large.shape[1] :] = strip
    return sheet


def veil(flow_HW2: Float32Array, radius: float | None = None) -> tuple[UInt8Array, Float32Array]:
    """Make what `overlay` lays over an image: flow's colours, the more the faster.

    Args:
        flow_HW2: float32 [H, W, 2] in pixels.
        radius: speed that covers most [`speed_at_full_colour`].

    Returns:
        Colours at full saturation, uint8 [H, W, 3] RGB, and how much they cover, float32 [H, W, 1] from 0 to 0.65.
    """
    speed = np.linalg.norm(flow_HW2.astype(np.float64), axis=2, keepdims=True)
    share = _VEIL * np.minimum(speed / (radius or speed_at_full_colour(flow_HW2)), 1)
    # How fast it is, the share tells. A little within the rim, beyond which colours are darker.
    return flow_to_colour(flow_HW2 * (0.999 / np.maximum(speed, 1e-9)), 1.0), share.astype(np.float32)


def _veiled(image: UInt8Array, flow: Float32Array) -> UInt8Array:
    radius, veiled = speed_at_full_colour(flow), np.empty_like(image)
    for rows in row_bands(flow.shape[:2]):
        hue, share = veil(flow[rows], radius)
        veiled[rows] = np.rint(image[rows] * (1 - share) + hue * share).astype(np.uint8)
    return veiled


def enlarged(picture: UInt8Array, zoom: int) -> UInt8Array:
    """Repeat every pixel of a picture [H, W, ...], so that it becomes a block of zoom x zoom."""
    return np.ascontiguousarray(picture.repeat(zoom, axis=0).repeat(zoom, axis=1))


def place(x: float, y: float, zoom: int) -> tuple[float, float]:
    """Where the enlarged picture has a point: the centre of a pixel stays the centre of its block."""
    return (x + 0.5) * zoom - 0.5, (y + 0.5) * zoom - 0.5


def stroke(picture: UInt8Array) -> float:
    """Width of a thin line on a picture, in its pixels: all that is drawn grows with large ones."""
    shorter: int = min(picture.shape[:2])
    return max(1.0, shorter / 400)


def fixed(point: tuple[float, float]) -> tuple[int, int]:
    """Turn a point into the whole numbers that OpenCV wants beside `SHIFT`."""
    return round(point[0] * 16), round(point[1] * 16)


def _arrow(picture: UInt8Array, foot: tuple[float, float], head: tuple[float, float], unit: float) -> None:
    """Draw an arrow with a light rim, so that it shows on any ground."""
    length = float(np.hypot(head[0] - foot[0], head[1] - foot[1]))
    tip = min(0.5, 9 * unit / length) if length > 0 else 0.0  # a share of the arrow's length
    for width, colour in ((5 * unit, RIM), (2.4 * unit, _ARROW)):
        thick = max(1, round(width))
        cv2.circle(picture, fixed(foot), round((width + 1) / 2 * 16), colour, -1, cv2.LINE_AA, SHIFT)
        if tip:
            cv2.arrowedLine(picture, fixed(foot), fixed(head), colour, thick, cv2.LINE_AA, SHIFT, tip)

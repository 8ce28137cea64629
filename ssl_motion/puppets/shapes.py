"""Outlines: polygons in body coordinates."""

from collections.abc import Callable, Sequence

import numpy as np

from ssl_motion.puppets.exact import Dice, Float64Array, cosine, sine

_TURN = 6.283185307179586


def _circle(count: int) -> Float64Array:
    return np.array([[cosine(_TURN * step / count), sine(_TURN * step / count)] for step in range(count)])


_CIRCLES = {count: _circle(count) for count in (12, 16, 24)}


def polygon(*corners: tuple[float, float]) -> Float64Array:
    """A polygon with these corners, float64 [N, 2]."""
    return np.array(corners, np.float64)


def ellipse(x: float, y: float, across: float, down: float, corners: int = 16) -> Float64Array:
    """An upright ellipse around (x, y) with these two radii."""
    outline: Float64Array = _CIRCLES[corners] * np.array([across, down]) + np.array([x, y])
    return outline


def capsule(length: float, start: float, end: float) -> Float64Array:
    """A limb from (0, 0) to (0, length) with rounded ends of radius `start` and `end`."""
    circle = _CIRCLES[12]
    # Corners 6 to 12 have y <= 0 (the upper half), corners 0 to 6 have y >= 0.
    upper = circle[[6, 7, 8, 9, 10, 11, 0]] * start
    lower = circle[[0, 1, 2, 3, 4, 5, 6]] * end + np.array([0.0, length])
    return np.concatenate([upper, lower])


def strip(begin: float, end: float, half_width: Callable[[float], float], steps: int = 20) -> Float64Array:
    """A shape along x from `begin` to `end`, symmetric about y = 0; `half_width` takes the share (0 to 1) of the way.

    The many corners let it be bent by a wave.
    """
    shares = [step / steps for step in range(steps + 1)]
    upper = [(begin + (end - begin) * share, -half_width(share)) for share in shares]
    lower = [(x, -y) for x, y in reversed(upper)]
    return np.array(upper + lower, np.float64)


def profile(values: Sequence[float]) -> Callable[[float], float]:
    """A function of a share (0 to 1) that joins evenly spaced values by straight lines."""

    def at(share: float) -> float:
        place = share * (len(values) - 1)
        below = min(int(place), len(values) - 2)
        return values[below] + (values[below + 1] - values[below]) * (place - below)

    return at


def blob(dice: Dice) -> Float64Array:
    """A lumpy round thing of radius about 0.5 that is no figure's outline."""
    phases = [dice.between(0, _TURN) for _ in range(3)]
    heights = [dice.between(0.06, 0.18) for _ in range(3)]
    circle = _CIRCLES[24]
    radii = []
    for step in range(24):
        angle = _TURN * step / 24
        lumps = zip(heights, phases, (2, 3, 5), strict=True)
        radii.append(0.5 * (1 + sum(height * sine(order * angle + phase) for height, phase, order in lumps)))
    stretch = np.array([dice.between(0.7, 1.0), dice.between(0.7, 1.0)])
    shape: Float64Array = circle * np.array(radii)[:, None] * stretch
    return shape

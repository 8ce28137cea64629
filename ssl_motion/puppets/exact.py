"""Arithmetic that gives the same bits on every machine.

Sums, products, quotients and square roots of IEEE doubles do; sines of a C or vector library, and generators' own
`uniform` and `normal` (compiled with or without fused multiply-add), do not. So all here is built from the former.
"""

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ssl_motion.seeding import generator

Float64Array = npt.NDArray[np.float64]
Affine = tuple[float, float, float, float, float, float]
"""(a, b, c, d, e, f) maps (x, y) to (a x + b y + c, d x + e y + f)."""

IDENTITY: Affine = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)

_TURN = 2 * math.pi
# Taylor's series of the sine; on a quarter turn its error is below 1e-9.
_SERIES = tuple((-1.0) ** order / math.factorial(2 * order + 1) for order in range(7))

Item = TypeVar("Item")


def sine(angle: float) -> float:
    """Sine of an angle in radians."""
    turns = angle / _TURN
    turns -= math.floor(turns + 0.5)
    if turns > 0.25:
        turns = 0.5 - turns
    elif turns < -0.25:
        turns = -0.5 - turns
    value = turns * _TURN
    square = value * value
    total = _SERIES[-1]
    for coefficient in _SERIES[-2::-1]:
        total = total * square + coefficient
    return total * value


def cosine(angle: float) -> float:
    """Cosine of an angle in radians."""
    return sine(angle + 0.5 * math.pi)


def sine_array(angles: Float64Array) -> Float64Array:
    """Sine of every angle (radians), float64 of the same shape; equal to `sine` bit by bit."""
    turns = angles / _TURN
    turns -= np.floor(turns + 0.5)
    turns = np.where(np.abs(turns) > 0.25, np.copysign(0.5, turns) - turns, turns)
    values = turns * _TURN
    squares = values * values
    total = np.full_like(values, _SERIES[-1])
    for coefficient in _SERIES[-2::-1]:
        total *= squares
        total += coefficient
    total *= values
    return total


def compose(outer: Affine, inner: Affine) -> Affine:
    """The map that applies `inner` first, then `outer`."""
    a, b, c, d, e, f = outer
    p, q, r, s, t, u = inner
    return (a * p + b * s, a * q + b * t, a * r + b * u + c, d * p + e * s, d * q + e * t, d * r + e * u + f)


def invert(affine: Affine) -> Affine:
    """The inverse map."""
    a, b, c, d, e, f = affine
    determinant = a * e - b * d
    a, b, d, e = e / determinant, -b / determinant, -d / determinant, a / determinant
    return (a, b, -(a * c + b * f), d, e, -(d * c + e * f))


def turn(angle: float, x: float = 0.0, y: float = 0.0) -> Affine:
    """Rotation by `angle` (radians, from +x towards +y), then translation by (x, y)."""
    along, across = cosine(angle), sine(angle)
    return (along, -across, x, across, along, y)


class Dice:
    """A stream of random draws for one purpose, made from uniform doubles alone."""

    _CHUNK = 256

    def __init__(self, seed: int, purpose: str, *position: int) -> None:
        self._generator = generator(seed, purpose, *position)
        self._drawn: list[float] = []

    def unit(self) -> float:
        """Draw from [0, 1)."""
        if not self._drawn:
            self._drawn = self._generator.random(self._CHUNK).tolist()[::-1]
        return self._drawn.pop()

    def between(self, low: float, high: float) -> float:
        """Draw evenly from [low, high)."""
        return low + (high - low) * self.unit()

    def around(self, spread: float) -> float:
        """Draw evenly from [-spread, spread)."""
        return self.between(-spread, spread)

    def chance(self, probability: float) -> bool:
        """Draw True with a probability."""
        return self.unit() < probability

    def sign(self) -> float:
        """Draw -1 or 1."""
        return 1.0 if self.unit() < 0.5 else -1.0

    def below(self, count: int) -> int:
        """Draw a whole number from 0 to count - 1."""
        return int(self.unit() * count)

    def pick(self, items: Sequence[Item]) -> Item:
        """Draw one of several items."""
        return items[self.below(len(items))]

    def weighted(self, chances: Sequence[float]) -> int:
        """Draw a position with the given chances (which sum to 1)."""
        rest = self.unit()
        for position, share in enumerate(chances):
            rest -= share
            if rest < 0:
                return position
        return len(chances) - 1

"""Textures: two colours mixed by a small periodic pattern that moves with the body.

All patterns are made once from fixed seeds; which one a body gets, its colours, size and direction are drawn for
each body anew and tell nothing about its class.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ssl_motion.puppets.exact import Dice, Float64Array, compose, cosine, sine, sine_array
from ssl_motion.puppets.worlds import World
from ssl_motion.seeding import generator

SIDE = 64
"""Side of a pattern in texels; a power of two."""
FEATURE = 16.0
"""Typical size of a pattern's features in texels."""
PATTERNS = 24
_TURN = 6.283185307179586

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Texture:
    """A texture.

    Attributes:
        pattern: number of the pattern.
        first: RGB colour (0 to 255) where the pattern is 0.
        change: what is added to it where the pattern is 1.
        angle: direction, radians.
        texels: texels per pixel.
        shift: texels, (x, y).
        harshness: see `World`.
    """

    pattern: int
    first: Colour
    change: Colour
    angle: float
    texels: float
    shift: tuple[float, float]
    harshness: float


def _smooth_noise(draws: Float64Array) -> Float64Array:
    """Interpolate a periodic lattice of numbers to [SIDE, SIDE] with smooth joints."""
    cells = draws.shape[0]
    place = np.arange(SIDE) * (cells / SIDE)
    below = place.astype(np.int64)
    share = place - below
    share = share * share * (3 - 2 * share)
    above = (below + 1) % cells
    rows = draws[below] * (1 - share)[:, None] + draws[above] * share[:, None]
    noise: Float64Array = rows[:, below] * (1 - share) + rows[:, above] * share
    return noise


@lru_cache(maxsize=1)
def pattern_bank() -> npt.NDArray[np.float64]:
    """All patterns, float64 [PATTERNS * SIDE * SIDE] in 0..1, flattened."""
    y, x = np.meshgrid(np.arange(SIDE, dtype=np.float64), np.arange(SIDE, dtype=np.float64), indexing="ij")
    step = _TURN / SIDE
    bank = np.empty((PATTERNS, SIDE, SIDE))
    for number in range(PATTERNS):
        draws = generator(0, "puppets/patterns", number).random((8, 8))
        noise = _smooth_noise(draws)
        kind = number % 6
        if kind in (0, 1):
            pattern = noise
        elif kind == 2:
            pattern = 0.65 * _smooth_noise(draws[::2, ::2]) + 0.35 * noise
        elif kind == 3:  # stripes, slightly bent
            pattern = 0.5 + 0.5 * sine_array(3 * step * x + 1.5 * (noise - 0.5))
        elif kind == 4:  # checks
            pattern = 0.5 + 0.5 * sine_array(2 * step * x) * sine_array(2 * step * y)
        else:  # dots on a tilted grid
            pattern = 0.25 * (2 + sine_array(2 * step * (x + y)) + sine_array(2 * step * (x - y)))
        bank[number] = pattern
    return bank.reshape(-1)


def draw_texture(
    dice: Dice, world: World, side: int, contrast: float, apart_from: list[Colour] | None = None
) -> Texture:
    """Draw a texture.

    Args:
        dice: where the draws come from.
        world: grade.
        side: of the frame in pixels.
        contrast: largest difference between the two colours in each channel, grey levels.
        apart_from: colours from which the new one keeps `World.colour_distance` if a few tries allow.
    """
    first = _colour(dice)
    for _ in range(8):
        distances = [sum(abs(a - b) for a, b in zip(first, other, strict=True)) for other in apart_from or []]
        if all(distance >= world.colour_distance for distance in distances):
            break
        first = _colour(dice)
    return Texture(
        pattern=dice.below(PATTERNS),
        first=first,
        change=(dice.around(contrast), dice.around(contrast), dice.around(contrast)),
        angle=dice.between(0.0, _TURN),
        texels=FEATURE / (side * dice.between(*world.texture_size)),
        shift=(dice.between(0.0, SIDE), dice.between(0.0, SIDE)),
        harshness=world.harshness,
    )


def _colour(dice: Dice) -> Colour:
    return (dice.between(25, 230), dice.between(25, 230), dice.between(25, 230))


def texel_map(texture: Texture, scale: float) -> tuple[float, float, float, float, float, float]:
    """Map body coordinates (`scale` pixels a unit) to texels."""
    along, across = cosine(texture.angle) * texture.texels, sine(texture.angle) * texture.texels
    return compose((along, -across, texture.shift[0], across, along, texture.shift[1]), (scale, 0, 0, 0, scale, 0))


def look_up(pattern: npt.NDArray[np.int64], x: Float64Array, y: Float64Array) -> Float64Array:
    """Sample patterns bilinearly and periodically.

    Args:
        pattern: int64 [K], pattern of each point.
        x: float64 [K], texels.
        y: float64 [K], texels.

    Returns:
        float64 [K] in 0..1.
    """
    bank = pattern_bank()
    left, top = np.floor(x), np.floor(y)
    right_share, low_share = x - left, y - top
    column, row = left.astype(np.int64), top.astype(np.int64)
    columns = (column & (SIDE - 1), (column + 1) & (SIDE - 1))
    rows = (
        pattern * (SIDE * SIDE) + (row & (SIDE - 1)) * SIDE,
        pattern * (SIDE * SIDE) + ((row + 1) & (SIDE - 1)) * SIDE,
    )
    first = bank.take(rows[0] + columns[0])
    upper = first + (bank.take(rows[0] + columns[1]) - first) * right_share
    first = bank.take(rows[1] + columns[0])
    lower = first + (bank.take(rows[1] + columns[1]) - first) * right_share
    result: Float64Array = upper + (lower - upper) * low_share
    return result

"""Bodies: trees of rigid bones, some of them bent by a travelling wave, posed at any time.

Body coordinates are in units of the figure's extent, x to the right and y down; limbs hang along +y from their joint.
A pose is a function of time: every angle, position and phase moves evenly, so that time 0 is frame t and time 1
(or less, for a slower actor) is frame t + 1. Mapping a point of a bone from one frame to the other is exact.
"""

from dataclasses import dataclass, field

import numpy as np

from ssl_motion.puppets.exact import Affine, Float64Array, compose, cosine, sine, sine_array, turn


@dataclass(frozen=True)
class Wave:
    """A bend of a bone: (u, v) goes to (u, v + (rest + growth u) sin(number u + phase)), exactly invertible.

    Attributes:
        rest: amplitude at u = 0, in body units.
        growth: increase of the amplitude with u.
        number: radians per body unit.
        phase: at time 0, radians.
        rate: radians per unit of time.
    """

    rest: float
    growth: float
    number: float
    phase: float
    rate: float


@dataclass(frozen=True)
class Bone:
    """One rigid (or waving) piece.

    Attributes:
        outline: float64 [N, 2] polygon in the bone's coordinates.
        part: number in `PARTS`.
        parent: position of the parent bone in the figure; -1 is the figure's root.
        joint: where the bone's origin sits, in the parent's coordinates.
        angle: against the parent at time 0, radians.
        rate: radians per unit of time.
        depth: bones of a figure are painted from low to high.
        wave: how the outline bends, if it does.
        shade: whether the piece has a shade of its own (else its parent's).
    """

    outline: Float64Array
    part: int
    parent: int = -1
    joint: tuple[float, float] = (0.0, 0.0)
    angle: float = 0.0
    rate: float = 0.0
    depth: float = 0.0
    wave: Wave | None = None
    shade: bool = True


@dataclass
class Figure:
    """A body with its motion, before it is placed in a frame.

    Attributes:
        label: number in `CLASSES` (0 for a distractor).
        bones: parents before children.
        velocity: of the root, body units per unit of time, in the figure's own directions (x is forwards).
        spin: turn of the whole figure, radians per unit of time.
        upright: largest tilt of the whole figure, radians, to either side.
        stature: extent relative to other figures drawn at the same size (thin ones are drawn larger).
        facing: 1 where the figure's x axis points right, -1 where it points left (the figure is mirrored).
    """

    label: int
    bones: list[Bone] = field(default_factory=list)
    velocity: tuple[float, float] = (0.0, 0.0)
    spin: float = 0.0
    upright: float = 0.2
    stature: float = 1.0
    facing: float = 1.0

    def add(self, bone: Bone) -> int:
        """Add a bone and return its position."""
        self.bones.append(bone)
        return len(self.bones) - 1


@dataclass(frozen=True)
class Stance:
    """Where a figure stands at time 0: centre (x, y) in pixels, pixels per body unit, tilt in radians."""

    x: float
    y: float
    scale: float
    tilt: float


def pose(figure: Figure, stance: Stance, time: float) -> list[Affine]:
    """Map each bone's coordinates to pixels at a time."""
    forward, down = figure.velocity
    tilt = stance.tilt + figure.spin * time
    along, across = cosine(stance.tilt), sine(stance.tilt)
    forward *= figure.facing
    root = compose(
        turn(
            tilt,
            stance.x + stance.scale * time * (along * forward - across * down),
            stance.y + stance.scale * time * (across * forward + along * down),
        ),
        (stance.scale * figure.facing, 0.0, 0.0, 0.0, stance.scale, 0.0),
    )
    placed: list[Affine] = []
    for bone in figure.bones:
        parent = root if bone.parent < 0 else placed[bone.parent]
        placed.append(compose(parent, turn(bone.angle + bone.rate * time, *bone.joint)))
    return placed


def bend(wave: Wave, time: float, u: Float64Array) -> Float64Array:
    """How far points at `u` are displaced along v at a time, float64 of u's shape, body units."""
    return (wave.rest + wave.growth * u) * sine_array(wave.number * u + (wave.phase + wave.rate * time))


def outlines(figure: Figure, placed: list[Affine], time: float) -> list[Float64Array]:
    """Outline of each bone in pixels, float64 [N, 2]."""
    result = []
    for bone, (a, b, c, d, e, f) in zip(figure.bones, placed, strict=True):
        u, v = bone.outline[:, 0], bone.outline[:, 1]
        if bone.wave is not None:
            v = v + bend(bone.wave, time, u)
        result.append(np.stack([a * u + b * v + c, d * u + e * v + f], axis=1))
    return result

"""Quadrupeds, fish and snakes. All look towards +x and move that way."""

import numpy as np

from ssl_motion.puppets.body import Bone, Figure, Wave
from ssl_motion.puppets.exact import Dice, cosine, sine
from ssl_motion.puppets.labels import FISH, PART_IDS, QUADRUPED, SNAKE
from ssl_motion.puppets.shapes import capsule, polygon, profile, strip

_TURN = 6.283185307179586


def quadruped(dice: Dice) -> Figure:
    """Draw a four-legged animal from the side; the extent is from tail to nose."""
    facing_right = dice.chance(0.5)
    # The leg that the viewer sees in front is the animal's right one when it looks to the right.
    near, far = ("right", "left") if facing_right else ("left", "right")
    figure = Figure(
        QUADRUPED, velocity=(dice.between(0.08, 0.25), dice.around(0.04)), spin=dice.around(0.06), stature=1.1
    )
    figure.facing = 1.0 if facing_right else -1.0
    back, chest, thick = dice.between(0.09, 0.13), dice.between(0.1, 0.14), dice.between(0.034, 0.048)
    begin, end = -0.34, 0.25
    trunk = strip(begin, end, profile((0.55 * back, back, back, 0.5 * (back + chest), chest, 0.6 * chest)), 10)
    torso = figure.add(Bone(trunk, PART_IDS["quadruped-torso"], depth=3.0))
    lift, nod = dice.between(0.5, 1.25), _swing(dice, 0.18, 1.0)
    neck_length = dice.between(0.12, 0.26)
    # At angle 0 a limb hangs down; a neck of angle -pi + lift points up and forwards.
    neck = figure.add(
        Bone(
            capsule(neck_length, 0.075, 0.05), PART_IDS["quadruped-torso"], torso, (end - 0.05, -0.04),
            -3.14159 + lift + nod[0], nod[1], 3.2, None, False,
        )
    )  # fmt: skip
    head_angle = 1.57 - lift + dice.around(0.2)
    muzzle = capsule(dice.between(0.08, 0.14), 0.062, 0.036)
    head = figure.add(Bone(muzzle, PART_IDS["quadruped-head"], neck, (0.0, neck_length), head_angle, 0.3 * nod[1], 3.4))
    ear = dice.between(0.05, 0.1)
    figure.add(Bone(polygon((-0.04, 0.0), (-0.055 - ear, -0.045), (-0.03, -0.05)), PART_IDS["quadruped-head"], head,
                    depth=3.35, shade=False))  # fmt: skip
    wag = _swing(dice, 0.6, 1.5)
    tail = capsule(dice.between(0.14, 0.3), 0.03, 0.016)
    figure.add(Bone(tail, PART_IDS["quadruped-tail"], torso, (begin + 0.02, -0.04), 1.1 + wag[0], wag[1], 2.8))
    length = dice.between(0.13, 0.19)
    stride = dice.between(0.35, 0.65)
    phase = dice.between(0.0, _TURN)
    for where, x, drop in (("hind", begin + 0.09, 0.05), ("fore", end - 0.08, 0.06)):
        for own, shift, depth in ((far, 0.5, 1.0), (near, 0.0, 4.0)):
            gait = phase + _TURN * (shift + (0.25 if where == "fore" else 0.0)) + dice.around(0.5)
            label = PART_IDS[f"quadruped-{own}-{where}leg"]
            upper = figure.add(
                Bone(capsule(length, 1.7 * thick, thick), label, torso, (x + 0.02 * (depth > 2), drop),
                     stride * sine(gait), 2.4 * stride * cosine(gait), depth)
            )  # fmt: skip
            knee = 0.25 + 0.3 * cosine(gait)
            figure.add(
                Bone(capsule(length, thick, 0.75 * thick), label, upper, (0.0, length),
                     knee, -0.72 * sine(gait), depth + 0.1, None, False)
            )  # fmt: skip
    return figure


def _swing(dice: Dice, reach: float, tempo: float) -> tuple[float, float]:
    phase = dice.between(0.0, _TURN)
    return reach * sine(phase), tempo * reach * cosine(phase)


def fish(dice: Dice) -> Figure:
    """Draw a fish from the side, beating its tail; the extent is from nose to tail."""
    figure = Figure(
        FISH,
        velocity=(dice.between(0.12, 0.35), dice.around(0.06)),
        spin=dice.around(0.15),
        upright=0.5,
        facing=dice.sign(),
    )
    # The wave grows from nothing at the nose (u = 0.45) to the tail (u = -0.45) and travels backwards.
    reach = dice.between(0.07, 0.16)
    wave = Wave(
        rest=0.5 * reach,
        growth=-0.5 * reach / 0.45,
        number=dice.between(4.0, 7.0),
        phase=dice.between(0.0, _TURN),
        rate=dice.between(1.2, 2.4),
    )
    belly = dice.between(0.11, 0.19)
    trunk = strip(-0.25, 0.45, profile((0.3 * belly, 0.65 * belly, 0.92 * belly, belly, 0.85 * belly, 0.25 * belly)))
    body = figure.add(Bone(trunk, PART_IDS["fish-body"], depth=2.0, wave=wave))
    spread = dice.between(0.11, 0.17)
    tail = strip(-0.47, -0.22, profile((spread, 0.75 * spread, 0.28 * spread)), 8)
    notch = polygon((-0.38, 0.0))
    figure.add(Bone(np.concatenate([tail, notch]), PART_IDS["fish-tail"], depth=1.0, wave=wave))
    height = dice.between(0.08, 0.14)
    steps = [(0.2 - 0.05 * step, -0.8 * belly) for step in range(7)]
    fin = polygon(*steps, (-0.12, -0.85 * belly - 0.5 * height), (-0.02, -0.9 * belly - height), (0.1, -belly))
    figure.add(Bone(fin, PART_IDS["fish-fin"], depth=1.5, wave=wave))
    paddle = _swing(dice, 0.5, 2.0)
    flipper = capsule(dice.between(0.1, 0.15), 0.02, 0.035)
    figure.add(Bone(flipper, PART_IDS["fish-fin"], body, (0.14, 0.35 * belly), 0.7 + paddle[0], paddle[1], 3.0))
    return figure


def snake(dice: Dice) -> Figure:
    """Draw a snake; the extent is from tail to nose."""
    figure = Figure(
        SNAKE,
        velocity=(dice.between(0.15, 0.4), 0.0),
        spin=dice.around(0.15),
        upright=1.2,
        stature=1.1,
        facing=dice.sign(),
    )
    reach = dice.between(0.06, 0.12)
    wave = Wave(
        rest=reach,
        growth=-0.5 * reach,
        number=_TURN * dice.between(1.0, 1.7),
        phase=dice.between(0.0, _TURN),
        rate=dice.between(1.0, 2.2),
    )
    thick = dice.between(0.055, 0.08)
    trunk = strip(-0.5, 0.36, profile((0.25 * thick, 0.8 * thick, thick, thick, thick, 0.85 * thick)), 32)
    figure.add(Bone(trunk, PART_IDS["snake-body"], depth=1.0, wave=wave))
    skull = strip(0.33, 0.5, profile((0.8 * thick, 1.35 * thick, 1.3 * thick, 0.5 * thick)), 8)
    figure.add(Bone(skull, PART_IDS["snake-head"], depth=2.0, wave=wave))
    return figure

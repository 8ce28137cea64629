"""Articulated persons with LIP's part labels.

A person is seen from the front or from behind, so the own left arm is on the viewer's right or left. Clothes are drawn
at random and decide which of LIP's labels appear; every one of the nineteen can.
"""

from dataclasses import dataclass

from ssl_motion.puppets.body import Bone, Figure
from ssl_motion.puppets.exact import Dice, cosine, sine
from ssl_motion.puppets.labels import PART_IDS, PERSON
from ssl_motion.puppets.shapes import capsule, ellipse, polygon

_ARM_LENGTH, _LEG_LENGTH = 0.155, 0.205
_SHOULDER, _HIP = 0.105, 0.05


@dataclass(frozen=True)
class _Clothes:
    """What a person wears: labels of the torso, the upper leg and the sleeve, and the extras."""

    top: str
    bottom: str
    long_sleeves: bool
    long_legs: bool
    hat: bool
    gloves: bool
    sunglasses: bool
    scarf: bool
    socks: bool


def _dress(dice: Dice) -> _Clothes:
    top = ("upper-clothes", "coat", "dress", "jumpsuits")[dice.weighted((0.5, 0.2, 0.15, 0.15))]
    bottom = {"dress": "dress", "jumpsuits": "jumpsuits"}.get(top) or ("pants" if dice.chance(0.7) else "skirt")
    return _Clothes(
        top=top,
        bottom=bottom,
        long_sleeves=top in ("coat", "jumpsuits") or dice.chance(0.4),
        long_legs=bottom in ("pants", "jumpsuits") and dice.chance(0.65),
        hat=dice.chance(0.3),
        gloves=dice.chance(0.2),
        sunglasses=dice.chance(0.2),
        scarf=dice.chance(0.2),
        socks=dice.chance(0.4),
    )


def _swing(dice: Dice, middle: float, reach: float, tempo: float) -> tuple[float, float]:
    """Angle and rate of a joint somewhere in its swing."""
    phase = dice.between(0.0, 6.283185307179586)
    return middle + reach * sine(phase), tempo * reach * cosine(phase)


def person(dice: Dice) -> Figure:
    """Draw a person; the extent (1 body unit) is from top to toe."""
    clothes, frontal = _dress(dice), dice.chance(0.6)
    walk = dice.sign() if dice.chance(0.8) else 0.0
    figure = Figure(PERSON, velocity=(walk * dice.between(0.05, 0.2), dice.around(0.06)), upright=0.15, stature=1.15)
    figure.spin = dice.around(0.15)
    width = dice.between(1.1, 1.5)
    shoulder, hip = _SHOULDER * width, _HIP * width
    torso = figure.add(
        Bone(
            polygon(
                (-shoulder, -0.27), (-0.5 * shoulder, -0.31), (0.5 * shoulder, -0.31), (shoulder, -0.27),
                (hip + 0.03, -0.12), (hip + 0.045, 0.035), (-hip - 0.045, 0.035), (-hip - 0.03, -0.12),
            ),
            PART_IDS[clothes.top],
            depth=3.0,
        )
    )  # fmt: skip
    _add_head(figure, dice, torso, clothes, frontal)
    # Seen from the front, the own left side is at +x (the viewer's right).
    for side in (-1.0, 1.0):
        own = "left" if (side > 0) == frontal else "right"
        _add_arm(figure, dice, torso, clothes, own, side, shoulder)
        _add_leg(figure, dice, torso, clothes, own, side, hip, width)
    if clothes.bottom in ("skirt", "dress"):
        flare = dice.between(0.05, 0.1)
        skirt = polygon(
            (-hip - 0.04, -0.04), (hip + 0.04, -0.04), (hip + 0.05 + flare, 0.2), (-hip - 0.05 - flare, 0.2)
        )
        figure.add(Bone(skirt, PART_IDS[clothes.bottom], torso, depth=4.0, shade=clothes.bottom == "skirt"))
    return figure


def _add_head(figure: Figure, dice: Dice, torso: int, clothes: _Clothes, frontal: bool) -> None:
    angle, rate = _swing(dice, 0.0, 0.25, 1.0)
    across, down = dice.between(0.078, 0.095), 0.11
    skull = ellipse(0.0, -0.115, across, down)
    face = PART_IDS["face"]
    head = figure.add(Bone(skull, face if frontal else PART_IDS["hair"], torso, (0.0, -0.3), angle, rate, 5.0))
    figure.add(Bone(capsule(0.06, 0.032, 0.036), face, head, (0.0, -0.04), depth=2.5))
    if frontal:
        fringe = polygon(
            (-across - 0.014, -0.09), (-across - 0.006, -0.18), (-0.05, -0.238), (0.05, -0.238),
            (across + 0.006, -0.18), (across + 0.014, -0.09), (across - 0.016, -0.15), (-across + 0.016, -0.15),
        )  # fmt: skip
        figure.add(Bone(fringe, PART_IDS["hair"], head, depth=5.1))
        if clothes.sunglasses:
            glasses = polygon((-0.075, -0.135), (0.075, -0.135), (0.07, -0.092), (-0.07, -0.092))
            figure.add(Bone(glasses, PART_IDS["sunglasses"], head, depth=5.2))
    if clothes.hat:
        hat = polygon((-0.14, -0.165), (-0.08, -0.18), (-0.07, -0.275), (0.07, -0.275), (0.08, -0.18), (0.14, -0.165))
        figure.add(Bone(hat, PART_IDS["hat"], head, depth=5.3))
    if clothes.scarf:
        figure.add(Bone(ellipse(0.0, -0.3, 0.07, 0.03), PART_IDS["scarf"], torso, depth=5.4))


def _add_arm(figure: Figure, dice: Dice, torso: int, clothes: _Clothes, own: str, side: float, shoulder: float) -> None:
    arm = PART_IDS[f"{own}-arm"]
    sleeve = PART_IDS[clothes.top]
    depth = 3.5 if dice.chance(0.7) else 1.5
    angle, rate = _swing(dice, -side * dice.between(0.2, 1.5), 0.5, 1.3)
    elbow, elbow_rate = _swing(dice, -side * dice.between(0.0, 0.9), 0.5, 1.3)
    joint = (side * (shoulder - 0.015), -0.275)
    upper = figure.add(Bone(capsule(_ARM_LENGTH, 0.046, 0.04), sleeve, torso, joint, angle, rate, depth, None, False))
    lower = figure.add(
        Bone(
            capsule(_ARM_LENGTH - 0.01, 0.039, 0.032),
            sleeve if clothes.long_sleeves else arm,
            upper,
            (0.0, _ARM_LENGTH),
            elbow,
            elbow_rate,
            depth + 0.1,
            shade=not clothes.long_sleeves,
        )
    )
    hand = PART_IDS["glove"] if clothes.gloves else arm
    figure.add(Bone(ellipse(0.0, 0.165, 0.038, 0.042, 12), hand, lower, depth=depth + 0.2))


def _add_leg(
    figure: Figure, dice: Dice, torso: int, clothes: _Clothes, own: str, side: float, hip: float, width: float
) -> None:
    leg = PART_IDS[f"{own}-leg"]
    # Under a skirt or a dress the whole leg is bare.
    trousers = clothes.bottom in ("pants", "jumpsuits")
    thigh_label = PART_IDS[clothes.bottom] if trousers else leg
    angle, rate = _swing(dice, -0.1 * side, 0.5, 1.8)
    knee, knee_rate = _swing(dice, 0.0, 0.4, 1.3)
    thick = 0.052 * width
    upper = figure.add(
        Bone(capsule(_LEG_LENGTH, thick, 0.85 * thick), thigh_label, torso, (side * hip, 0.015), angle, rate, 2.0)
    )
    shin_label = thigh_label if clothes.long_legs or not trousers else leg
    shin = capsule(_LEG_LENGTH, 0.8 * thick, 0.6 * thick)
    lower = figure.add(
        Bone(shin, shin_label, upper, (0.0, _LEG_LENGTH), knee, knee_rate, 2.1, shade=shin_label != thigh_label)
    )
    if clothes.socks and not clothes.long_legs:
        sock = capsule(0.07, 0.68 * thick, 0.66 * thick)
        figure.add(Bone(sock, PART_IDS["socks"], lower, (0.0, _LEG_LENGTH - 0.075), depth=2.2))
    shoe = ellipse(side * 0.012, _LEG_LENGTH + 0.02, 0.056, 0.032, 12)
    figure.add(Bone(shoe, PART_IDS[f"{own}-shoe"], lower, depth=2.3))

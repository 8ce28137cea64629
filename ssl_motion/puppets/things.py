"""Vehicles, boxes, cloth, windmills, and the blobs that are no actor at all."""

from ssl_motion.puppets.body import Bone, Figure, Wave
from ssl_motion.puppets.exact import Dice, Float64Array
from ssl_motion.puppets.labels import BOX, CLOTH, PART_IDS, VEHICLE, WINDMILL
from ssl_motion.puppets.shapes import blob, ellipse, polygon, strip

_TURN = 6.283185307179586


def vehicle(dice: Dice) -> Figure:
    """Draw a car, van or pick-up from the side, driving forwards on turning wheels; the extent is its length."""
    speed = dice.between(0.3, 0.6)
    figure = Figure(
        VEHICLE, velocity=(speed, dice.around(0.03)), spin=dice.around(0.06), upright=0.15, facing=dice.sign()
    )
    floor, waist, roof = 0.12, dice.between(-0.08, -0.02), dice.between(-0.26, -0.17)
    kind = dice.below(3)
    if kind == 0:  # car
        body = polygon(
            (-0.5, floor), (-0.48, waist), (-0.34, waist - 0.02), (-0.22, roof), (0.08, roof),
            (0.22, waist - 0.02), (0.46, waist + 0.04), (0.5, floor),
        )  # fmt: skip
    elif kind == 1:  # van
        body = polygon(
            (-0.5, floor), (-0.5, roof), (0.26, roof), (0.38, waist - 0.02), (0.49, waist + 0.04), (0.5, floor)
        )
    else:  # pick-up
        body = polygon(
            (-0.5, floor), (-0.5, waist), (-0.06, waist), (-0.04, roof), (0.18, roof),
            (0.29, waist - 0.02), (0.48, waist + 0.03), (0.5, floor),
        )  # fmt: skip
    hull = figure.add(Bone(body, PART_IDS["vehicle-body"], depth=1.0))
    radius = dice.between(0.085, 0.115)
    angle = dice.between(0.0, _TURN)
    for x in (-0.29, 0.3) if dice.chance(0.75) else (-0.32, -0.08, 0.31):
        # Rolling without slipping: a wheel turns by the way over its radius.
        wheel = figure.add(
            Bone(ellipse(0, 0, radius, radius), PART_IDS["vehicle-wheel"], hull, (x, floor), angle, speed / radius, 2.0)
        )
        spoke = polygon((-0.8 * radius, -0.02), (0.8 * radius, -0.02), (0.8 * radius, 0.02), (-0.8 * radius, 0.02))
        figure.add(Bone(spoke, PART_IDS["vehicle-wheel"], wheel, depth=3.0))
    return figure


def box(dice: Dice) -> Figure:
    """Draw a rigid box of which three faces are seen, sliding and toppling; the extent is its diagonal, roughly."""
    figure = Figure(
        BOX,
        stature=0.9,
        velocity=(dice.around(0.4), dice.around(0.3)),
        spin=dice.around(0.5),
        upright=0.6,
        facing=dice.sign(),
    )
    half_width, half_height = dice.between(0.22, 0.32), dice.between(0.2, 0.32)
    back_x, back_y = dice.between(0.1, 0.2), -dice.between(0.1, 0.2)
    left, right, top, bottom = -half_width - 0.07, half_width - 0.07, -half_height + 0.07, half_height + 0.07
    front = polygon((left, top), (right, top), (right, bottom), (left, bottom))
    lid = polygon((left, top), (left + back_x, top + back_y), (right + back_x, top + back_y), (right, top))
    side = polygon((right, top), (right + back_x, top + back_y), (right + back_x, bottom + back_y), (right, bottom))
    for name, face in (("front", front), ("top", lid), ("side", side)):
        figure.add(Bone(face, PART_IDS[f"box-{name}"], depth=1.0))
    return figure


def _grid_strip(begin: float, end: float, half: float) -> Float64Array:
    return strip(begin, end, lambda _: half, 20)


def cloth(dice: Dice) -> Figure:
    """Draw a waving flag on a pole; the extent is its length."""
    figure = Figure(
        CLOTH,
        stature=0.9,
        velocity=(dice.around(0.15), dice.around(0.15)),
        spin=dice.around(0.12),
        upright=0.6,
        facing=dice.sign(),
    )
    half, tall = dice.between(0.17, 0.28), dice.between(0.3, 0.5)
    reach = dice.between(0.06, 0.12)
    # No motion at the pole (u = -0.42), most at the free edge.
    wave = Wave(
        rest=reach * 0.46,
        growth=reach * 0.46 / 0.42,
        number=dice.between(6.0, 11.0),
        phase=dice.between(0.0, _TURN),
        rate=-dice.between(1.0, 2.2),
    )
    figure.add(Bone(_grid_strip(-0.42, 0.5, half), PART_IDS["cloth-sheet"], depth=1.0, wave=wave))
    pole = polygon((-0.455, -half - 0.04), (-0.415, -half - 0.04), (-0.415, half + tall), (-0.455, half + tall))
    figure.add(Bone(pole, PART_IDS["cloth-pole"], depth=2.0))
    return figure


def windmill(dice: Dice) -> Figure:
    """Draw a windmill with three to five turning blades; the extent is from the foot to the top blade's tip."""
    figure = Figure(WINDMILL, upright=0.15, stature=1.15)
    base, neck = dice.between(0.11, 0.17), dice.between(0.04, 0.07)
    hub = -0.12
    tower = polygon((-neck, hub), (neck, hub), (base, 0.5), (-base, 0.5))
    foot = figure.add(Bone(tower, PART_IDS["windmill-tower"], depth=1.0))
    count = 3 + dice.below(3)
    begin, rate = dice.between(0.0, _TURN), dice.sign() * dice.between(0.5, 1.0)
    length, wide = dice.between(0.3, 0.38), dice.between(0.075, 0.11)
    for number in range(count):
        blade = polygon((-0.022, 0.0), (0.022, 0.0), (wide, 0.35 * length), (0.9 * wide, length), (-0.035, length))
        figure.add(Bone(blade, PART_IDS["windmill-blade"], foot, (0.0, hub), begin + _TURN * number / count, rate, 2.0))
    return figure


def distractor(dice: Dice) -> Figure:
    """Draw a blob that never moves by itself and has no class."""
    figure = Figure(0, upright=_TURN / 2)
    figure.add(Bone(blob(dice), 0))
    return figure

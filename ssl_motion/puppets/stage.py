"""Setting a scene: which figures stand where, how they and the camera move, and in what order they are painted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ssl_motion.puppets.body import Figure, Stance, Wave, outlines, pose
from ssl_motion.puppets.creatures import fish, quadruped, snake
from ssl_motion.puppets.exact import IDENTITY, Affine, Dice, Float64Array, compose, turn
from ssl_motion.puppets.labels import BOX, CLOTH, FISH, PERSON, QUADRUPED, SNAKE, VEHICLE, WINDMILL
from ssl_motion.puppets.people import person
from ssl_motion.puppets.textures import Colour, Texture, draw_texture, texel_map
from ssl_motion.puppets.things import box, cloth, distractor, vehicle, windmill
from ssl_motion.puppets.worlds import REFERENCE_SIDE, World

FIGURES: dict[int, Callable[[Dice], Figure]] = {
    PERSON: person,
    QUADRUPED: quadruped,
    FISH: fish,
    VEHICLE: vehicle,
    BOX: box,
    CLOTH: cloth,
    WINDMILL: windmill,
    SNAKE: snake,
}


@dataclass(frozen=True)
class Piece:
    """One painted piece: a bone of a placed figure, or the ground.

    Attributes:
        label: number in `CLASSES`.
        instance: number of the actor from 1; 0 for ground and distractors.
        part: number in `PARTS`.
        places: maps from the piece's coordinates to pixels in frame t and in frame t + 1.
        outlines: float64 [N, 2] pixels in frame t and in frame t + 1; empty for the ground, which is everywhere.
        wave: how it is bent, or None.
        until: the actor's time in frame t + 1 (0 in frame t).
        texels: map from the piece's coordinates to texels.
        texture: of the figure.
        shade: grey levels added to the texture's colours.
        figure: whose bone it is; None for the ground.
        bone: its position in the figure.
    """

    label: int
    instance: int
    part: int
    places: tuple[Affine, Affine]
    outlines: tuple[Float64Array, Float64Array]
    wave: Wave | None
    until: float
    texels: Affine
    texture: Texture
    shade: float
    figure: Figure | None = None
    bone: int = -1


def set_stage(dice: Dice, world: World, side: int, classes: Sequence[int] = tuple(FIGURES)) -> list[Piece]:
    """Draw a scene at random.

    Args:
        dice: the scene's own stream of draws.
        world: grade.
        side: of the frame in pixels.
        classes: of the actors, equally likely.

    Returns:
        Pieces from back to front; the first is the ground.
    """
    camera = _camera(dice, world, side)
    ground = draw_texture(dice, world, side, world.ground_contrast)
    nothing = np.empty((0, 2))
    pieces = [Piece(0, 0, 0, (IDENTITY, camera), (nothing, nothing), None, 0.0, texel_map(ground, 1.0), ground, 0.0)]
    cast = [True] * (1 + dice.weighted(world.actors)) + [False] * dice.weighted(world.distractors)
    # A random order of painting; the further back, the sooner.
    cast = [is_actor for _, is_actor in sorted((dice.unit(), is_actor) for is_actor in cast)]
    colours = [ground.first]
    instance = 0
    for is_actor in cast:
        instance += is_actor
        pieces += _enter(dice, world, side, camera, instance if is_actor else 0, colours, classes)
    return pieces


def _enter(
    dice: Dice,
    world: World,
    side: int,
    camera: Affine,
    instance: int,
    colours: list[Colour],
    classes: Sequence[int],
) -> list[Piece]:
    """Draw one actor (or, with instance 0, a distractor) and place it; its colour joins `colours`."""
    if instance:
        figure = FIGURES[dice.pick(classes)](dice)
        extent, speed = dice.between(*world.actor_size), dice.between(*world.motion)
        is_still = dice.chance(world.still_actors)
    else:
        figure, extent, speed, is_still = distractor(dice), dice.between(0.12, 0.3), 0.0, True
    stance = Stance(
        x=dice.between(0.22, 0.78) * side,
        y=dice.between(0.25, 0.75) * side,
        scale=extent * figure.stature * side,
        tilt=dice.around(figure.upright),
    )
    texture = draw_texture(dice, world, side, world.actor_contrast, colours)
    colours.append(texture.first)
    begin = pose(figure, stance, 0.0)
    before = outlines(figure, begin, 0.0)
    until, end, after = 0.0, [compose(camera, place) for place in begin], before
    if is_still:
        after = [_mapped(camera, outline) for outline in before]
    else:
        until = 1.0
        moved = outlines(figure, pose(figure, stance, until), until)
        until = speed * side / REFERENCE_SIDE / _farthest(before, moved)
        limit = 0.97 * world.max_flow * side / REFERENCE_SIDE
        while True:
            end = [compose(camera, place) for place in pose(figure, stance, until)]
            after = outlines(figure, end, until)
            farthest = _farthest(before, after)
            if farthest <= limit:
                break
            until *= 0.9 * limit / farthest
    shades = [dice.around(world.shade) if bone.shade else 0.0 for bone in figure.bones]
    for number, bone in enumerate(figure.bones):
        if not bone.shade and bone.parent >= 0:
            shades[number] = shades[bone.parent]
    texels = texel_map(texture, stance.scale)
    pieces = [
        Piece(
            figure.label, instance, bone.part, (begin[number], end[number]), (before[number], after[number]),
            bone.wave, until, texels, texture, shades[number], figure, number,
        )
        for number, bone in enumerate(figure.bones)
    ]  # fmt: skip
    return [pieces[number] for number in sorted(range(len(pieces)), key=lambda number: figure.bones[number].depth)]


def _mapped(affine: Affine, points: Float64Array) -> Float64Array:
    a, b, c, d, e, f = affine
    x, y = points[:, 0], points[:, 1]
    return np.stack([a * x + b * y + c, d * x + e * y + f], axis=1)


def _farthest(before: list[Float64Array], after: list[Float64Array]) -> float:
    """Largest displacement of a corner of the outlines, pixels."""
    way = np.concatenate(after) - np.concatenate(before)
    return float(np.sqrt((way * way).sum(axis=1).max()))


def _camera(dice: Dice, world: World, side: int) -> Affine:
    """Map the ground's pixels of frame t to those of frame t + 1."""
    shift = world.camera_shift * side / REFERENCE_SIDE
    moves = dice.chance(world.camera_moves)
    x, y = dice.around(shift), dice.around(shift)
    zoom, roll = 1.0 + dice.around(world.camera_zoom), dice.around(world.camera_roll)
    if not moves:
        return IDENTITY
    middle = 0.5 * (side - 1)
    centred = compose((zoom, 0.0, 0.0, 0.0, zoom, 0.0), (1.0, 0.0, -middle, 0.0, 1.0, -middle))
    return compose(turn(roll, middle + x, middle + y), centred)

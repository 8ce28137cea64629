"""What is asked of a model: one arrow on one part of a figure, and what the articulated figure does under it.

Lengths are pixels at a side of 96 (`REFERENCE_SIDE`) and grow with the side. See protocol.md for the rules and why.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from scipy.ndimage import distance_transform_edt

from ssl_motion.data.sample import BoolArray
from ssl_motion.propagation.guidance import Guidance, PointNumbers
from ssl_motion.puppets import CLASSES, PARTS, Articulation
from ssl_motion.puppets.exact import Float64Array
from ssl_motion.puppets.worlds import REFERENCE_SIDE
from ssl_motion.seeding import generator

Kind = Literal["turn", "shift"]
KINDS: tuple[Kind, ...] = get_args(Kind)

LENGTH = 5.0
"""Length of every arrow, about the middle of the motions that the built-in worlds show."""

LEAST_SEEN = 30.0
"""A part is asked about where at least so many of its pixels are seen; so much must be seen of what holds it, too."""

LEAST_LEVER = 8.0
"""A part is turned where its arrow can stand at least so far from the joint."""


@dataclass(frozen=True)
class Query:
    """An arrow on a part, with what follows from it. All maps are of frame t, [H, W].

    Attributes:
        kind: whether the part turns about its joint, or its whole figure is shifted.
        owner: class of its figure.
        part: name of the guided part.
        guidance: the arrow, and a still point where one is given.
        truth: float64 [H, W, 2], displacement of what every pixel shows.
        group: bool, the rigid group of the guided part.
        moving: bool, what moves: the group with all that it carries.
        rest: bool, the rest of its figure; it stays.
        others: bool, other figures, as far as they could move.
        fixed: bool, what can never move: ground, distractors, parts of figures that go nowhere.
        reach: float64, distance from the joint by that of the arrow's foot; NaN for shifts.
    """

    kind: Kind
    owner: str
    part: str
    guidance: Guidance
    truth: Float64Array
    group: BoolArray
    moving: BoolArray
    rest: BoolArray
    others: BoolArray
    fixed: BoolArray
    reach: Float64Array


def queries(scene: Articulation, index: int, still: bool) -> list[Query]:
    """Ask about a scene: of every actor, a shift of the whole and a turn of one limb, as far as they can be seen.

    Args:
        scene: the scene.
        index: of the scene; what is drawn at random hangs on it, and not on the seed of a run.
        still: whether a still point says what else must stay.
    """
    found: list[Query] = []
    if not scene.seen(scene.fixed).any():
        return found
    for instance in sorted({group.instance for group in scene.groups} - {0}):
        numbers = [number for number, group in enumerate(scene.groups) if group.instance == instance]
        if any(scene.groups[number].bends for number in numbers):
            continue
        rng = generator(0, "motion probe", index, instance)
        direction, sign, choice = 2 * math.pi * rng.random(), 1.0 if rng.random() < 0.5 else -1.0, rng.random()
        roots = [number for number in numbers if scene.groups[number].parent < 0 and _is_plain(scene, number)]
        limbs = [number for number in numbers if _lever(scene, number) >= LEAST_LEVER * _scale(scene)]
        if roots and not scene.groups[roots[0]].is_fixed:
            found.append(_shift(scene, roots[0], direction, still))
        if limbs:
            found.append(_turn(scene, limbs[int(choice * len(limbs))], sign, still))
    return found


def _scale(scene: Articulation) -> float:
    side: int = scene.shown.shape[1]
    return side / REFERENCE_SIDE


def _is_plain(scene: Articulation, *numbers: int) -> bool:
    """Whether enough is seen of some groups."""
    return int(scene.seen(frozenset(numbers)).sum()) >= LEAST_SEEN * _scale(scene) ** 2


def _depth(mask: BoolArray) -> Float64Array:
    """Distance of every pixel of a region to the nearest pixel outside; the picture's border counts as outside."""
    depth: Float64Array = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    return depth


def _deepest(mask: BoolArray) -> tuple[int, int]:
    """The pixel (x, y) of a region, not empty, that is farthest from its border; the first of several."""
    row, column = np.unravel_index(int(_depth(mask).argmax()), mask.shape)
    return int(column), int(row)


def _distance(scene: Articulation, number: int) -> Float64Array:
    """Distance of every pixel from the joint of a group."""
    joint = scene.groups[number].joint
    assert joint is not None
    rows, columns = np.indices(scene.shown.shape)
    distance: Float64Array = np.hypot(columns - joint[0], rows - joint[1])
    return distance


def _tip(scene: Articulation, number: int) -> tuple[int, int]:
    """Where a limb is pulled, (x, y): far from its joint, and not at its border, where a point says little."""
    depth = _depth(scene.seen(frozenset((number,))))
    far = np.where(depth >= 0.5 * depth.max(), _distance(scene, number), -1.0)
    row, column = np.unravel_index(int(far.argmax()), far.shape)
    return int(column), int(row)


def _lever(scene: Articulation, number: int) -> float:
    """Distance of a limb's tip from its joint; 0 for what is no limb, or not plain to see, or held by nothing seen."""
    group = scene.groups[number]
    rest = scene.figure(number) - scene.carried(number)
    if group.joint is None or not _is_plain(scene, number) or not _is_plain(scene, *rest):
        return 0.0
    x, y = _tip(scene, number)
    return float(_distance(scene, number)[y, x])


def _turn(scene: Articulation, number: int, sign: float, still: bool) -> Query:
    foot, distance = _tip(scene, number), _distance(scene, number)
    lever = float(distance[foot[1], foot[0]])
    # The chord of the turn is the arrow.
    angle = sign * 2 * math.asin(0.5 * LENGTH * _scale(scene) / lever)
    carried = scene.carried(number)
    rest = scene.seen(scene.figure(number) - carried)
    maps = {"moving": scene.seen(carried), "rest": rest, "reach": distance / lever}
    return _query(scene, number, "turn", foot, scene.turned(number, angle), rest if still else None, maps)


def _shift(scene: Articulation, number: int, direction: float, still: bool) -> Query:
    foot = _deepest(scene.seen(frozenset((number,))))
    length = LENGTH * _scale(scene)
    truth = scene.shifted(number, (length * math.cos(direction), length * math.sin(direction)))
    moving = scene.seen(scene.figure(number))
    maps = {"moving": moving, "rest": np.zeros_like(moving), "reach": np.full(moving.shape, np.nan)}
    return _query(scene, number, "shift", foot, truth, scene.seen(scene.fixed) if still else None, maps)


def _query(
    scene: Articulation,
    number: int,
    kind: Kind,
    foot: tuple[int, int],
    truth: Float64Array,
    stays: BoolArray | None,
    maps: dict[str, Any],
) -> Query:
    dx, dy = truth[foot[1], foot[0]].tolist()
    stills: list[PointNumbers] = [_deepest(stays)] if stays is not None else []
    actors = frozenset(each for each, group in enumerate(scene.groups) if group.instance)
    return Query(
        kind=kind,
        owner=CLASSES[scene.groups[number].label],
        part=PARTS[scene.groups[number].parts[0]],
        guidance=Guidance(arrows=[(*foot, dx, dy)], stills=stills),
        truth=truth,
        group=scene.seen(frozenset((number,))),
        others=scene.seen(actors - scene.figure(number) - scene.fixed),
        fixed=scene.seen(scene.fixed),
        **maps,
    )

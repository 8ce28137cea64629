"""What could move in a scene, and how: rigid groups, the joints between them, and what is fixed.

Bones between which nothing can turn form a rigid group: a shin with its sock and shoe, a torso with its scarf, the
blades of a windmill, which turn together. Groups hang on one another as their bones do. Frame t alone is looked at:
what is told here is true of every motion that the figures could make, not of the one that the scene happens to show.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ssl_motion.data.sample import BoolArray
from ssl_motion.puppets.body import Figure, Wave
from ssl_motion.puppets.exact import Float64Array, compose, turn
from ssl_motion.puppets.painter import Painter
from ssl_motion.puppets.stage import Piece

GROUND = 0
"""Number of the ground's group."""


@dataclass(frozen=True)
class RigidGroup:
    """Bones of one figure that are fixed to one another; or the ground.

    Attributes:
        figure: number of its figure in the scene, distractors included; -1 for the ground.
        instance: number of its actor, as in `Scene.instances`; 0 for ground and distractors.
        label: number in `CLASSES`.
        parts: numbers in `PARTS` of its bones, each once.
        parent: number of the group that it hangs on; -1 where it hangs on none.
        joint: (x, y) in pixels of frame t that it turns about against its parent; None where it does not turn.
        bends: whether a wave bends it: then its bones belong together, but are not rigid.
        is_fixed: whether it can never move against the ground.
    """

    figure: int
    instance: int
    label: int
    parts: tuple[int, ...]
    parent: int
    joint: tuple[float, float] | None
    bends: bool
    is_fixed: bool


@dataclass(frozen=True)
class Articulation:
    """The rigid groups of a scene.

    Attributes:
        groups: by number; the first is the ground.
        shown: int64 [H, W], number of the group that each pixel of frame t shows.
    """

    groups: tuple[RigidGroup, ...]
    shown: npt.NDArray[np.int64]

    def carried(self, number: int) -> frozenset[int]:
        """A group with all that hangs on it, directly or through others: what moves when it turns about its joint."""
        moving = {number}
        for other, group in enumerate(self.groups):  # parents come before children
            if group.parent in moving:
                moving.add(other)
        return frozenset(moving)

    def figure(self, number: int) -> frozenset[int]:
        """All groups of the figure that a group belongs to; of the ground, itself."""
        return frozenset(other for other, group in enumerate(self.groups) if group.figure == self.groups[number].figure)

    def seen(self, numbers: frozenset[int]) -> BoolArray:
        """Which pixels of frame t show one of some groups, bool [H, W]."""
        return np.isin(self.shown, list(numbers))

    @property
    def fixed(self) -> frozenset[int]:
        """The groups that can never move against the ground, which is one of them."""
        return frozenset(number for number, group in enumerate(self.groups) if group.is_fixed)

    def turned(self, number: int, angle: float) -> Float64Array:
        """Where everything goes if a group turns about its joint, and all other joints keep their angles.

        Args:
            number: of a group that has a joint.
            angle: in radians, from +x (right) towards +y (down).

        Returns:
            Displacement of what each pixel of frame t shows, float64 [H, W, 2] in pixels (right, down).
        """
        joint = self.groups[number].joint
        assert joint is not None, f"group {number} does not turn"
        a, b, c, d, e, f = compose(turn(angle, *joint), turn(0.0, -joint[0], -joint[1]))
        field, moving = np.zeros((*self.shown.shape, 2)), self.seen(self.carried(number))
        y, x = np.nonzero(moving)
        field[moving] = np.stack([a * x + b * y + c - x, d * x + e * y + f - y], axis=1)
        return field

    def shifted(self, number: int, vector: tuple[float, float]) -> Float64Array:
        """Where everything goes if a group's whole figure is shifted, and all its joints keep their angles.

        Args:
            number: of any group of the figure.
            vector: of the shift, pixels (right, down).

        Returns:
            As `turned`.
        """
        field = np.zeros((*self.shown.shape, 2))
        field[self.seen(self.figure(number))] = vector
        return field


def articulate(painter: Painter) -> Articulation:
    """Find the rigid groups of a scene."""
    groups = [RigidGroup(-1, 0, 0, (0,), -1, None, bends=False, is_fixed=True)]
    group_of = np.full(len(painter.pieces), GROUND)
    figures: dict[int, list[int]] = {}
    for number, piece in enumerate(painter.pieces):
        if piece.figure is not None:
            figures.setdefault(id(piece.figure), []).append(number)
    for count, numbers in enumerate(figures.values()):
        numbers = sorted(numbers, key=lambda number: painter.pieces[number].bone)
        group_of[numbers] = _add_figure(groups, count, [painter.pieces[number] for number in numbers])
    return Articulation(tuple(groups), group_of[painter.shown(0)].reshape(painter.side, painter.side))


def _add_figure(groups: list[RigidGroup], count: int, pieces: list[Piece]) -> list[int]:
    """Add the groups of a figure to `groups`, given all its pieces in the order of its bones; say each one's group."""
    figure, instance = pieces[0].figure, pieces[0].instance
    assert figure is not None
    stands = instance == 0 or (figure.velocity == (0.0, 0.0) and figure.spin == 0.0)
    frames = _frames(figure)
    known: dict[tuple[int, Wave | None], int] = {}
    found: list[int] = []
    for piece, frame in zip(pieces, frames, strict=True):
        bone = figure.bones[piece.bone]
        key = frame, bone.wave
        if key not in known:
            known[key] = len(groups)
            leader = frame if frame >= 0 else piece.bone
            holder = figure.bones[leader].parent
            place = pieces[leader].places[0]
            groups.append(
                RigidGroup(
                    figure=count,
                    instance=instance,
                    label=piece.label,
                    parts=(),
                    parent=found[holder] if holder >= 0 else -1,
                    joint=(place[2], place[5]) if frame >= 0 else None,
                    bends=bone.wave is not None,
                    is_fixed=stands and frame < 0 and bone.wave is None,
                )
            )
        number = known[key]
        group = groups[number]
        if bone.part not in group.parts:
            groups[number] = replace(group, parts=(*group.parts, bone.part))
        found.append(number)
    return found


def _frames(figure: Figure) -> list[int]:
    """Name for each bone the first of those that turn with it, being fixed to one another; -1 where it is the root."""
    frames: list[int] = []
    turning: dict[tuple[int, tuple[float, float], float], int] = {}
    for number, bone in enumerate(figure.bones):
        if bone.rate == 0.0:
            frames.append(frames[bone.parent] if bone.parent >= 0 else -1)
        else:
            # Bones on one joint that turn at one rate, as the blades of a windmill, turn as one.
            frames.append(turning.setdefault((bone.parent, bone.joint, bone.rate), number))
    return frames

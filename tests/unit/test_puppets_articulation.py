"""Rigid groups and joints: against the poses of the figures, and true fields against what the painter renders."""

import numpy as np
import pytest

from ssl_motion.puppets import WORLDS, Articulation, articulation, render
from ssl_motion.puppets.articulation import GROUND, articulate
from ssl_motion.puppets.body import Bone, Figure, Stance, outlines, pose
from ssl_motion.puppets.exact import IDENTITY, Dice, compose, invert
from ssl_motion.puppets.labels import CLASSES, PARTS, WINDMILL
from ssl_motion.puppets.painter import Painter
from ssl_motion.puppets.shapes import capsule, polygon
from ssl_motion.puppets.stage import FIGURES, Piece, set_stage
from ssl_motion.puppets.textures import Texture
from ssl_motion.spec import PuppetsSpec

TEXTURE = Texture(0, (100.0, 120.0, 140.0), (20.0, -20.0, 10.0), 0.3, 1.0, (3.0, 5.0), 1.0)
NOTHING = np.empty((0, 2))
GROUND_PIECE = Piece(0, 0, 0, (IDENTITY, IDENTITY), (NOTHING, NOTHING), None, 0.0, IDENTITY, TEXTURE, 0.0)
STANCE = Stance(x=40.0, y=30.0, scale=60.0, tilt=0.2)


def painted(figure: Figure, side: int = 96) -> Painter:
    """A figure alone on the ground, in its pose of time 0 and of time 1."""
    places = pose(figure, STANCE, 0.0), pose(figure, STANCE, 1.0)
    shapes = outlines(figure, places[0], 0.0), outlines(figure, places[1], 1.0)
    pieces = [
        Piece(
            1, 1, bone.part, (places[0][n], places[1][n]), (shapes[0][n], shapes[1][n]),
            bone.wave, 1.0, IDENTITY, TEXTURE, 0.0, figure, n,
        )
        for n, bone in enumerate(figure.bones)
    ]  # fmt: skip
    # As in a scene, pieces are painted in another order than that of the bones.
    order = sorted(range(len(pieces)), key=lambda n: figure.bones[n].depth)
    return Painter([GROUND_PIECE, *(pieces[n] for n in order)], side)


def leg(hip: float = 0.0, knee: float = 0.0, velocity: tuple[float, float] = (0.0, 0.0)) -> Figure:
    """A body with a leg of two limbs and a shoe, which turn at these rates."""
    figure = Figure(1, velocity=velocity, spin=0.0 if velocity == (0.0, 0.0) else 1e-9, facing=-1.0)
    body = figure.add(Bone(polygon((-0.3, -0.2), (0.3, -0.2), (0.3, 0.1), (-0.3, 0.1)), 5, depth=2.0))
    thigh = figure.add(Bone(capsule(0.3, 0.08, 0.07), 9, body, (0.1, 0.05), 0.3, hip, depth=1.0))
    shin = figure.add(Bone(capsule(0.25, 0.07, 0.05), 16, thigh, (0.0, 0.3), -0.4, knee, depth=0.5))
    figure.add(Bone(capsule(0.1, 0.05, 0.05), 18, shin, (0.0, 0.25), 1.2, depth=3.0))
    return figure


def flow_of(painter: Painter) -> np.ndarray:
    grid = np.stack(np.meshgrid(np.arange(painter.side), np.arange(painter.side)), axis=-1)
    return painter.targets().reshape(painter.side, painter.side, 2) - grid


def group_with(scene: Articulation, part: int) -> int:
    return next(number for number, group in enumerate(scene.groups) if part in group.parts)


@pytest.mark.parametrize(("hip", "knee", "part"), [(0.35, 0.0, 9), (0.0, -0.5, 16)])
def test_a_turning_limb_goes_where_the_painter_renders_it(hip: float, knee: float, part: int) -> None:
    painter = painted(leg(hip, knee))
    scene = articulate(painter)
    number = group_with(scene, part)
    # The figure looks to the left: what turns one way in its own coordinates turns the other way in the picture.
    field = scene.turned(number, -(hip + knee))
    assert np.abs(field).max() > 3
    np.testing.assert_allclose(field, flow_of(painter), atol=1e-6)


def test_a_figure_that_is_shifted_goes_where_the_painter_renders_it() -> None:
    painter = painted(leg(velocity=(0.1, 0.05)))
    flow, scene = flow_of(painter), articulate(painter)
    vector = flow[scene.shown > 0].mean(axis=0)
    assert np.linalg.norm(vector) > 5
    np.testing.assert_allclose(scene.shifted(1, (vector[0], vector[1])), flow, atol=1e-6)


def test_groups_joints_and_what_hangs_on_what() -> None:
    painter = painted(leg(0.35, -0.5, velocity=(0.1, 0.0)))
    scene = articulate(painter)
    body, thigh, shin = (group_with(scene, part) for part in (5, 9, 16))
    assert scene.groups[shin].parts == (16, 18), "shin and shoe are one"
    assert [scene.groups[each].parent for each in (body, thigh, shin)] == [-1, body, thigh]
    assert scene.groups[body].joint is None
    a, b, c, d, e, f = pose(leg(), STANCE, 0.0)[0]
    assert scene.groups[thigh].joint == pytest.approx((a * 0.1 + b * 0.05 + c, d * 0.1 + e * 0.05 + f))
    assert scene.carried(thigh) == {thigh, shin}
    assert scene.figure(shin) == {body, thigh, shin}
    assert scene.fixed == {GROUND}
    assert articulate(painted(leg(0.35, -0.5))).fixed == {GROUND, body}, "a figure that goes nowhere is fixed"


@pytest.mark.parametrize("label", FIGURES)
def test_bones_of_one_group_keep_their_places_to_each_other_and_others_do_not(label: int) -> None:
    for seed in range(5):
        figure = FIGURES[label](Dice(seed, "articulation test", label))
        scene = articulate(painted(figure))
        places = [pose(figure, STANCE, time) for time in (0.0, 0.3, 1.0)]
        group_of = _groups_of_bones(figure)
        assert len(set(group_of)) == len(scene.groups) - 1
        for one in range(len(figure.bones)):
            for other in range(one):
                # Sines here are exact to 1e-9.
                steady = np.ptp([compose(invert(place[one]), place[other]) for place in places], axis=0).max() < 1e-7
                alike = figure.bones[one].wave == figure.bones[other].wave
                assert (group_of[one] == group_of[other]) == (steady and alike), (PARTS[figure.bones[one].part], other)


def _groups_of_bones(figure: Figure) -> list[int]:
    """Which group each bone is in, seen from outside: by painting it alone in front of the others."""
    found = []
    for number in range(len(figure.bones)):
        pieces = painted(figure, side=8).pieces
        piece = next(each for each in pieces if each.figure is not None and each.bone == number)
        everywhere = np.array([(-9.0, -9.0), (200.0, -9.0), (200.0, 200.0), (-9.0, 200.0)])
        pieces[pieces.index(piece)] = Piece(**{**vars(piece), "outlines": (everywhere, everywhere)})
        front = sorted(pieces, key=lambda each: each.figure is not None and each.bone == number)
        shown = np.unique(articulate(Painter(front, 8)).shown)
        assert shown.size == 1
        found.append(int(shown[0]))
    return found


def test_scenes_tell_what_they_are_made_of() -> None:
    windmills = distractors = 0
    for index in range(60):
        scene = render(PuppetsSpec(), "test", index)
        parts = articulation(PuppetsSpec(), "test", index)
        instances = np.array([group.instance for group in parts.groups])
        np.testing.assert_array_equal(instances[parts.shown], scene.instances)
        np.testing.assert_array_equal(np.array([group.label for group in parts.groups])[parts.shown], scene.semantic)
        for number in np.unique(parts.shown):
            assert set(np.unique(scene.parts[parts.shown == number])) <= set(parts.groups[number].parts)
        for group in parts.groups[1:]:
            tower = group.label == WINDMILL and "windmill-tower" in {PARTS[part] for part in group.parts}
            assert group.is_fixed == (group.instance == 0 or tower), CLASSES[group.label]
            windmills += tower
            distractors += group.instance == 0
    assert windmills > 3
    assert distractors > 10


def test_what_is_fixed_does_not_move_in_a_still_world() -> None:
    for index in range(40):
        painter = Painter(set_stage(Dice(0, "puppets/test", index), WORLDS["still"], 96), 96)
        parts = articulate(painter)
        assert np.abs(flow_of(painter)[parts.seen(parts.fixed)]).max() < 1e-9

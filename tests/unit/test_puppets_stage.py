"""What stands on the stage: labels against the figures, sides of bodies, colours, the worlds' grades."""

import math

import numpy as np
import pytest

from ssl_motion.puppets import CLASSES, LIP_PARTS, PALETTE, PARTS, WORLDS, render
from ssl_motion.puppets.creatures import quadruped
from ssl_motion.puppets.exact import IDENTITY, Dice
from ssl_motion.puppets.labels import PART_IDS
from ssl_motion.puppets.people import person
from ssl_motion.puppets.stage import FIGURES, set_stage
from ssl_motion.spec import PuppetsSpec


def test_labels_agree_with_each_other():
    seen = np.zeros(len(CLASSES), bool)
    for index in range(60):
        scene = render(PuppetsSpec(), "train", index)
        seen[np.unique(scene.semantic)] = True
        np.testing.assert_array_equal(scene.semantic > 0, scene.instances > 0)
        np.testing.assert_array_equal(scene.semantic > 0, scene.parts > 0)
        for label, part in np.unique(np.stack([scene.semantic, scene.parts]).reshape(2, -1), axis=1).T:
            name = PARTS[part]
            owner = CLASSES[label]
            assert name.startswith(owner) or (owner == "person" and 0 < part < len(LIP_PARTS)) or owner == "background"
        for instance in range(1, scene.instances.max() + 1):
            assert len(np.unique(scene.semantic[scene.instances == instance])) <= 1
    assert seen.all()
    assert PALETTE[1:4].tolist() == [[128, 0, 0], [0, 128, 0], [128, 128, 0]]
    assert PARTS[: len(LIP_PARTS)] == LIP_PARTS
    assert (PARTS[14], PARTS[17], PARTS[19]) == ("left-arm", "right-leg", "right-shoe")


def test_a_persons_left_is_its_own():
    labels = set()
    for index in range(300):
        figure = person(Dice(0, "test", index))
        labels |= {bone.part for bone in figure.bones}
        frontal = any(bone.part == PART_IDS["hair"] and bone.depth == 5.1 for bone in figure.bones)
        for side in ("left", "right"):
            thigh = next(
                figure.bones[figure.bones[bone.parent].parent]
                for bone in figure.bones
                if bone.part == PART_IDS[f"{side}-shoe"]
            )
            # From the front, the own left is the viewer's right (+x); from behind it is the other way round.
            assert (thigh.joint[0] > 0) == ((side == "left") == frontal)
    assert labels == set(range(1, len(LIP_PARTS)))


def test_a_quadrupeds_near_legs_are_on_the_viewers_side():
    for index in range(20):
        figure = quadruped(Dice(0, "test", index))
        depth = {PARTS[bone.part]: bone.depth for bone in figure.bones}
        near = "right" if figure.facing > 0 else "left"
        torso = next(bone.depth for bone in figure.bones if bone.part == PART_IDS["quadruped-torso"])
        for name, height in depth.items():
            if "leg" in name:
                assert (height > torso) == (near in name)


def _stages(world, count):
    return [set_stage(Dice(0, "puppets/pairs", index), WORLDS[world], 96) for index in range(count)]


def test_colours_tell_nothing_about_the_class():
    """Mean colour, contrast and texture size of each class are those of all classes, within five standard errors."""
    looks: dict[int, list[list[float]]] = {label: [] for label in FIGURES}
    for pieces in _stages("still", 800):
        for piece in {piece.instance: piece for piece in pieces if piece.label}.values():
            texture = piece.texture
            looks[piece.label].append([*texture.first, *texture.change, texture.texels, float(texture.pattern)])
    everything = np.concatenate([np.array(rows) for rows in looks.values()])
    for rows in looks.values():
        assert len(rows) > 80
        offset = (np.mean(rows, axis=0) - everything.mean(axis=0)) / (everything.std(axis=0) / np.sqrt(len(rows)))
        assert np.abs(offset).max() < 5


def test_worlds_are_graded():
    moving = {world: np.mean([p[0].places[1] != IDENTITY for p in _stages(world, 200)]) for world in WORLDS}
    assert moving["still"] == 0
    assert moving["weak_pan"] == pytest.approx(0.3, abs=0.1)
    assert moving["full_camera"] == pytest.approx(0.7, abs=0.1)
    for pieces in _stages("weak_pan", 200):
        a, b, c, d, e, f = pieces[0].places[1]
        np.testing.assert_allclose((a, b, d, e), (1, 0, 0, 1), atol=1e-12)
        assert max(abs(c), abs(f)) <= 1 + 1e-9
    easy, middle, hard = (WORLDS[name] for name in ("still", "weak_pan", "full_camera"))
    assert easy.actor_size[0] > middle.actor_size[0] > hard.actor_size[0]
    assert easy.actor_contrast < middle.actor_contrast < hard.actor_contrast


def test_some_actors_stand_still_and_blobs_have_no_class():
    still, actors, blobs = 0, 0, 0
    for pieces in _stages("still", 200):
        for instance in {piece.instance for piece in pieces if piece.instance}:
            own = [piece for piece in pieces if piece.instance == instance]
            actors += 1
            still += all(np.array_equal(*piece.outlines) for piece in own)
        extras = [piece for piece in pieces[1:] if not piece.label]
        blobs += len(extras)
        assert all(np.array_equal(*piece.outlines) and piece.part == 0 for piece in extras)
    assert 0.05 < still / actors < 0.25
    assert blobs > 50


def test_wheels_roll_without_slipping():
    pieces = next(
        pieces for pieces in _stages("still", 300) if any(piece.label == CLASSES.index("vehicle") for piece in pieces)
    )
    hull = next(piece for piece in pieces if piece.part == PART_IDS["vehicle-body"])
    wheel = next(
        piece for piece in pieces if piece.part == PART_IDS["vehicle-wheel"] and piece.instance == hull.instance
    )
    middles = [outline[:16].mean(axis=0) for outline in wheel.outlines]
    radius = np.linalg.norm(wheel.outlines[0][0] - middles[0])
    spokes = [outline[0] - middle for outline, middle in zip(wheel.outlines, middles, strict=True)]
    turned = abs(math.atan2(spokes[0][0] * spokes[1][1] - spokes[0][1] * spokes[1][0], spokes[0] @ spokes[1]))
    way = np.linalg.norm(middles[1] - middles[0])
    assert turned == pytest.approx(way / radius, rel=0.1, abs=0.02)

"""The graded worlds: how hard each one is, in numbers.

The table is frozen and part of every data set's fingerprint. Lengths are shares of the frame's side and motions are
pixels at a side of 96 (they grow with the side), so that a world is equally hard at every size.

What was learned while choosing them: small actors and harsh textures teach a network nothing within some hundred
iterations, and camera motion lets a method that is given a few flow vectors ignore the image. So `still` has large
actors, soft textures and no camera motion, and each further world is harder in all three.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

REFERENCE_SIDE = 96
"""Side of the frame, in pixels, at which motions are stated."""


@dataclass(frozen=True)
class World:
    """How scenes are drawn at random.

    Attributes:
        actors: chances of one, two, three, ... actors.
        actor_size: smallest and largest extent of an actor, as a share of the side.
        still_actors: chance that an actor stands still.
        motion: smallest and largest displacement (px at side 96) of an actor's fastest point against the ground.
        max_flow: no flow vector is longer (px at side 96); actors are slowed down to keep it.
        distractors: chances of no, one, two, ... static blobs without a class.
        camera_moves: share of the scenes with a moving camera.
        camera_shift: largest translation along each axis, px at side 96.
        camera_zoom: largest change of scale (0.03 is three per cent).
        camera_roll: largest roll, radians.
        actor_contrast: largest difference (grey levels, each channel) between the two colours of an actor's texture.
        ground_contrast: the same of the background's texture.
        texture_size: smallest and largest size of a texture's features, as a share of the side.
        harshness: steepness of the change between the two colours; 1 is a soft wave, large is a hard edge.
        colour_distance: least difference (grey levels summed over channels) of an actor's colour to the background's.
        shade: largest difference (grey levels) between the parts of an actor.
    """

    actors: tuple[float, ...]
    actor_size: tuple[float, float]
    still_actors: float
    motion: tuple[float, float]
    max_flow: float
    distractors: tuple[float, ...]
    camera_moves: float
    camera_shift: float
    camera_zoom: float
    camera_roll: float
    actor_contrast: float
    ground_contrast: float
    texture_size: tuple[float, float]
    harshness: float
    colour_distance: float
    shade: float


WORLDS: Mapping[str, World] = MappingProxyType(
    {
        "still": World(
            actors=(0.40, 0.45, 0.15),
            actor_size=(0.70, 1.00),
            still_actors=0.12,
            motion=(2.5, 8.0),
            max_flow=10.0,
            distractors=(0.5, 0.3, 0.2),
            camera_moves=0.0,
            camera_shift=0.0,
            camera_zoom=0.0,
            camera_roll=0.0,
            actor_contrast=24.0,
            ground_contrast=28.0,
            texture_size=(0.12, 0.40),
            harshness=1.0,
            colour_distance=90.0,
            shade=14.0,
        ),
        "weak_pan": World(
            actors=(0.35, 0.45, 0.20),
            actor_size=(0.60, 0.95),
            still_actors=0.15,
            motion=(2.5, 8.0),
            max_flow=10.0,
            distractors=(0.4, 0.35, 0.25),
            camera_moves=0.3,
            camera_shift=1.0,
            camera_zoom=0.0,
            camera_roll=0.0,
            actor_contrast=32.0,
            ground_contrast=36.0,
            texture_size=(0.11, 0.35),
            harshness=1.4,
            colour_distance=75.0,
            shade=16.0,
        ),
        "full_camera": World(
            actors=(0.30, 0.45, 0.25),
            actor_size=(0.50, 0.90),
            still_actors=0.20,
            motion=(2.0, 7.0),
            max_flow=10.0,
            distractors=(0.3, 0.4, 0.3),
            camera_moves=0.7,
            camera_shift=3.0,
            camera_zoom=0.03,
            camera_roll=0.03,
            actor_contrast=44.0,
            ground_contrast=52.0,
            texture_size=(0.10, 0.30),
            harshness=2.0,
            colour_distance=60.0,
            shade=18.0,
        ),
    }
)

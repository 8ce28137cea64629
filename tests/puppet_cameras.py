"""Scenes of the built-in world under five camera motions, with the true own motion of every pixel.

A scene of the world "still" is rendered; the camera then moves every point of frame t + 1 by a homography. So the flow
is exact, whatever the camera does, and what is truly moving does not depend on the camera.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ssl_motion.data.sample import BoolArray, FlowSample
from ssl_motion.puppets.scene import render
from ssl_motion.seeding import generator
from ssl_motion.spec import PuppetsSpec

CAMERAS = ("static", "pan", "zoom", "roll", "perspective")
MOVING = 0.5  # px at side 96: a pixel of which more is its own motion truly moves

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Truth:
    """A scene: its still-camera sample, where each pixel goes (float64 [H, W, 2], x and y), and which ones move."""

    sample: FlowSample
    targets: npt.NDArray[np.float64]
    moving: BoolArray


def camera(name: str, side: int) -> Matrix:
    """Homography of pixels; strengths are the largest of the world "full_camera", for the perspective 0.08 of depth."""
    middle = 0.5 * (side - 1)
    matrix = np.eye(3)
    if name == "pan":
        matrix[:2, 2] = 3 * side / 96, -2 * side / 96
    elif name == "zoom":
        matrix[:2, :2] *= 1.03
    elif name == "roll":
        matrix[:2, :2] = [[math.cos(0.03), -math.sin(0.03)], [math.sin(0.03), math.cos(0.03)]]
    elif name == "perspective":
        matrix[2, :2] = -0.08 / middle, 0.04 / middle
    centre = np.array([[1, 0, middle], [0, 1, middle], [0, 0, 1]])
    return np.asarray(centre @ matrix @ np.linalg.inv(centre), np.float64)


def own_motion(index: int, side: int = 96) -> Truth:
    """Render validation scene `index` of the still world."""
    scene = render(PuppetsSpec(world="still", size=side), "val", index)
    targets = scene._painter.targets().reshape(side, side, 2)
    speed = np.hypot(*np.moveaxis(targets - pixels(side), -1, 0))
    return Truth(scene.sample, targets, speed > MOVING * side / 96)


def scenes(count: int, side: int = 96) -> list[Truth]:
    """The first `count` scenes of which 10 to 80 % of the pixels move: others are to be dropped, not segmented."""
    found: list[Truth] = []
    index = 0
    while len(found) < count:
        truth = own_motion(index, side)
        index += 1
        if 0.1 <= truth.moving.mean() <= 0.8:
            found.append(truth)
    return found


def pixels(side: int) -> npt.NDArray[np.float64]:
    """Coordinates (x, y) of every pixel, [H, W, 2]."""
    axis = np.arange(side, dtype=np.float64)
    return np.stack(np.meshgrid(axis, axis), axis=-1)


def filmed(truth: Truth, matrix: Matrix, noise: float = 0.0, outliers: float = 0.0) -> FlowSample:
    """The scene as a camera sees it: its exact flow, with normal noise (px) and a share of random vectors if wanted."""
    side = len(truth.targets)
    points = np.concatenate([truth.targets, np.ones((side, side, 1))], axis=-1) @ matrix.T
    places = points[..., :2] / points[..., 2:]
    valid = truth.sample.valid & ((places >= 0) & (places <= side - 1)).all(axis=-1)
    rng = generator(0, "noise of filmed scenes")
    flow = places - pixels(side) + noise * rng.standard_normal(places.shape)
    wild = rng.random((side, side)) < outliers
    flow[wild] += rng.uniform(-10, 10, (int(wild.sum()), 2))
    flow[~valid] = 0
    return replace(truth.sample, flow=flow.astype(np.float32), valid=np.asarray(valid, np.bool_))


def overlap(first: BoolArray, second: BoolArray) -> float:
    """Intersection over union."""
    return float((first & second).sum() / max((first | second).sum(), 1))

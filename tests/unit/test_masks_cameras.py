"""Masks against the exact truth of the built-in world under five camera motions.

The truth of a pixel is its own motion: more than half a pixel of a frame of side 96. The first scenes of the validation
stream are taken in which 10 to 80 % of the pixels move (others are to be dropped, not segmented); nothing is dropped
here, so that no scene can hide behind a rule.
"""

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ssl_motion.data.sample import UNKNOWN_LABEL
from ssl_motion.masks import MaskSettings, make_mask, motion_votes
from ssl_motion.masks.generator import trimap
from ssl_motion.puppets.exact import compose
from ssl_motion.puppets.painter import Painter

cameras = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "puppet_cameras.py")))
SCENES = 24
NO_PRUNING = {"min_foreground": 0, "max_foreground": 1, "max_border": 1, "min_inliers": 0, "max_scale": 1}


@pytest.fixture(scope="module")
def truths():
    return cameras.scenes(SCENES)


def measured(truths, camera: str, background: str, **noise: float) -> tuple[float, float]:
    """Mean IoU of votes >= 0.7 with what truly moves, and mean accuracy of the trimap where it states anything."""
    overlaps, accuracies = [], []
    for truth in truths:
        side = len(truth.targets)
        sample = cameras.filmed(truth, cameras.camera(camera, side), **noise)
        mask_settings = MaskSettings(background=background, **NO_PRUNING)
        votes = motion_votes(sample, mask_settings).map
        overlaps.append(cameras.overlap(votes >= 0.7, truth.moving))
        layer = trimap(votes, mask_settings)
        stated = layer != UNKNOWN_LABEL
        accuracies.append(((layer == 1) == truth.moving)[stated].mean())
    return float(np.mean(overlaps)), float(np.mean(accuracies))


@pytest.mark.parametrize(
    ("background", "camera"),
    [*(("quadratic", camera) for camera in cameras.CAMERAS), ("homography", "perspective"), ("affine", "zoom")],
)
def test_masks_find_what_moves_under_every_camera(truths, background: str, camera: str) -> None:
    overlap, accuracy = measured(truths, camera, background)
    print(f"{background} under {camera}: IoU {overlap:.3f}, trimap accuracy {accuracy:.3f}")
    assert overlap >= 0.75
    assert accuracy >= 0.93


def test_an_affine_background_fails_under_perspective(truths) -> None:
    """Which is why the default is quadratic. By the default settings, its masks are dropped as well."""
    overlap, accuracy = measured(truths, "perspective", "affine")
    print(f"affine under perspective: IoU {overlap:.3f}, trimap accuracy {accuracy:.3f}")
    assert overlap < 0.4
    for truth in truths[:6]:
        sample = cameras.filmed(truth, cameras.camera("perspective", 96))
        assert not make_mask(sample, MaskSettings(background="affine")).facts["kept"]


def test_uncertain_flow_costs_overlap_before_it_costs_accuracy(truths) -> None:
    some = truths[:10]
    exact, (noisy, accuracy) = measured(some, "zoom", "quadratic"), measured(some, "zoom", "quadratic", noise=0.15)
    print(f"noise of 0.15 px: IoU {noisy:.3f} ({exact[0]:.3f} without), trimap accuracy {accuracy:.3f}")
    assert exact[0] - 0.3 < noisy < exact[0]
    assert accuracy >= 0.93


@pytest.mark.parametrize("camera", cameras.CAMERAS)
def test_a_camera_alone_gives_no_mask(truths, camera: str) -> None:
    """The scenes' images, with nothing in them moving on its own; flow as uncertain as an estimator's."""
    still = [replace(truth, targets=cameras.pixels(96)) for truth in truths[:4]]
    for truth in still:
        sample = cameras.filmed(truth, cameras.camera(camera, 96), noise=0.1)
        facts = make_mask(sample, MaskSettings()).facts
        assert facts["reason"] == "too little foreground", facts


@pytest.mark.parametrize("camera", ["static", "pan", "zoom", "roll"])
def test_the_composed_camera_is_the_renderers_own(truths, camera: str) -> None:
    """Where the renderer knows the camera motion itself, it gives the same flow."""
    truth = truths[0]
    matrix = cameras.camera(camera, 96)
    scene = cameras.render(cameras.PuppetsSpec(world="still", size=96), "val", int(truth.sample.clip[-6:]))
    affine = tuple(matrix[:2].reshape(-1))
    pieces = [
        replace(
            piece,
            places=(piece.places[0], compose(affine, piece.places[1])),
            outlines=(piece.outlines[0], piece.outlines[1] @ matrix[:2, :2].T + matrix[:2, 2]),
        )
        for piece in scene._painter.pieces
    ]
    flow, valid = Painter(pieces, 96).flow()
    composed = cameras.filmed(truth, matrix)
    both = valid & composed.valid
    assert np.abs(flow - composed.flow)[both].max() < 1e-4
    # Validity is looked up in a raster of quarter pixels, and so may differ along edges.
    assert both.sum() > 0.97 * max(valid.sum(), composed.valid.sum())

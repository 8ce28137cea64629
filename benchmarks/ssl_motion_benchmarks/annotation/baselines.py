"""Interactive segmentation that learns nothing: GrabCut, and random walks. The constants are the libraries' own.

A click marks a disc, whose radius is 1/96 of the image's shorter side and at least 2 pixels: both need more than a
pixel to go by. Where discs overlap, those of negative clicks lie above; the clicked pixels themselves lie on top.
"""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from ssl_motion.annotation.procedure import Point
from ssl_motion.data.sample import BoolArray, UInt8Array
from ssl_motion.errors import UsageError
from ssl_motion_benchmarks.annotation.simulation import Answer, Segmenter

GRABCUT_ROUNDS = 5
"""Iterations, as in OpenCV's tutorial of GrabCut."""

WALKER_BETA = 130
"""Penalty on a random walker's motion across edges: scikit-image's default."""

_UNKNOWN, _OBJECT, _BACKGROUND = 0, 1, 2


def grabcut(image: UInt8Array) -> Answer:
    """GrabCut (Rother, Kolmogorov, Blake 2004) as OpenCV has it, from marks.

    What is not marked is background in all likelihood, until the colours say otherwise.
    """

    def answer(positive: Sequence[Point], negative: Sequence[Point]) -> BoolArray:
        marks = draw_marks((image.shape[0], image.shape[1]), positive, negative)
        labels = np.full(marks.shape, cv2.GC_PR_BGD, np.uint8)
        labels[marks == _OBJECT], labels[marks == _BACKGROUND] = cv2.GC_FGD, cv2.GC_BGD
        cv2.setRNGSeed(0)  # its clusters of colours start at random places
        cv2.grabCut(image, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), GRABCUT_ROUNDS, cv2.GC_INIT_WITH_MASK)
        return np.asarray((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD))

    return answer


def random_walker(image: UInt8Array) -> Answer:
    """Random walks (Grady 2006) as scikit-image has them.

    They need a mark of both kinds. Until the first negative click the image's outermost pixels count as background,
    but for those that are marked.

    Raises:
        UsageError: scikit-image is not installed.
    """
    try:
        from skimage import segmentation
    except ImportError:
        raise UsageError(
            "the baseline random_walker needs scikit-image: pip install 'ssl-motion[annotation]'"
        ) from None

    def answer(positive: Sequence[Point], negative: Sequence[Point]) -> BoolArray:
        marks = draw_marks((image.shape[0], image.shape[1]), positive, negative)
        if not negative:
            border = np.ones(marks.shape, np.bool_)
            border[1:-1, 1:-1] = False
            marks[border & (marks == _UNKNOWN)] = _BACKGROUND
        found = segmentation.random_walker(image, marks, beta=WALKER_BETA, mode="cg_j", channel_axis=-1)
        return np.asarray(found == _OBJECT)

    return answer


def draw_marks(size: tuple[int, int], positive: Sequence[Point], negative: Sequence[Point]) -> UInt8Array:
    """Draw clicks as discs, uint8 [H, W]: 1 on the object, 2 beside it, 0 where nothing is known."""
    marks = np.zeros(size, np.uint8)
    rounded = [[(round(x), round(y)) for x, y in points] for points in (positive, negative)]
    radius = max(2, round(min(size) / 96))
    for points, label in zip(rounded, (_OBJECT, _BACKGROUND), strict=True):
        for point in points:
            cv2.circle(marks, point, radius, label, -1)
    for points, label in zip(rounded, (_OBJECT, _BACKGROUND), strict=True):
        for x, y in points:
            marks[y, x] = label
    return marks


BASELINES: Mapping[str, Segmenter] = {"grabcut": grabcut, "random_walker": random_walker}

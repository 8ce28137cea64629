"""Annotating one object by simulated clicks."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ssl_motion.annotation.clicks import Click, intersection_over_union, next_click
from ssl_motion.annotation.procedure import Point
from ssl_motion.data.sample import BoolArray, UInt8Array

MOST = 20
"""Clicks after which an annotator gives up."""

ENOUGH = 90.0
"""IoU in percent at which an annotator is content ..."""

LEAST = 5
"""... but not before so many clicks, since the IoU after five is reported too."""

Answer = Callable[[Sequence[Point], Sequence[Point]], BoolArray]
"""From all positive and all negative points made so far to a mask."""

Segmenter = Callable[[UInt8Array], Answer]
"""From an image, RGB, to what answers clicks on it."""


@dataclass(frozen=True)
class Course:
    """How the annotation of an object went.

    Attributes:
        clicks: that were made.
        ious: in percent after each of `MOST` clicks; the last one stays where fewer were made.
        seconds: processor time that each answer took.
    """

    clicks: list[Click]
    ious: list[float]
    seconds: list[float]


def simulate(truth: BoolArray, counted: BoolArray | None, answer: Answer) -> Course:
    """Click until the mask is good enough, nothing is left to be clicked, or patience ends.

    Args:
        truth: bool [H, W], the object; not empty.
        counted: bool [H, W], where the truth is known; None for everywhere.
        answer: what is judged, looking at the object's image.
    """
    mask: BoolArray = np.zeros_like(truth)
    clicks: list[Click] = []
    ious: list[float] = []
    seconds: list[float] = []
    while len(clicks) < MOST and (len(clicks) < LEAST or ious[-1] < ENOUGH):
        click = next_click(truth, mask, counted, clicks)
        if click is None:
            break
        clicks.append(click)
        positive, negative = ([(each.x, each.y) for each in clicks if each.positive is kind] for kind in (True, False))
        began = time.process_time()
        mask = answer(positive, negative)
        seconds.append(time.process_time() - began)
        ious.append(intersection_over_union(truth, mask, counted))
    return Course(clicks, ious + ious[-1:] * (MOST - len(ious)), seconds)

"""One scene with all its answers; any (stream, index) can be rendered alone."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from ssl_motion.data.sample import FlowSample, UInt8Array
from ssl_motion.errors import UsageError
from ssl_motion.puppets.articulation import Articulation, articulate
from ssl_motion.puppets.exact import Dice
from ssl_motion.puppets.labels import PERSON
from ssl_motion.puppets.painter import Painter
from ssl_motion.puppets.stage import FIGURES, set_stage
from ssl_motion.puppets.worlds import WORLDS
from ssl_motion.spec import PuppetsSpec

Stream = Literal["pairs", "val_pairs", "train", "val", "test", "people_train", "people_val", "people_test"]
STREAMS: tuple[Stream, ...] = get_args(Stream)


@dataclass(frozen=True)
class Scene:
    """One rendered pair with its labels, all on frame t's grid.

    Attributes:
        sample: image of frame t, forward flow to frame t + 1 and validity. A pixel is invalid where what it shows is
            hidden in frame t + 1 or has left the frame.
        semantic: uint8 [H, W], numbers in `CLASSES`.
        instances: int32 [H, W], actors from 1 on; 0 elsewhere (distractors too).
        parts: uint8 [H, W], numbers in `PARTS`.
    """

    sample: FlowSample
    semantic: UInt8Array
    instances: npt.NDArray[np.int32]
    parts: UInt8Array
    _painter: Painter

    @cached_property
    def next_image(self) -> UInt8Array:
        """Frame t + 1, uint8 [H, W, 3] RGB; painted when first asked for."""
        return self._painter.image(1)


def render(spec: PuppetsSpec, stream: Stream, index: int) -> Scene:
    """Render one scene; it depends on the world, side, seed, stream and index alone.

    Args:
        spec: which data set.
        stream: pretraining pairs ("pairs", "val_pairs"), labelled images ("train", "val", "test"), or such in which
            every actor is a person ("people_train", "people_val", "people_test").
        index: from 0; no upper limit.

    Raises:
        UsageError: An unknown stream, or a negative index.
    """
    painter = _painter(spec, stream, index)
    shape = (spec.size, spec.size)
    shown = painter.shown(0)
    flow, valid = painter.flow()
    clip = clip_name(spec, stream, index)
    labels = np.array([(piece.label, piece.instance, piece.part) for piece in painter.pieces])
    return Scene(
        sample=FlowSample(painter.image(0), flow, valid, clip, frame=0, gap=1),
        semantic=labels[:, 0].astype(np.uint8).take(shown).reshape(shape),
        instances=labels[:, 1].astype(np.int32).take(shown).reshape(shape),
        parts=labels[:, 2].astype(np.uint8).take(shown).reshape(shape),
        _painter=painter,
    )


def clip_name(spec: PuppetsSpec, stream: Stream, index: int) -> str:
    """Name of a scene's clip; tells all that the scene depends on but the side."""
    return f"puppets-{spec.world}-{spec.seed}-{stream}-{index:06d}"


def semantic_labels(spec: PuppetsSpec, stream: Stream, index: int) -> UInt8Array:
    """Return a scene's `semantic` alone: uint8 [H, W]. Arguments and errors as `render`, at a fifth of its cost."""
    painter = _painter(spec, stream, index)
    labels = np.array([piece.label for piece in painter.pieces], np.uint8)
    return labels.take(painter.shown(0)).reshape(spec.size, spec.size)


def articulation(spec: PuppetsSpec, stream: Stream, index: int) -> Articulation:
    """Tell what could move in a scene, and how. Arguments and errors as `render`, at a fifth of its cost."""
    return articulate(_painter(spec, stream, index))


def _painter(spec: PuppetsSpec, stream: Stream, index: int) -> Painter:
    if stream not in STREAMS:
        raise UsageError(f"no stream {stream!r} of Puppets; there are {', '.join(STREAMS)}")
    if index < 0:
        raise UsageError(f"scene {index} of Puppets: the index counts from 0")
    dice = Dice(spec.seed, f"puppets/{stream}", index)
    classes = (PERSON,) if stream.startswith("people_") else tuple(FIGURES)
    return Painter(set_stage(dice, WORLDS[spec.world], spec.size, classes), spec.size)

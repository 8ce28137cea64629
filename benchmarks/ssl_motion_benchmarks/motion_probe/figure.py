"""A figure in the manner of the paper's figure 6: what one arrow makes of a picture, beside what it should."""

from dataclasses import dataclass

import numpy as np

from ssl_motion.data.sample import Float32Array, UInt8Array
from ssl_motion.panels import GAP, panel
from ssl_motion.propagation.drawing import flow_picture, overlay
from ssl_motion_benchmarks.motion_probe.queries import Kind, Query

SHOWN: tuple[tuple[Kind, str], ...] = (
    ("turn", "person"),
    ("shift", "person"),
    ("turn", "quadruped"),
    ("shift", "quadruped"),
    ("turn", "windmill"),
    ("shift", "box"),
)
"""Which queries are drawn: the first of each kind and class in the list, whatever is predicted."""

_ACROSS = 2


@dataclass(frozen=True)
class Example:
    """A query with its image (uint8 [H, W, 3]) and what was predicted (float32 [H, W, 2])."""

    image: UInt8Array
    query: Query
    flow: Float32Array


def draw(examples: list[Example]) -> UInt8Array:
    """Draw image with guidance, true flow and predicted flow of some queries, two queries a row.

    The predicted flow is drawn at the scale of the true one, and again at its own: how much moves, and how.

    Args:
        examples: one or more, of images of one size.

    Returns:
        uint8 [h, w, 3] RGB.
    """
    blocks = [_block(example) for example in examples]
    blocks += [np.full_like(blocks[0], 255)] * (-len(blocks) % _ACROSS)
    rows = [np.concatenate(_spaced(blocks[n : n + _ACROSS], axis=1), axis=1) for n in range(0, len(blocks), _ACROSS)]
    return np.concatenate(_spaced(rows, axis=0))


def _block(example: Example) -> UInt8Array:
    query, truth = example.query, example.query.truth.astype(np.float32)
    scale, own = (float(np.linalg.norm(flow, axis=-1).max()) for flow in (truth, example.flow))
    given = overlay(example.image, query.guidance)
    what = f"{query.owner}, {query.kind}" + (f" of {query.part}" if query.kind == "turn" else "")
    return panel(
        given,
        [
            (what, given),
            (f"true (full colour: {scale:.2g} px)", flow_picture(truth, scale)),
            (f"predicted ({scale:.2g} px)", flow_picture(example.flow, scale)),
            (f"predicted ({own:.2g} px)", flow_picture(example.flow, own)),
        ],
    )


def _spaced(pictures: list[UInt8Array], axis: int) -> list[UInt8Array]:
    """Put white space between pictures that are to stand beside or above each other."""
    shape = list(pictures[0].shape)
    shape[axis] = 4 * GAP
    gap = np.full(shape, 255, np.uint8)
    return [each for picture in pictures for each in (picture, gap)][:-1]

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
    """Draw image with guidance, predicted flow and true flow of some queries, two queries a row.

    All flow is drawn with the arrow's length at full colour, so that pictures compare.

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
    query = example.query
    radius = float(np.linalg.norm(query.guidance.vectors[0, 2:]))
    given = overlay(example.image, query.guidance)
    moved = "turns" if query.kind == "turn" else "is shifted"
    return panel(
        given,
        [
            (f"{query.owner}: {query.part if query.kind == 'turn' else 'the whole'} {moved}", given),
            (f"predicted (full colour: {radius:.3g} px)", flow_picture(example.flow, radius)),
            ("true", flow_picture(query.truth.astype(np.float32), radius)),
        ],
    )


def _spaced(pictures: list[UInt8Array], axis: int) -> list[UInt8Array]:
    """Put white space between pictures that are to stand beside or above each other."""
    shape = list(pictures[0].shape)
    shape[axis] = 4 * GAP
    gap = np.full(shape, 255, np.uint8)
    return [each for picture in pictures for each in (picture, gap)][:-1]

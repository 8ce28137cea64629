"""Flow fields of every kind, drawn by Hypothesis, for tests of CMP's guidance (read with `runpy`)."""

import runpy
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

REFERENCE = runpy.run_path(str(Path(__file__).with_name("cmp_reference.py")))


@st.composite
def flows(draw):
    height, width = draw(st.integers(1, 48)), draw(st.integers(1, 48))
    source = np.random.default_rng(draw(st.integers(0, 2**32)))
    kind = draw(st.sampled_from(["pieces", "blocks", "noise", "collapsed", "jpeg", "sparse", "still"]))
    if kind == "pieces":
        return REFERENCE["pieces_flow"](height, width, source.integers(1000))
    if kind == "blocks":  # whole numbers: many exact ties, of distances and at the edge threshold
        coarse = source.integers(-12, 13, (height // 9 + 1, width // 9 + 1, 2))
        return np.kron(coarse, np.ones((9, 9, 1)))[:height, :width].astype(np.float32)
    if kind == "noise":
        return source.normal(0, 5, (height, width, 2)).astype(np.float32)
    if kind == "collapsed":
        return REFERENCE["collapsed_flow"](height, width, source.integers(1000), sigma=2)
    if kind == "jpeg":
        pieces = REFERENCE["pieces_flow"](height, width, source.integers(1000))
        return (np.rint((pieces + 50) * 2.55) / 255 * 100 - 50).astype(np.float32)
    if kind == "sparse":
        return ((source.random((height, width, 2)) < 0.02) * source.integers(1, 9)).astype(np.float32)
    return np.full((height, width, 2), source.normal(), dtype=np.float32)

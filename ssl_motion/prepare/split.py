"""Which clips are held out."""

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def split_position(clip: str) -> float:
    """Place a clip's name on [0, 1) by its hash: the same on every machine, and independent of all other clips."""
    digest = hashlib.sha256(clip.encode("utf-8", "backslashreplace")).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def held_out(positions: npt.NDArray[np.float64], fraction: float) -> npt.NDArray[np.bool_]:
    """Choose the val clips: those placed below `fraction`.

    With two different places or more and a fraction above 0, neither split stays empty: the clip with the
    lowest place goes to val, or the one with the highest to train.

    Args:
        positions: float64 [N], of each clip, or of each pair's clip.
        fraction: share to hold out, 0 to 1.

    Returns:
        bool [N], true for val.
    """
    val: npt.NDArray[np.bool_] = positions < fraction
    if fraction > 0 and len(positions) and positions.min() < positions.max():
        if not val.any():
            val = positions == positions.min()
        elif val.all():
            val = positions < positions.max()
    return val


def split_clips(names: Sequence[str], fraction: float) -> list[bool]:
    """Say for each clip whether it is held out."""
    return [bool(val) for val in held_out(np.array([split_position(name) for name in names]), fraction)]

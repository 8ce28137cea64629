"""The one place where seeds turn into random generators.

Everything random hangs on (seed, purpose, position), never on what happened to
be drawn before. So data order and augmentation of iteration 1,000 are the same
whether a run got there in one go or was killed and resumed on the way.
"""

import random
import zlib

import numpy as np


def generator(seed: int, purpose: str, *position: int) -> np.random.Generator:
    """Make the generator for one purpose at one position.

    Args:
        seed: the run's or data set's seed.
        purpose: a short name such as "augment"; different purposes are independent.
        position: non-negative numbers such as the draw's index in the run.
    """
    return np.random.default_rng([seed, zlib.crc32(purpose.encode()), *position])


def seed_everything(seed: int) -> None:
    """Seed Python's, NumPy's and torch's global generators (for code that uses them: initialisers, dropout)."""
    import torch

    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - third-party code draws from the global generator
    torch.manual_seed(seed)

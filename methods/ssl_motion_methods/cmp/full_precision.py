"""Matrix products in true float32, whatever the user allows for the network."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def exact_float32_matmul() -> Iterator[None]:
    """Switch TF32 and bfloat16 shortcuts of float32 matrix products off inside the block.

    They keep 8 to 10 bits of the mantissa: harmless inside a network, but an interpolation done that way would be
    wrong by up to 1e-2 of the values' size.
    """
    switches, exact = _switches()
    loose = [(owner, name, getattr(owner, name)) for owner, name in switches]
    loose = [entry for entry in loose if entry[2] not in (exact, "none")]
    for owner, name, _ in loose:
        setattr(owner, name, exact)
    try:
        yield
    finally:
        for owner, name, setting in loose:
            setattr(owner, name, setting)


class _Legacy:
    """torch's older, global setting, as an attribute."""

    @property
    def precision(self) -> str:
        return torch.get_float32_matmul_precision()

    @precision.setter
    def precision(self, value: str) -> None:
        torch.set_float32_matmul_precision(value)


def _switches() -> tuple[list[tuple[Any, str]], str]:
    """Find the settings that are in use, as (owner, attribute), and their value for true float32.

    torch from 2.9 on has two ways to set this, and refuses to work where they contradict each other. The older one
    still answers as long as the newer one has not been used.
    """
    legacy = _Legacy()
    try:
        _ = legacy.precision
    except RuntimeError:
        backends: Any = torch.backends
        return [(backends.cuda.matmul, "fp32_precision"), (backends.mkldnn.matmul, "fp32_precision")], "ieee"
    return [(legacy, "precision")], "highest"

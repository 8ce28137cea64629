"""Flow values as classes: 99 equal bins over +-50 px per axis, and back by expectation.

CMP predicts flow by two independent classifications per pixel (paper section 3; the numbers are those of
the authors' code). Nothing here knows about images or networks.
"""

import math
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ssl_motion.errors import UsageError

# The authors clip to +-(boundary - 0.001), so that +boundary itself still falls in the last bin.
CLIP_MARGIN = 0.001


@dataclass(frozen=True)
class FlowBins:
    """Equal bins over [-boundary, boundary] pixels, the same for both axes; zero is the centre of the middle bin.

    Attributes:
        count: number of bins per axis; odd, so that zero has a bin of its own.
        boundary: flow beyond it is clipped, in pixels.

    Raises:
        UsageError: `count` is even or below 3, or `boundary` is not a positive number above the clip margin.
    """

    count: int = 99
    boundary: float = 50.0

    def __post_init__(self) -> None:
        if self.count < 3 or self.count % 2 == 0:
            raise UsageError(f"flow bins: count must be odd and at least 3, got {self.count}")
        if not (math.isfinite(self.boundary) and self.boundary > CLIP_MARGIN):
            raise UsageError(f"flow bins: boundary must be a number above {CLIP_MARGIN} px, got {self.boundary}")

    @property
    def width(self) -> float:
        """Width of a bin in pixels."""
        return 2 * self.boundary / self.count

    @property
    def centres(self) -> Tensor:
        """Centres of the bins in pixels, ascending: float32 [count], on the CPU."""
        index = torch.arange(self.count, dtype=torch.float64)
        return (index * self.width - self.boundary + self.width / 2).to(torch.float32)

    @overload
    def to_index(self, flow: Tensor) -> Tensor: ...
    @overload
    def to_index(self, flow: npt.NDArray[Any]) -> npt.NDArray[np.int64]: ...
    def to_index(self, flow: Tensor | npt.NDArray[Any]) -> Tensor | npt.NDArray[np.int64]:
        """Return the bin of every flow value: int64, same shape; values beyond the boundary are clipped.

        NaN has no bin; the result for it is unspecified (callers check, see `flow_cross_entropy`).
        """
        limit = self.boundary - CLIP_MARGIN
        if isinstance(flow, Tensor):
            # Half precision cannot tell neighbouring bins apart near the boundary.
            wide = flow if flow.dtype == torch.float64 else flow.float()
            return ((wide.clamp(-limit, limit) + self.boundary) / self.width).floor().long()
        index: npt.NDArray[np.int64] = np.floor((np.clip(flow, -limit, limit) + self.boundary) / self.width).astype(
            np.int64
        )
        return index

    def expectation(self, logits_B2nHW: Tensor) -> Tensor:
        """Turn logits into flow: the expectation of the bin centres under each axis' softmax.

        Args:
            logits_B2nHW: [B, 2 * count, H, W]; channels 0..count-1 are the x bins, the rest the y bins.

        Returns:
            Flow in pixels, [B, 2, H, W], at the logits' resolution; computed in at least float32.

        Raises:
            UsageError: The number of channels is not 2 * count.
        """
        split = self.split_axes(logits_B2nHW)
        wide = split if split.dtype == torch.float64 else split.float()
        with torch.autocast(wide.device.type, enabled=False):
            centres = self.centres.to(device=wide.device, dtype=wide.dtype)
            return (wide.softmax(dim=2) * centres[:, None, None]).sum(dim=2)

    def split_axes(self, logits_B2nHW: Tensor) -> Tensor:
        """View logits [B, 2 * count, H, W] as [B, 2, count, H, W].

        Raises:
            UsageError: The shape is another one.
        """
        if logits_B2nHW.ndim != 4 or logits_B2nHW.shape[1] != 2 * self.count:
            raise UsageError(
                f"flow logits: expected [B, {2 * self.count}, H, W] (two axes of {self.count} bins), "
                f"got {list(logits_B2nHW.shape)}"
            )
        batch, _, height, width = logits_B2nHW.shape
        return logits_B2nHW.reshape(batch, 2, self.count, height, width)

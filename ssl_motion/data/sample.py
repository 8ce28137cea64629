"""The one unit of pretraining data: an image and the optical flow that leaves it.

Every producer (shards, Puppets, importers) yields a `FlowSample` and every
method consumes one, so units and conventions are stated and checked here only.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ssl_motion.errors import DataError

UInt8Array = npt.NDArray[np.uint8]
Float32Array = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]

UNKNOWN_LABEL = 255
"""In a layer: no statement about this pixel (VOC's and OpenMMLab's ignored label)."""


@dataclass(frozen=True)
class FlowSample:
    """An image with its forward optical flow.

    Attributes:
        image: uint8 [H, W, 3], RGB: frame t.
        flow: float32 [H, W, 2], pixels of this image, from frame t to frame t + gap, on frame t's grid.
            Channel 0 is u (to the right), channel 1 is v (down). Zero where `valid` is false.
        valid: bool [H, W]; false where the flow is unknown (occluded, leaving the frame, not measured).
        clip: name of the clip the frame comes from.
        frame: index of frame t in the clip, from 0.
        gap: distance in frames between the two frames of the pair.
        layers: further maps of the image by name, uint8 [H, W], such as "masks"; `UNKNOWN_LABEL` where there is none.
    """

    image: UInt8Array
    flow: Float32Array
    valid: BoolArray
    clip: str
    frame: int
    gap: int
    layers: Mapping[str, UInt8Array] = field(default_factory=dict)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.image.shape[0], self.image.shape[1]

    def checked(self) -> "FlowSample":
        """Return the sample itself, or fail where it breaks the convention above.

        Raises:
            DataError: A shape, type or value is wrong; the message names the clip and frame.
        """
        where = f"clip {self.clip!r}, frame {self.frame}"
        height, width = self.image.shape[:2]
        expected: list[tuple[str, npt.NDArray[Any], tuple[int, ...], type]] = [
            ("image", self.image, (height, width, 3), np.uint8),
            ("flow", self.flow, (height, width, 2), np.float32),
            ("valid", self.valid, (height, width), np.bool_),
            *((f"layer {name!r}", layer, (height, width), np.uint8) for name, layer in self.layers.items()),
        ]
        for name, array, shape, kind in expected:
            if array.shape != shape or array.dtype != kind:
                raise DataError(
                    f"{where}: {name} has shape {array.shape} and type {array.dtype}; "
                    f"expected {shape} of {np.dtype(kind)}"
                )
        if not np.isfinite(self.flow).all():
            raise DataError(f"{where}: flow holds NaN or infinity; mark such pixels invalid and set them to zero")
        return self

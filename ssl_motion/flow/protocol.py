"""The plug shape of flow estimators. Apart from `ssl_motion.protocols`, since it needs no torch to be imported."""

from abc import ABC, abstractmethod
from typing import ClassVar

from ssl_motion.data.sample import Float32Array, UInt8Array


class FlowEstimator(ABC):
    """Something that measures optical flow between two frames.

    Attributes:
        name: name of its entry point.
        supervision: what its parameters were learned from: "none", "synthetic labels", ...; an object may
            know it better than its class.
        version: changes whenever its output may change (for instance the library's version).
    """

    name: ClassVar[str]
    supervision: str

    @property
    @abstractmethod
    def version(self) -> str:
        """Identify the exact algorithm and its parameters."""

    @abstractmethod
    def estimate(self, frame0: UInt8Array, frame1: UInt8Array) -> Float32Array:
        """Estimate forward flow.

        Args:
            frame0: uint8 [H, W, 3] RGB.
            frame1: the later frame, same shape.

        Returns:
            float32 [H, W, 2] in pixels, as in `FlowSample.flow`.
        """

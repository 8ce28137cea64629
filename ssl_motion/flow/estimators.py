"""Flow estimators that come with OpenCV: no learned parameters, no downloads.

End-point errors in pixels and times at one thread, OpenCV 5.0, measured on one pair each of Sintel (1024x436, zero
flow scores 2.80), KITTI (1242x375; 51.0) and FlyingChairs (512x384; 6.05 and 4.51):

| estimator | Sintel | KITTI | Chairs 0 | Chairs 1 | Sintel, ms |
|---|---|---|---|---|---|
| DIS ultrafast | 0.60 | 42.0 | 7.0 | 2.27 | 4 |
| DIS fast | 0.46 | 42.6 | 6.6 | 1.95 | 8 |
| DIS medium (default) | 0.30 | 38.5 | 8.2 | 1.59 | 34 |
| DIS fine | 0.21 | 37.9 | 7.7 | 1.33 | 150 |
| Farneback | 1.02 | 46.3 | 8.3 | 2.76 | 80 |
"""

from typing import Any, Literal

import cv2
import numpy as np

from ssl_motion.data.sample import Float32Array, UInt8Array
from ssl_motion.errors import UsageError
from ssl_motion.flow.protocol import FlowEstimator
from ssl_motion.plugins import did_you_mean

DISPreset = Literal["ultrafast", "fast", "medium", "fine"]

_PRESETS: dict[str, int] = {
    "ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
    "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
    "fine": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}
# On a side of fewer pixels OpenCV's DIS picks a coarsest scale finer than its finest one and ends the whole process by
# a segmentation fault (tried on 336 shapes from 26 to 5000 pixels: none of those with both sides at least 32).
MIN_SIDE = 32


def grey_pair(frame0: UInt8Array, frame1: UInt8Array) -> tuple[UInt8Array, UInt8Array]:
    """Check two RGB frames and make them grey.

    Raises:
        UsageError: They are not two uint8 [H, W, 3] arrays of one shape, or are smaller than 32 pixels.
    """
    if frame0.shape != frame1.shape or frame0.ndim != 3 or frame0.shape[2] != 3 or frame0.dtype != np.uint8:
        raise UsageError(
            f"flow needs two RGB frames of one size, uint8 [H, W, 3]; got {frame0.dtype} {frame0.shape} and "
            f"{frame1.dtype} {frame1.shape}"
        )
    if min(frame0.shape[:2]) < MIN_SIDE:
        raise UsageError(f"frames of {frame0.shape[1]} x {frame0.shape[0]} are too small for flow: at least {MIN_SIDE}")
    return cv2.cvtColor(frame0, cv2.COLOR_RGB2GRAY), cv2.cvtColor(frame1, cv2.COLOR_RGB2GRAY)


class DISFlow(FlowEstimator):
    """Dense inverse search (Kroeger et al., ECCV 2016) with variational refinement, by OpenCV."""

    name = "dis"
    supervision = "none"

    def __init__(self, preset: DISPreset = "medium") -> None:
        """Choose OpenCV's preset; "fine" is "medium" carried on to full resolution.

        Raises:
            UsageError: Unknown preset.
        """
        if preset not in _PRESETS:
            known = list(_PRESETS)
            raise UsageError(f"unknown DIS preset {preset!r}.{did_you_mean(preset, known)} Known: {', '.join(known)}")
        self.preset = preset
        self._dis: Any = None
        self._shape: tuple[int, ...] = ()

    @property
    def version(self) -> str:
        """OpenCV's version and the preset."""
        return f"opencv {cv2.__version__} dis {self.preset}"

    def estimate(self, frame0: UInt8Array, frame1: UInt8Array) -> Float32Array:
        """See `FlowEstimator.estimate`."""
        grey0, grey1 = grey_pair(frame0, frame1)
        # OpenCV adapts its scales to a small frame and keeps them: frames of another size get a fresh object.
        if self._dis is None or self._shape != grey0.shape:
            self._dis, self._shape = cv2.DISOpticalFlow.create(_PRESETS[self.preset]), grey0.shape
            if self.preset == "fine":
                self._dis.setFinestScale(0)
        flow: Float32Array = self._dis.calc(grey0, grey1, None)
        return flow

    def __getstate__(self) -> dict[str, Any]:
        # OpenCV's object cannot be sent to another process; it is made again there.
        return {**self.__dict__, "_dis": None}


class FarnebackFlow(FlowEstimator):
    """Polynomial expansion (Farnebäck, SCIA 2003), by OpenCV; smoother and less exact than DIS."""

    name = "farneback"
    supervision = "none"

    LEVELS, WINDOW, ITERATIONS, NEIGHBOURHOOD, SIGMA = 5, 15, 3, 7, 1.5

    @property
    def version(self) -> str:
        """OpenCV's version and the parameters."""
        parameters = f"{self.LEVELS}/{self.WINDOW}/{self.ITERATIONS}/{self.NEIGHBOURHOOD}/{self.SIGMA}"
        return f"opencv {cv2.__version__} farneback {parameters}"

    def estimate(self, frame0: UInt8Array, frame1: UInt8Array) -> Float32Array:
        """See `FlowEstimator.estimate`."""
        grey0, grey1 = grey_pair(frame0, frame1)
        flow: Float32Array = cv2.calcOpticalFlowFarneback(
            grey0, grey1, None, 0.5, self.LEVELS, self.WINDOW, self.ITERATIONS, self.NEIGHBOURHOOD, self.SIGMA, 0
        )
        return flow

"""A trained model as a function: image and guidance -> dense flow, both in pixels of the original image."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ssl_motion.backbones import INPUT_MEAN, INPUT_STD
from ssl_motion.data.sample import Float32Array, UInt8Array
from ssl_motion.engine.environment import resolve_device
from ssl_motion.errors import UsageError
from ssl_motion.propagation.guidance import Guidance
from ssl_motion.protocols import PretrainMethod
from ssl_motion.whole_models import WholeModel


@dataclass(frozen=True)
class Seen:
    """An image as a model has looked at it, ready to be asked about.

    Attributes:
        method: the model.
        stages: what its trunk made of the image.
        size: (height, width) of the original image.
        inner: (height, width) at which the network sees it.
    """

    method: PretrainMethod
    stages: Mapping[str, Tensor]
    size: tuple[int, int]
    inner: tuple[int, int]

    def flow(self, guidances: Sequence[Guidance], sampled: tuple[int, int] | None = None) -> Float32Array:
        """Predict the flow of each guidance, all in one batch; see `flows`, which keeps one at a time.

        Returns:
            float32 [N, H, W, 2] in pixels of the original image, (right, down).
        """
        return np.stack(list(self.flows(guidances, sampled)))

    def flows(self, guidances: Sequence[Guidance], sampled: tuple[int, int] | None = None) -> Iterator[Float32Array]:
        """Predict the flow of each guidance: the network in one batch, the large answers one after the other.

        A guided point counts for the network's pixel that it falls on; of several on one pixel the last counts.

        Args:
            guidances: one or more.
            sampled: (height, width) of the grid to answer on, which is laid over the image; None for its own pixels.

        Yields:
            float32 [H, W, 2] in pixels of the original image, (right, down), for each guidance.

        Raises:
            UsageError: A point lies outside the image, or the method predicts no flow.
        """
        sparse, mask = self._rasterised(guidances)
        device = next(iter(self.stages.values())).device
        with torch.inference_mode():
            inner = self.method.propagate(self.stages, sparse.to(device), mask.to(device)).float()
        for number in range(len(inner)):
            yield self._at_size(inner[number : number + 1], sampled or self.size)

    def _at_size(self, inner_12hw: Tensor, size: tuple[int, int]) -> Float32Array:
        with torch.inference_mode():
            flow = F.interpolate(inner_12hw, size=size, mode="bilinear", align_corners=False)
            flow *= torch.tensor([1 / scale for scale in self._scale]).view(1, 2, 1, 1).to(flow.device)
        return np.ascontiguousarray(flow[0].permute(1, 2, 0).cpu().numpy())

    @property
    def _scale(self) -> tuple[float, float]:
        """Network pixels per original pixel, along x and y."""
        return self.inner[1] / self.size[1], self.inner[0] / self.size[0]

    def _rasterised(self, guidances: Sequence[Guidance]) -> tuple[Tensor, Tensor]:
        """Draw guidance at the network's size: vectors [N, 2, h, w] in its pixels, and the mask [N, 1, h, w]."""
        height, width = self.inner
        sparse = torch.zeros(len(guidances), 2, height, width)
        mask = torch.zeros(len(guidances), 1, height, width)
        across, down = self._scale
        for number, guidance in enumerate(guidances):
            for x, y, dx, dy in guidance.checked(self.size).vectors:
                column = min(max(int((x + 0.5) * across), 0), width - 1)
                row = min(max(int((y + 0.5) * down), 0), height - 1)
                sparse[number, :, row, column] = torch.tensor([dx * across, dy * down])
                mask[number, 0, row, column] = 1.0
        return sparse, mask


class MotionPredictor:
    """Predicts the dense motion of images from a few given vectors.

    Args:
        method: in evaluation mode; one that can `propagate`.
        side: shorter side, in pixels, of images as the network sees them: that of its training images serves it best.
        device: "cpu", "cuda" or "auto".

    Raises:
        UsageError: CUDA is asked for and not there.
    """

    def __init__(self, method: PretrainMethod, side: int, device: str = "auto") -> None:
        self.device = resolve_device(device)
        self.method = method.to(self.device).eval()
        self.side = side
        self._stride = max(8, *method.backbone.strides.values())
        self._mean = torch.tensor(INPUT_MEAN, device=self.device).view(1, 3, 1, 1)
        self._std = torch.tensor(INPUT_STD, device=self.device).view(1, 3, 1, 1)

    @classmethod
    def of(cls, model: WholeModel, device: str = "auto", side: int | None = None) -> "MotionPredictor":
        """Take a model as it was found, at the size of its training images unless another is given.

        Raises:
            UsageError: The method predicts no flow, or CUDA is asked for and not there.
        """
        if type(model.method).propagate is PretrainMethod.propagate:
            raise UsageError(
                f"{model.source}: the method {model.name} predicts no flow, so there is nothing to propagate. "
                "Take a model of a method that does, such as cmp."
            )
        return cls(model.method, side or model.side, device)

    def inner_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Say at which (height, width) the network sees an image: its shape kept, but for rounding to the stride."""
        scale = self.side / min(size)
        height, width = (max(1, round(each * scale / self._stride)) * self._stride for each in size)
        return height, width

    def look(self, image: UInt8Array) -> Seen:
        """Let the trunk look at an image, once for all that is asked about it.

        Args:
            image: uint8 [H, W, 3] RGB.
        """
        inner = self.inner_size(image.shape[:2])
        shrinks = inner[0] < image.shape[0]
        resized = cv2.resize(image, inner[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        batch = torch.from_numpy(np.ascontiguousarray(resized)).permute(2, 0, 1)[None].to(self.device).float()
        with torch.inference_mode():
            stages = self.method.backbone((batch - self._mean) / self._std)
        return Seen(self.method, stages, (image.shape[0], image.shape[1]), inner)

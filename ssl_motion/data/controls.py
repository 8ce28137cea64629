"""Controls: pairs from which something is taken away, to see whether a method learned from it.

- "shuffled_flow": every flow goes with the image of another pair. Colours, textures and the statistics of motion are
  as before, but no image says anything about its flow: what is still learned does not come from motion in images.
- "camera_flow": the flow is replaced by what a camera alone would have caused, as fitted to it
  (`ssl_motion.flow.background`), known everywhere (nowhere, where too little flow is known to fit anything). No
  object moves on its own.
- "reversed_flow": the flow is negated. That is the reversal of time to first order: exactly it would be the flow from
  frame t to t - gap (or, of the same two frames, that on the grid of frame t + gap); these differ where motion
  changes.

Maps beside the pairs (`FlowSample.layers`) follow what they were made from: those of `FLOW_LAYERS` stay with the
flow, any other stays with its image. camera_flow and reversed_flow move no layer.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import overload

import cv2
import numpy as np
from PIL import Image

from ssl_motion.data.layers import MASKS
from ssl_motion.data.sample import FlowSample
from ssl_motion.errors import UsageError
from ssl_motion.flow.background import fit_background
from ssl_motion.seeding import generator
from ssl_motion.spec import ControlName

FLOW_LAYERS = frozenset({MASKS})
"""Layers that are made from the flow of their pair."""


def control_label(control: ControlName) -> str:
    """Name a control in words, such as "shuffled flow"; empty for "none"."""
    return "" if control == "none" else control.replace("_", " ")


def check_control(control: ControlName, layers: Sequence[str]) -> None:
    """Check that a control leaves a method something to be a control of.

    Args:
        control: what is taken away.
        layers: what the method reads beside the pairs.

    Raises:
        UsageError: It reads masks of moving objects where none is left, or its targets are no flow's.
    """
    if control == "none" or not layers:
        return
    if control == "camera_flow" and (masks := sorted(FLOW_LAYERS & set(layers))):
        raise UsageError(
            f"data.control: camera_flow leaves no object that moves on its own, so there is nothing that the method's "
            f"layer {masks[0]!r} could show. Use shuffled_flow, or a method that reads the flow itself."
        )
    if not FLOW_LAYERS & set(layers):
        raise UsageError(
            f"data.control: {control} changes the flow, but the method learns from the layer {sorted(layers)[0]!r}, "
            f"which describes the image: it would learn the same. Set data.control to none."
        )


def controlled(samples: Sequence[FlowSample], control: ControlName, seed: int = 0) -> Sequence[FlowSample]:
    """Put a control between the stored pairs and whoever reads them.

    Args:
        samples: stored pairs by number.
        control: what is taken away.
        seed: of the exchange of images; one fixed exchange for all runs, unless it is given.

    Raises:
        UsageError: There is only one pair to exchange images within.
    """
    if control == "none":
        return samples
    partners = exchange(len(samples), seed) if control == "shuffled_flow" else None
    return ControlledPairs(samples, control, partners)


def exchange(count: int, seed: int = 0) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Draw whose image each pair gets: int64 [count], a permutation in which no pair keeps its own (one long cycle).

    Raises:
        UsageError: There is only one pair.
    """
    if count < 2:
        raise UsageError("data.control: shuffled_flow exchanges images between pairs, and a split has only one")
    order = generator(seed, "exchange of images").permutation(count)
    partners = np.empty(count, np.int64)
    partners[order] = np.roll(order, 1)
    return partners


class ControlledPairs(Sequence[FlowSample]):
    """Pairs under a control, made one by one as they are read.

    Args:
        samples: stored pairs by number.
        control: any but "none".
        partners: for shuffled_flow, whose image each pair gets; reading a pair then costs two decodings.
    """

    def __init__(
        self,
        samples: Sequence[FlowSample],
        control: ControlName,
        partners: np.ndarray[tuple[int], np.dtype[np.int64]] | None,
    ) -> None:
        self.samples, self.control, self.partners = samples, control, partners

    def __len__(self) -> int:
        return len(self.samples)

    @overload
    def __getitem__(self, number: int) -> FlowSample: ...

    @overload
    def __getitem__(self, number: slice) -> list[FlowSample]: ...

    def __getitem__(self, number: int | slice) -> FlowSample | list[FlowSample]:
        if isinstance(number, slice):
            return [self[position] for position in range(*number.indices(len(self)))]
        # Stored pairs may be bad: then say so before anything is computed from them.
        sample = self.samples[number].checked()
        if self.partners is not None:
            return with_image_of(sample, self.samples[int(self.partners[number])].checked())
        if self.control == "reversed_flow":
            return replace(sample, flow=-sample.flow)
        fit = fit_background(sample.flow, sample.valid)
        # Where next to nothing was known, nothing was fitted: then nothing is known of the camera either.
        return replace(sample, flow=fit.flow, valid=np.full(sample.size, fit.inliers > 0))


def with_image_of(sample: FlowSample, other: FlowSample) -> FlowSample:
    """Give a pair another's image, with the layers that describe that image; resized where the sizes differ.

    The flow and what is made from it stay as they are, to the pixel.
    """
    image, described = other.image, {name: x for name, x in other.layers.items() if name not in FLOW_LAYERS}
    height, width = sample.size
    if other.size != sample.size:
        image = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))
        described = {
            name: cv2.resize(layer, (width, height), interpolation=cv2.INTER_NEAREST_EXACT).astype(np.uint8, copy=False)
            for name, layer in described.items()
        }
    moving = {name: layer for name, layer in sample.layers.items() if name in FLOW_LAYERS}
    return replace(sample, image=image, layers={**moving, **described})

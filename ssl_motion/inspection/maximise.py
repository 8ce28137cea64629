"""Images that a unit responds to most: gradient ascent with jitter and a total-variation prior.

This is not the method of Mahendran et al. 2018, who cite activation maximisation with a natural-image prior; it is a
light relative of Mahendran and Vedaldi 2016, "Visualizing deep convolutional neural networks using natural
pre-images". An image x, in units of the network's normalised input, starts as noise and becomes, step by step,

    x <- (1 - r) x + r (g / rms(g) - w dTV(x) / dx)

where g is the gradient of the unit's response to x shifted at random by a few pixels (jitter), shifted back; rms is
over the pixels that the unit sees; and r falls linearly to 0. So x is an average of the gradients on the way, smoothed
by the prior: at its fixed point it has the contrast of a natural image where the unit looks, and is grey elsewhere.
Dividing by rms(g) makes w mean the same in every network.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ssl_motion.data.sample import UInt8Array
from ssl_motion.inspection.models import Inspected
from ssl_motion.seeding import generator

_RATE = 0.1  # r of the first step
_CORNER = 0.05  # rounds the prior off where neighbours are equal; units of normalised input, some three grey levels
_BATCH = 16
_STARTS = 16 * _BATCH
_KINDS = [
    (scale, contrast) for contrast in (1.0, 0.3) for scale in (1, 2, 4, 8)
]  # of noise: pixels per cell, deviation


@dataclass(frozen=True)
class Ascent:
    """How an image is sought.

    Attributes:
        steps: of gradient ascent.
        jitter: largest random shift along each axis, in pixels; None for a quarter of the stage's stride.
        total_variation: weight w of the prior.
        side: of the square images, in pixels; None for 16 cells of the stage, at least 32 and at most 224 pixels.
    """

    steps: int = 128
    jitter: int | None = None
    total_variation: float = 0.3
    side: int | None = None

    def jitter_at(self, stride: int) -> int:
        """Return the jitter in pixels for a stage of that stride."""
        return stride // 4 if self.jitter is None else self.jitter

    def side_at(self, stride: int) -> int:
        """Return the side in pixels for a stage of that stride."""
        return self.side or min(224, max(32, 16 * stride))


@dataclass(frozen=True)
class Maximised:
    """What came of some units.

    Attributes:
        pictures: uint8 [side, side, 3] RGB each.
        inputs: the same as the network sees them, float32 [N, 3, side, side].
        responses: of each unit to its picture; 0 for one that nothing woke, whose picture is grey.
    """

    pictures: list[UInt8Array]
    inputs: Tensor
    responses: list[float]


def total_variation(image_BCHW: Tensor, corner: float = 0.0) -> Tensor:
    """Sum the lengths of the differences to the right and lower neighbour over pixels and channels: [B].

    Beyond the right and lower border the image goes on with its border pixels. Source: Rudin, Osher and Fatemi 1992.

    Args:
        image_BCHW: any images.
        corner: added to the differences in squares, and taken off the length again, so that there is a gradient at 0.
    """
    across = F.pad(image_BCHW.diff(dim=-1), (0, 1))
    down = F.pad(image_BCHW.diff(dim=-2), (0, 0, 0, 1))
    lengths: Tensor = (across.square() + down.square() + corner**2).sqrt() - corner
    return lengths.sum(dim=(1, 2, 3))


def maximise(model: Inspected, stage: str, channels: Sequence[int], ascent: Ascent, seed: int = 0) -> Maximised:
    """Seek the image to which the unit in the middle of the map responds most, for each of some channels.

    Each starts from that image of noise, of many, to which it responds most, since a unit behind a ReLU that is silent
    has no gradient to follow.

    Args:
        model: what is looked into.
        stage: of its trunk.
        channels: of the stage, from 0.
        ascent: settings.
        seed: of noise and jitter. The same seed gives the same on the same machine.
    """
    starts = _starts(model, stage, channels, ascent.side_at(model.network.strides[stage]), seed)
    parts = []
    for begin in range(0, len(channels), _BATCH):
        some, start = channels[begin : begin + _BATCH], starts[begin : begin + _BATCH]
        image = _ascend(model, stage, some, start, ascent, seed)
        with torch.no_grad():
            responses = _middle(model, stage, image)[list(range(len(some))), list(some)]
        parts.append((image * (responses != 0).view(-1, 1, 1, 1), responses))
    inputs, found = (torch.cat(column).cpu() for column in zip(*parts, strict=True))
    pixels = inputs.permute(0, 2, 3, 1) * torch.tensor(model.std) + torch.tensor(model.mean)
    return Maximised(
        pictures=list(pixels.round().clamp(0, 255).byte().numpy()),
        inputs=inputs,
        responses=found.tolist(),
    )


@torch.no_grad()
def _starts(model: Inspected, stage: str, channels: Sequence[int], side: int, seed: int) -> Tensor:
    """Find the noise that each unit starts from: [N, 3, side, side]."""
    found = []
    for begin in range(0, _STARTS, _BATCH):
        noise = torch.cat([_noise(number, side, seed) for number in range(begin, begin + _BATCH)])
        found.append(_middle(model, stage, noise.to(model.device))[:, list(channels)])
    best = torch.cat(found).argmax(dim=0)
    return torch.cat([_noise(number, side, seed) for number in best.tolist()]).to(model.device)


def _noise(number: int, side: int, seed: int) -> Tensor:
    """One image of noise, float32 [1, 3, side, side]: of one of several scales, and of at most natural contrast."""
    scale, contrast = _KINDS[number % len(_KINDS)]
    drawn = generator(seed, "activation maximisation", number).standard_normal((1, 3, *[-(-side // scale)] * 2))
    image = F.interpolate(torch.from_numpy(drawn), size=(side, side), mode="bilinear", align_corners=False)
    return (image * (contrast / image.std())).float()


def _middle(model: Inspected, stage: str, image_BCHW: Tensor) -> Tensor:
    """Responses of the units in the middle of a stage's map: [B, C]."""
    map_BCHW = model.network(image_BCHW)[stage]
    responses: Tensor = map_BCHW[:, :, map_BCHW.shape[2] // 2, map_BCHW.shape[3] // 2]
    return responses


def _ascend(
    model: Inspected, stage: str, channels: Sequence[int], image_BCHW: Tensor, ascent: Ascent, seed: int
) -> Tensor:
    jitter = ascent.jitter_at(model.network.strides[stage])
    shifts = generator(seed, "jitter").integers(-jitter, jitter + 1, (ascent.steps, 2))
    darkest, lightest = (
        torch.tensor([(level - mean) / std for mean, std in zip(model.mean, model.std, strict=True)])
        .view(1, 3, 1, 1)
        .to(image_BCHW)
        for level in (0.0, 255.0)
    )
    own = list(range(len(channels))), list(channels)
    for step, (down, across) in enumerate(shifts.tolist()):
        image = image_BCHW.detach().requires_grad_()
        responses = _middle(model, stage, image.roll((down, across), (2, 3)))[own]
        (uphill,) = torch.autograd.grad(responses.sum(), image)
        (rough,) = torch.autograd.grad(total_variation(image, _CORNER).sum(), image)
        rate = _RATE * (1 - step / ascent.steps)
        aim = uphill / _contrast(uphill) - ascent.total_variation * rough
        moved = torch.lerp(image.detach(), aim, rate).clamp(darkest, lightest)
        # A unit that is silent at this shift may not be at the next.
        image_BCHW = moved.where((responses != 0).view(-1, 1, 1, 1), image.detach())
    return image_BCHW


def _contrast(gradient_BCHW: Tensor) -> Tensor:
    """Root mean square over what is not 0, [B, 1, 1, 1]; 1 where all is."""
    seen = (gradient_BCHW != 0).sum(dim=(1, 2, 3), keepdim=True).clamp(min=1)
    rms = (gradient_BCHW.square().sum(dim=(1, 2, 3), keepdim=True) / seen).sqrt()
    return rms.where(rms > 0, 1.0)

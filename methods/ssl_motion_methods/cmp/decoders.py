"""From image and motion features to two classifications per pixel (paper section 3.1, "dense motion decoder")."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ssl_motion.errors import UsageError


def _resized(x_BCHW: Tensor, size: torch.Size | tuple[int, int]) -> Tensor:
    if x_BCHW.shape[-2:] == tuple(size):
        return x_BCHW
    return F.interpolate(x_BCHW, size=tuple(size), mode="bilinear", align_corners=True)


def _layer(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


class PropagationNets(nn.Module):
    """Side by side, one small network for each spatial stride: max-pooling, 3x3 Conv-BN-ReLU layers, upsampling.

    Args:
        inputs: channels that come in.
        width: channels of every layer of every network.
        strides: pooling strides, ascending.
        layers: Conv-BN-ReLU layers in each network.
    """

    def __init__(self, inputs: int, width: int, strides: Sequence[int], layers: int) -> None:
        super().__init__()
        self.strides = tuple(strides)
        nets = {}
        for stride in self.strides:
            parts: list[nn.Module] = [nn.MaxPool2d(stride, stride=stride)] if stride > 1 else []
            for index in range(layers):
                parts += _layer(inputs if index == 0 else width, width)
            nets[str(stride)] = nn.Sequential(*parts)
        self.nets = nn.ModuleDict(nets)

    def forward(self, features_BCHW: Tensor) -> Tensor:
        """Map [B, inputs, h, w] to the networks' outputs side by side, [B, width * len(strides), h, w].

        Raises:
            UsageError: The features are smaller than the largest stride.
        """
        size = features_BCHW.shape[-2:]
        if min(size) < self.strides[-1]:
            raise UsageError(
                f"method_config.strides: the image features are {size[0]} x {size[1]}, too small to be pooled by "
                f"{self.strides[-1]}. Use larger images, a trunk of smaller stride, or leave out large strides."
            )
        return torch.cat([_resized(net(features_BCHW), size) for net in self.nets.values()], dim=1)


class PlainDecoder(nn.Module):
    """Propagation networks of two layers each, fused by one 1x1 convolution: the decoder for learning features.

    Args:
        inputs: channels of the concatenated image and motion features.
        outputs: logits per pixel.
        width: channels of the propagation networks (the authors': 128).
        strides: spatial strides of the propagation networks (the authors': 1, 2, 4).
    """

    def __init__(self, inputs: int, outputs: int, width: int, strides: Sequence[int]) -> None:
        super().__init__()
        self.propagation = PropagationNets(inputs, width, strides, layers=2)
        self.classifier = nn.Conv2d(width * len(strides), outputs, 1)

    def forward(self, features_BCHW: Tensor, stages: Mapping[str, Tensor]) -> Tensor:
        """Map [B, inputs, h, w] to logits [B, outputs, h, w]; the trunk's other stages are not used."""
        del stages
        logits: Tensor = self.classifier(self.propagation(features_BCHW))
        return logits


class SkipDecoder(nn.Module):
    """Propagation networks of three layers each, then refined with features at 1/4 and 1/2 of the resolution.

    The authors' model for guided video and annotation; in their code, not in the paper. They always use strides
    1, 2, 4, 8 with it.

    Args:
        inputs: channels of the concatenated image and motion features.
        outputs: logits per pixel.
        width: channels of the propagation networks (the authors': 128); the rest scales with it.
        strides: spatial strides of the propagation networks.
        quarter: name and channels of the trunk's stage at stride 4.
        half: name and channels of the trunk's stage at stride 2.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        width: int,
        strides: Sequence[int],
        quarter: tuple[str, int],
        half: tuple[str, int],
    ) -> None:
        super().__init__()
        self.quarter_stage, self.half_stage = quarter[0], half[0]
        self.propagation = PropagationNets(inputs, width, strides, layers=3)
        self.fusion8 = nn.Sequential(*_layer(width * len(strides), 2 * width))
        self.skip4 = nn.Sequential(*_layer(quarter[1], width))
        self.fusion4 = nn.Sequential(*_layer(3 * width, width))
        self.skip2 = nn.Sequential(*_layer(half[1], width // 4))
        self.fusion2 = nn.Sequential(*_layer(width + width // 4, width // 2))
        self.classifier = nn.Conv2d(width // 2, outputs, 1)

    def forward(self, features_BCHW: Tensor, stages: Mapping[str, Tensor]) -> Tensor:
        """Map [B, inputs, h, w] and the trunk's stages to logits at the resolution of the stage of stride 2."""
        coarse = self.fusion8(self.propagation(features_BCHW))
        for skip, fusion, stage in (
            (self.skip4, self.fusion4, stages[self.quarter_stage]),
            (self.skip2, self.fusion2, stages[self.half_stage]),
        ):
            coarse = fusion(torch.cat([_resized(coarse, stage.shape[-2:]), skip(stage)], dim=1))
        logits: Tensor = self.classifier(coarse)
        return logits

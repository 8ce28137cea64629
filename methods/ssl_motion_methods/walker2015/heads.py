"""What turns a trunk's features into scores of flow vectors on a grid."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ssl_motion.errors import UsageError
from ssl_motion.plugins import did_you_mean
from ssl_motion.protocols import Backbone
from ssl_motion_methods.walker2015.config import Walker2015Config

POOLED = 6
"""Cells per side that fc6 sees: those of AlexNet's pool5 at 200x200."""


class FullyConnectedHead(nn.Module):
    """pool5, fc6, fc7 and fc8 of the authors' network: every cell of the answer sees the whole image.

    Their pool5 (3x3, stride 2, rounding up) makes 6x6 cells of the 13x13 that our AlexNet has at 200x200. Pooling to
    6x6 cells whatever the size is the same there, and lets images have any size.

    Args:
        channels: of the features.
        clusters: number of flow vectors K.
        grid: cells per side of the answer.
        hidden: channels of fc6 and fc7.
    """

    def __init__(self, channels: int, clusters: int, grid: int, hidden: int) -> None:
        super().__init__()
        self.clusters, self.grid = clusters, grid
        self.fc6 = nn.Linear(channels * POOLED**2, hidden)
        self.fc7 = nn.Linear(hidden, hidden)
        self.fc8 = nn.Linear(hidden, clusters * grid**2)
        self.dropout = nn.Dropout(0.5)
        for layer, bias in ((self.fc6, 0.1), (self.fc7, 0.1), (self.fc8, 0.0)):
            # Caffe's "xavier": uniform, with variance 1 / inputs.
            bound = math.sqrt(3 / layer.in_features)
            nn.init.uniform_(layer.weight, -bound, bound)
            nn.init.constant_(layer.bias, bias)

    def forward(self, features_BChw: Tensor) -> Tensor:
        """Map features [B, C, h, w] to logits [B, K, grid, grid]."""
        pooled = F.adaptive_max_pool2d(features_BChw, POOLED).flatten(1)
        hidden = self.dropout(torch.relu(self.fc6(pooled)))
        hidden = self.dropout(torch.relu(self.fc7(hidden)))
        logits: Tensor = self.fc8(hidden)
        return logits.view(-1, self.clusters, self.grid, self.grid)


class ConvolutionalHead(nn.Conv2d):
    """One convolution on the trunk's own grid, so that what has to be known is in the trunk's features.

    Args:
        channels: of the features.
        clusters: number of flow vectors K.
        kernel: its side, odd.
    """

    def __init__(self, channels: int, clusters: int, kernel: int) -> None:
        super().__init__(channels, clusters, kernel, padding=kernel // 2)

    def reset_parameters(self) -> None:
        """Start with nearly equal scores."""
        nn.init.normal_(self.weight, std=0.01)
        assert self.bias is not None
        nn.init.zeros_(self.bias)


def wants_fully_connected(settings: Walker2015Config, backbone: Backbone) -> bool:
    """Decide on the head."""
    if settings.head != "auto":
        return settings.head == "fc"
    return "fc6" in backbone.channels


def head_stage(settings: Walker2015Config, backbone: Backbone) -> str:
    """Name the trunk's stage that the head stands on.

    Raises:
        UsageError: The settings name one that the trunk does not have.
    """
    if settings.stage is None:
        takes_conv5 = wants_fully_connected(settings, backbone) and "conv5" in backbone.channels
        return "conv5" if takes_conv5 else backbone.last_stage
    if settings.stage not in backbone.channels:
        known = list(backbone.channels)
        raise UsageError(
            f"method_config.stage: {backbone.arch} has no stage {settings.stage!r}."
            f"{did_you_mean(settings.stage, known)} It has: {', '.join(known)}"
        )
    return settings.stage


def freeze_beyond(backbone: Backbone, stage: str) -> None:
    """Keep the parameters that have no share in a stage from being trained.

    They would get no gradient, which data-parallel training takes for a fault, but weight decay would shrink them.
    """
    first = next(backbone.parameters())
    was_training = backbone.training
    backbone.eval()  # so that batch norms do not take the probe for data
    with torch.enable_grad():
        side = 4 * max(backbone.strides.values())
        probe = torch.zeros(1, 3, side, side, dtype=first.dtype, device=first.device)
        trained = [value for value in backbone.parameters() if value.requires_grad]
        shares = torch.autograd.grad(backbone(probe)[stage].sum(), trained, allow_unused=True)
    backbone.train(was_training)
    for parameter, share in zip(trained, shares, strict=True):
        parameter.requires_grad_(share is not None)


def build_head(settings: Walker2015Config, backbone: Backbone) -> nn.Module:
    """Build the head for a trunk.

    Raises:
        UsageError: The settings name a stage that the trunk does not have.
    """
    channels = backbone.channels[head_stage(settings, backbone)]
    if wants_fully_connected(settings, backbone):
        return FullyConnectedHead(channels, settings.clusters, settings.grid, settings.hidden)
    return ConvolutionalHead(channels, settings.clusters, settings.kernel)

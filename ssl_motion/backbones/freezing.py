"""Keeping the first stages of a trunk as they are while the rest is trained."""

import torch
from torch import nn

from ssl_motion.protocols import Backbone

_SIDE = 64  # px of the image that finds out what a stage depends on; any that every trunk can take


def stage_parameters(trunk: Backbone, stage: str) -> set[str]:
    """Name the parameters that a stage's features depend on: its own and those of every stage before it.

    Args:
        trunk: any trunk; its values do not matter and are not changed.
        stage: one of `trunk.channels`.

    Raises:
        UsageError: The trunk has no such stage.
    """
    trunk.require_stage(stage)
    modes = [(each, each.training) for each in trunk.modules()]
    flags = [(each, each.requires_grad) for each in trunk.parameters()]
    device = next(trunk.parameters()).device
    trunk.eval().requires_grad_(True)
    try:
        with torch.enable_grad():
            features = trunk(torch.zeros(1, 3, _SIDE, _SIDE, device=device))[stage]
            names, values = zip(*trunk.named_parameters(), strict=True)
            gradients = torch.autograd.grad(features.sum(), values, allow_unused=True)
    finally:
        for module, mode in modes:
            module.training = mode
        for parameter, flag in flags:
            parameter.requires_grad_(flag)
    return {name for name, gradient in zip(names, gradients, strict=True) if gradient is not None}


def freeze(trunk: Backbone, stage: str) -> list[str]:
    """Take the gradient from every parameter up to and including `stage`.

    Returns:
        Names of the batch norms among them. Keep these in evaluation mode: their statistics would drift otherwise.

    Raises:
        UsageError: The trunk has no such stage.
    """
    frozen = stage_parameters(trunk, stage)
    for name, parameter in trunk.named_parameters():
        if name in frozen:
            parameter.requires_grad_(False)
    return [name for name in batch_norms(trunk) if f"{name}.weight" in frozen]


def batch_norms(module: nn.Module) -> list[str]:
    """Name the batch norms of a network, synchronised ones included."""
    return [name for name, part in module.named_modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]

"""Batch norm without parameters (Mahendran et al. 2018), for trunks that come with some."""

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ssl_motion.errors import UsageError
from ssl_motion.protocols import Backbone


def fix_affine(backbone: Backbone) -> None:
    """Set the scale of every batch norm to 1 and its shift to 0, and keep both from being trained.

    They stay in the trunk's state, so that what is handed over has the usual names.

    Raises:
        UsageError: The trunk has no batch norms.
    """
    norms = [part for part in backbone.modules() if isinstance(part, _BatchNorm) and part.affine]
    if not norms:
        raise UsageError(f"method_config.batch_norm: affine_free, but this {backbone.arch} has no batch norms")
    for norm in norms:
        nn.init.ones_(norm.weight)
        nn.init.zeros_(norm.bias)
        norm.requires_grad_(False)

"""Batch norm folded into the convolution before it: the same function of an image, with fewer layers.

In evaluation batch norm is a fixed affine map of each channel, y = s (x - mean) + b with s = scale / sqrt(var + eps).
After a convolution x = w * image + c that is a convolution again, with weights s w and biases s (c - mean) + b.
Mahendran, Thewlis and Vedaldi (ACCV 2018) hand their AlexNet over in this form.
"""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ssl_motion.backbones import outline_backbone
from ssl_motion.backbones.alexnet import AlexNet
from ssl_motion.errors import UsageError
from ssl_motion.protocols import Backbone
from ssl_motion.spec import BackboneSpec


def check_absorbable(backbone: Backbone) -> None:
    """Refuse a trunk whose batch norms cannot be absorbed.

    Raises:
        UsageError: It is no AlexNet of ours, or has no batch norms.
    """
    if not isinstance(backbone, AlexNet):
        raise UsageError(
            f"absorbing batch norms: works for the AlexNets only, not for {backbone.arch}, whose transfer recipes all "
            "expect its batch norms. Hand it over as it is."
        )
    if not any(isinstance(part, _BatchNorm) for part in backbone.modules()):
        raise UsageError(f"absorbing batch norms: this {backbone.arch} has none (backbone.norm is none)")


def absorb_batch_norm(backbone: Backbone, spec: BackboneSpec) -> tuple[Backbone, BackboneSpec]:
    """Make a copy of an AlexNet without batch norms, whose features equal those of the original in evaluation mode.

    The original is left alone. Sums are done in float64 and rounded once.

    Args:
        backbone: the trunk; its moving averages are what is absorbed.
        spec: what it was built from.

    Returns:
        The copy, on the same device, of the same types and in the same mode; and its spec (`norm: none`).

    Raises:
        UsageError: The trunk is no AlexNet of ours, or has no batch norms.
    """
    check_absorbable(backbone)
    plain_spec = spec.model_copy(update={"norm": "none"})
    # Without values: nothing is allocated and no random number is drawn.
    plain = outline_backbone(plain_spec)
    tensors: dict[str, Tensor] = {}
    for name, layer in backbone.named_children():
        if isinstance(layer, nn.Sequential):
            tensors[f"{name}.0.weight"], tensors[f"{name}.0.bias"] = _absorbed(layer[0], layer[1])
    plain.load_state_dict(tensors, assign=True)
    return plain.train(backbone.training), plain_spec


@torch.no_grad()
def _absorbed(convolution: nn.Module, norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Return weights [O, I, h, w] and biases [O] of the convolution that does the work of both."""
    assert isinstance(convolution, nn.Conv2d)
    assert convolution.bias is not None
    assert isinstance(norm, _BatchNorm)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    weight = convolution.weight.double() * scale[:, None, None, None]
    bias = (convolution.bias.double() - norm.running_mean.double()) * scale + norm.bias.double()
    return weight.to(convolution.weight.dtype), bias.to(convolution.bias.dtype)

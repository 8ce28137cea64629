"""What a predicted mask is measured by: cross-entropy and overlap, both on known cells alone."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ssl_motion.data.sample import UNKNOWN_LABEL


def mask_loss(logits_BHW: Tensor, mask_BHW: Tensor) -> Tensor:
    """Compute the binary cross-entropy, mean over the batch's known cells; 0 where none is known.

    The gradient is exactly 0 in cells that are not known, whatever their logits are. Computed in float32 at least.

    Args:
        logits_BHW: [B, H, W], floating.
        mask_BHW: uint8 [B, H, W]: 1 object, 0 background, 255 unknown.
    """
    known = mask_BHW != UNKNOWN_LABEL
    wide = logits_BHW if logits_BHW.dtype == torch.float64 else logits_BHW.float()
    # Not by multiplying with 0: an infinite logit would make that NaN.
    heeded = torch.where(known, wide, 0.0)
    each = F.binary_cross_entropy_with_logits(heeded, (mask_BHW == 1).to(wide.dtype), reduction="none")
    return torch.where(known, each, 0.0).sum() / known.sum().clamp(min=1)


def mask_iou(logits_BHW: Tensor, mask_BHW: Tensor) -> Tensor:
    """Compute the intersection over union of cells predicted to be object (logit above 0) and those that are.

    Args:
        logits_BHW: [B, H, W].
        mask_BHW: as in `mask_loss`; only known cells count.

    Returns:
        Mean over the images in which either has a cell, a scalar in 0..1; 0 where no image has.
    """
    known = mask_BHW != UNKNOWN_LABEL
    said, true = (logits_BHW > 0) & known, mask_BHW == 1
    both, either = ((said & true).sum(dim=(1, 2)), (said | true).sum(dim=(1, 2)))
    return (both / either.clamp(min=1)).sum() / (either > 0).sum().clamp(min=1)

"""Two similarities between the points of an image, by embedding and by flow, and how they are compared.

Mahendran et al. 2018, equations 1 to 5. For points p and q with unit embeddings and normalised flow f,

    K_phi(p, q) = cos(phi_p, phi_q) / 4        K_f(p, q) = exp(-|f_p - f_q|^2 / (2 sigma^2))

(`ssl_motion.similarity`). Both become distributions over q by S = softmax(K - I): subtracting the identity gives the
reduced diagonals of the paper, exp(0) for flow and exp(-3/4) for embeddings. The loss is the cross-entropy of S_phi
under S_f, and its gradient flows into the embedding and, through S_f, into sigma.

The paper sums over all points; we take the mean over points and images, so that the learning rate does not depend on
their number. K is symmetric, so rows may stand for the paper's columns, as long as they do for both.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ssl_motion.similarity import SCALE, flow_kernel


class _Bounded(torch.autograd.Function):
    """Clamp whose gradient still passes where a step leads back inside, so that no value gets stuck outside."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, low: float, high: float) -> Tensor:
        ctx.save_for_backward((value < low).float() - (value > high).float())
        return value.clamp(low, high)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (inwards,) = ctx.saved_tensors
        # Descent moves against the gradient.
        return torch.where(inwards * gradient > 0, 0.0, gradient), None, None


class KernelWidth(nn.Module):
    """The learned width sigma of the flow kernel, kept positive by its logarithm.

    Args:
        start: initial width, in units of normalised flow.
        bounds: smallest and largest width.
    """

    def __init__(self, start: float, bounds: tuple[float, float]) -> None:
        super().__init__()
        self.bounds = math.log(bounds[0]), math.log(bounds[1])
        self.log_sigma = nn.Parameter(torch.tensor(math.log(start)))

    def forward(self) -> Tensor:
        """Return sigma, a scalar inside the bounds."""
        bounded: Tensor = _Bounded.apply(self.log_sigma, *self.bounds)  # type: ignore[no-untyped-call]  # torch's own
        return bounded.exp()


@dataclass(frozen=True)
class Comparison:
    """Means over the points of each image.

    Attributes:
        cross_entropy: [B], of S_phi under S_f: the loss.
        entropy: [B], of S_f: what the cross-entropy cannot fall below. Without gradient.
        constant: [B], the cross-entropy that an embedding gets that is the same everywhere. Without gradient.
    """

    cross_entropy: Tensor
    entropy: Tensor
    constant: Tensor


def compare(embedding_BPD: Tensor, flow_BP2: Tensor, sigma: Tensor) -> Comparison:
    """Compare similarity by embedding with similarity by flow.

    Computed in float32, or float64 where the embedding is, whatever the precision around it.

    Args:
        embedding_BPD: of any length; only its direction counts.
        flow_BP2: normalised flow.
        sigma: width of the flow kernel, a scalar.
    """
    with torch.autocast(embedding_BPD.device.type, enabled=False):
        wide = embedding_BPD if embedding_BPD.dtype == torch.float64 else embedding_BPD.float()
        unit_BPD = F.normalize(wide, dim=-1, eps=1e-6)
        # A CPU is three to four times faster on one image at a time, whose matrices stay in its cache.
        size = 1 if wide.device.type == "cpu" else len(wide)
        parts = [
            _compare(unit, flow, sigma)
            for unit, flow in zip(torch.split(unit_BPD, size), torch.split(flow_BP2.to(wide.dtype), size), strict=True)
        ]
    return Comparison(*(torch.cat(column) for column in zip(*parts, strict=True)))


def _compare(unit_BPD: Tensor, flow_BP2: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    points = unit_BPD.shape[1]
    identity = torch.eye(points, dtype=unit_BPD.dtype, device=unit_BPD.device)
    kernel_phi = torch.baddbmm(identity, unit_BPD, unit_BPD.transpose(1, 2), beta=-1, alpha=SCALE)
    kernel_f = flow_kernel(flow_BP2, flow_BP2, sigma) - identity
    log_s_f, log_s_phi = kernel_f.log_softmax(-1), kernel_phi.log_softmax(-1)
    s_f = log_s_f.exp()
    cross_entropy = -(s_f * log_s_phi).sum(-1).mean(-1)
    with torch.no_grad():
        entropy = -(s_f * log_s_f).sum(-1).mean(-1)
        diagonal = s_f.diagonal(dim1=1, dim2=2).mean(-1)
        # With K_phi = 1/4 everywhere, -log S_phi is the same off the diagonal, and larger by 1 on it.
        constant = math.log(points - 1 + math.exp(-1)) + diagonal
    return cross_entropy, entropy, constant

"""Two similarities between the pixels of an image, by embedding and by motion.

Mahendran et al. 2018, equations 1 and 2. For pixels p and q with embeddings phi and normalised flow f,

    K_phi(p, q) = cos(phi_p, phi_q) / 4        K_f(p, q) = exp(-|f_p - f_q|^2 / (2 sigma^2))
"""

import math
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

SCALE = 1 / 4
"""What the cosine is multiplied by in the kernel of embeddings."""

PAPER_SIGMA = 0.06
"""Width of the flow kernel that the paper's training ended at, in units of normalised flow."""


@dataclass(frozen=True)
class FlowKernel:
    """What decides which motions are alike.

    Attributes:
        sigma: width, in units of normalised flow.
        saturation: pixels of motion per axis that are normalised to 1, and beyond which all motion is alike.
        source: where the two numbers are from, in words.
    """

    sigma: float
    saturation: float
    source: str

    @classmethod
    def of_paper(cls, side: int) -> "FlowKernel":
        """Take the paper's, for images of another side: it saturates at a quarter of its 224-pixel crops.

        Args:
            side: of the images, in pixels.
        """
        return cls(PAPER_SIGMA, side / 4, "Mahendran et al.'s")


def normalise_flow(flow: Tensor, saturation: float) -> Tensor:
    """Bring flow in pixels to [-1, 1] per component: sign(f) min(1, log(|f| + 1) / log(saturation + 1))."""
    return flow.sign() * (flow.abs().log1p() / math.log1p(saturation)).clamp(max=1)


def flow_kernel(first_BP2: Tensor, second_BQ2: Tensor, sigma: Tensor) -> Tensor:
    """Compute K_f [B, P, Q] between normalised flows.

    Args:
        first_BP2: normalised flow of the pixels p.
        second_BQ2: of the pixels q.
        sigma: width, a scalar.
    """
    # Differences of the flow itself: |a|^2 + |b|^2 - 2ab would lose the small ones, which the kernel is about.
    (first_u, first_v), (second_u, second_v) = first_BP2.unbind(-1), second_BQ2.unbind(-1)
    distance = (first_u[:, :, None] - second_u[:, None, :]).square_()
    distance.add_((first_v[:, :, None] - second_v[:, None, :]).square_())
    return (distance * (-0.5 / sigma.square())).exp()


def embedding_kernel(first_BPD: Tensor, second_BQD: Tensor) -> Tensor:
    """Compute K_phi [B, P, Q] between embeddings of any length."""
    first, second = (F.normalize(each, dim=-1, eps=1e-6) for each in (first_BPD, second_BQD))
    return SCALE * first @ second.transpose(1, 2)

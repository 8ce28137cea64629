"""Random logits and flow, and CMP's loss on them against the plain formulas (read with `runpy`)."""

import runpy
from pathlib import Path

import torch

from ssl_motion_methods.cmp.bins import FlowBins
from ssl_motion_methods.cmp.loss import flow_cross_entropy

_reference = runpy.run_path(str(Path(__file__).with_name("cmp_reference.py")))
plain_loss, gradient_of = _reference["plain_loss"], _reference["gradient_of"]
SMALL = FlowBins(5, 10.0)


def problem(batch, source, size, bins, *, seed=0, scale=3.0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(batch, 2 * bins.count, *source, generator=generator, dtype=dtype)
    flow = (torch.rand(batch, 2, *size, generator=generator) * 2.4 - 1.2) * bins.boundary
    return logits, flow


def assert_equal_to_plain(logits, flow, bins, tolerance=1e-5):
    # Bins are decided by the flow as it is given; the sums of the reference are in float64.
    expected = gradient_of(plain_loss, logits.double(), flow, bins, weights=(0.7, 2.0))
    got = gradient_of(flow_cross_entropy, logits, flow, bins, weights=(0.7, 2.0))
    for value, truth in zip(got, expected, strict=True):
        assert value.shape == truth.shape
        # Where the network is right and sure, nearly nothing is left of losses and gradients of this size.
        size = 1 if truth.ndim == 0 else 1 / len(logits) / min(logits[0, 0].numel(), flow[0, 0].numel())
        assert (value.double() - truth).abs().max() <= tolerance * truth.abs().max() + 1e-6 * size

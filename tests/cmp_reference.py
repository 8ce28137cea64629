"""Slow, plain references for CMP's guidance and loss; tests load this file with `runpy.run_path`."""

import numpy as np
import torch
from scipy import ndimage, signal
from torch.nn import functional as F


def candidates(flow, kernel_size):
    """Watershed key-points before thinning, in float64 with SciPy, step by step as published: int [N, 2] of (x, y)."""
    step = max(flow.shape[:2]) // 400 if max(flow.shape[:2]) >= 800 else 1
    part = flow[::step, ::step].astype(np.float64)
    sobel = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])
    strength = np.zeros(part.shape[:2])
    for channel in range(2):
        gradients = [signal.convolve2d(part[..., channel], k, mode="same", boundary="symm") for k in (sobel, sobel.T)]
        strength += np.sqrt(gradients[0] ** 2 + gradients[1] ** 2)
    edges = strength / max(strength.max(), 0.01) > 0.1
    if not edges.any():
        return np.zeros((0, 2), dtype=int)
    distance = ndimage.distance_transform_edt(~edges)
    kept = np.where(distance == ndimage.maximum_filter(distance, size=kernel_size, mode="reflect"), distance, 0)
    kept[0] = kept[-1] = 0
    kept[:, 0] = kept[:, -1] = 0
    rows, columns = np.nonzero(kept > 0)
    return np.stack([columns, rows], axis=1) * step


def thin(points, kernel_size, drops_first):
    """Thin by the full matrix of pairs, in row-major order; `drops_first` holds the coin flips: int [N, 2]."""
    reach = (kernel_size - 1) / 2
    near = (np.abs(points[:, None] - points[None]) < reach).all(axis=2)
    alive = np.ones(len(points), dtype=bool)
    flips = iter(drops_first)
    for first, second in zip(*np.nonzero(near), strict=True):
        if first != second and alive[first] and alive[second]:
            alive[first if next(flips) else second] = False
    return points[alive]


def plain_loss(logits, flow, bins):
    """CE_x, CE_y on logits upsampled as a whole."""
    upsampled = F.interpolate(logits, flow.shape[2:], mode="bilinear", align_corners=True)
    index = bins.to_index(flow)
    return (
        F.cross_entropy(upsampled[:, : bins.count], index[:, 0]),
        F.cross_entropy(upsampled[:, bins.count :], index[:, 1]),
    )


def pieces_flow(height, width, seed):
    """A slow pan and a few ellipses, each with an affine motion of its own: float32 [H, W, 2]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(np.float64)
    flow = np.stack([0.5 + 0.002 * x, -0.3 + 0.001 * y], axis=2)
    for _ in range(6):
        cx, cy = rng.uniform(0, width), rng.uniform(0, height)
        rx, ry = rng.uniform(0.06, 0.22, 2) * min(height, width)
        inside = ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1
        u, v = rng.uniform(-10, 10, 2)
        a, b = rng.uniform(-0.01, 0.01, 2)
        flow[inside] = np.stack([u + a * (x - cx), v + b * (y - cy)], axis=2)[inside]
    return flow.astype(np.float32)


def collapsed_flow(height, width, seed, sigma=3.0):
    """A failed flow: band-limited noise with a standard deviation of 5 px, float32 [H, W, 2]."""
    noise = np.random.default_rng(seed).standard_normal((height, width, 2))
    noise = ndimage.gaussian_filter(noise, (sigma, sigma, 0))
    return (noise * 5 / noise.std()).astype(np.float32)


def gradient_of(loss_function, logits, *args, weights=(1.0, 1.0)):
    """Losses and the gradient of their weighted sum."""
    leaf = logits.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    loss_x, loss_y = loss_function(leaf, *args)
    (weights[0] * loss_x + weights[1] * loss_y).backward()
    return loss_x.detach(), loss_y.detach(), leaf.grad

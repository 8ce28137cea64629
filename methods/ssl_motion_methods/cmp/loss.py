"""CMP's loss: two cross-entropies over flow bins at full image resolution, without ever holding logits there.

The authors upsample 2 x 99 logits to every pixel of the image and take the softmax there; that is 117 MB per
384x384 image and copy, of which several live at once, and nearly half of an AlexNet step. Here one pass goes over
the image in tiles: interpolate, softmax, loss, gradient, and the gradient folded back to the logits' own resolution.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ssl_motion.errors import DataError, UsageError
from ssl_motion_methods.cmp.bins import FlowBins
from ssl_motion_methods.cmp.full_precision import exact_float32_matmul
from ssl_motion_methods.cmp.interpolation import axis_weights, support

# Values of upsampled logits that are held at once: a CPU's tile should stay near its caches, a GPU's should fill it.
CPU_TILE = 1 << 20
GPU_TILE = 1 << 26
# Logits this close to their pixel's largest cannot underflow float32's exp, wherever the shift is taken.
SAFE_SPREAD = 60.0
# Tiles this narrow in logits keep the matrix products, which grow with it, cheap beside the softmax.
TILE_SOURCE_COLUMNS = 16


def flow_cross_entropy(logits_BCHW: Tensor, flow_B2HW: Tensor, bins: FlowBins) -> tuple[Tensor, Tensor]:
    """Compute CE_x and CE_y between upsampled logits and binned flow (CMP paper section 3).

    Equal to `F.cross_entropy(F.interpolate(logits, flow's size, mode="bilinear", align_corners=True), bin index)`
    per axis, mean over all pixels of the batch; nothing is masked. Differentiable once, in the logits only.
    Computed in float32 (float64 for float64 logits), under autocast too.

    Args:
        logits_BCHW: [B, 2 * bins.count, h, w], floating; x bins first. Any h, w >= 1.
        flow_B2HW: [B, 2, H, W], pixels; clipped at the bins' boundary.
        bins: which classes.

    Returns:
        (loss_x, loss_y): scalars of the dtype it was computed in.

    Raises:
        UsageError: Shapes do not fit together, or a side is zero.
        DataError: The flow holds NaN or infinity (on a GPU, where looking would stall it, the losses are NaN).
    """
    return _OUTSIDE_COMPILED_GRAPHS(logits_BCHW, flow_B2HW, bins)


def _checked_loss(logits_BCHW: Tensor, flow_B2HW: Tensor, bins: FlowBins) -> tuple[Tensor, Tensor]:
    """Check the arguments of `flow_cross_entropy`, and compute it."""
    bins.split_axes(logits_BCHW)
    batch, _, height, width = logits_BCHW.shape
    if flow_B2HW.ndim != 4 or flow_B2HW.shape[:2] != (batch, 2):
        raise UsageError(f"flow loss: expected flow [{batch}, 2, H, W], got {list(flow_B2HW.shape)}")
    if 0 in (batch, height, width, *flow_B2HW.shape[2:]):
        raise UsageError(f"flow loss: empty input: logits {list(logits_BCHW.shape)}, flow {list(flow_B2HW.shape)}")
    if flow_B2HW.device.type == "cpu" and not bool(torch.isfinite(flow_B2HW).all()):
        raise DataError("flow loss: the target flow holds NaN or infinity; mark such pixels invalid, with flow zero")
    wants_gradient = torch.is_grad_enabled() and logits_BCHW.requires_grad
    with torch.autocast(logits_BCHW.device.type, enabled=False), exact_float32_matmul():
        loss_x, loss_y = _FlowCrossEntropy.apply(logits_BCHW, flow_B2HW, bins, wants_gradient)  # type: ignore[no-untyped-call]  # torch's own
    return loss_x, loss_y


# torch.compile would only unroll the loop over tiles.
_OUTSIDE_COMPILED_GRAPHS: Callable[[Tensor, Tensor, FlowBins], tuple[Tensor, Tensor]]
_OUTSIDE_COMPILED_GRAPHS = torch.compiler.disable(_checked_loss)  # type: ignore[no-untyped-call]  # torch's own


class _FlowCrossEntropy(torch.autograd.Function):
    """Loss and gradient in one forward pass; backward only scales the gradient."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, flow: Tensor, bins: FlowBins, wants_gradient: bool) -> tuple[Tensor, Tensor]:
        losses, gradient = _loss_and_gradient(logits, flow, bins, wants_gradient)
        if gradient is not None:
            ctx.save_for_backward(gradient)
        ctx.dtype = logits.dtype
        return losses[0], losses[1]

    @staticmethod
    def backward(ctx: Any, grad_x: Tensor, grad_y: Tensor) -> tuple[Tensor, None, None, None]:
        if torch.is_grad_enabled():
            # torch's own once_differentiable would let a graph through in which this loss' curvature is missing.
            raise UsageError("flow loss: it has no second derivatives; backpropagate without create_graph=True")
        (gradient,) = ctx.saved_tensors
        scale = torch.stack([grad_x, grad_y]).view(1, 2, 1, 1, 1)
        return (gradient * scale).flatten(1, 2).to(ctx.dtype), None, None, None


@dataclass(frozen=True)
class _Tile:
    """A block of the output, and the block of the logits that it is interpolated from."""

    images: slice
    rows: slice
    columns: slice
    source_rows: slice
    source_columns: slice


def _tiles(logits_shape: tuple[int, ...], size: tuple[int, int], budget: int) -> Iterator[_Tile]:
    """Cut the output into tiles of at most `budget` upsampled logits, where one row of one tile column allows it."""
    batch, channels, source_height, source_width = logits_shape
    height, width = size
    tile_width = width
    if source_width > 1.5 * TILE_SOURCE_COLUMNS:
        tile_width = math.ceil(width * TILE_SOURCE_COLUMNS / source_width)
    tile_height = min(height, max(1, budget // (channels * tile_width)))
    tile_images = max(1, budget // (channels * tile_width * height)) if tile_height == height else 1
    for image in range(0, batch, tile_images):
        for y in range(0, height, tile_height):
            for x in range(0, width, tile_width):
                y_stop, x_stop = min(y + tile_height, height), min(x + tile_width, width)
                yield _Tile(
                    slice(image, min(image + tile_images, batch)),
                    slice(y, y_stop),
                    slice(x, x_stop),
                    slice(*support(source_height, height, y, y_stop)),
                    slice(*support(source_width, width, x, x_stop)),
                )


def _loss_and_gradient(
    logits: Tensor, flow: Tensor, bins: FlowBins, wants_gradient: bool
) -> tuple[Tensor, Tensor | None]:
    """Compute [CE_x, CE_y] and, where wanted, their gradients [B, 2, count, h, w] in the logits."""
    dtype = torch.float64 if logits.dtype == torch.float64 else torch.float32
    device = logits.device
    batch, channels, source_height, source_width = logits.shape
    height, width = flow.shape[2:]
    row_weights = axis_weights(source_height, height, dtype=dtype, device=device)
    column_weights = axis_weights(source_width, width, dtype=dtype, device=device)

    # Softmax does not change when all bins are shifted alike. Shifting each cell of the logits so that its largest is
    # zero keeps upsampled ones below zero too (they are averages), and saves a pass at full resolution; it is safe as
    # long as none falls so low that exp underflows. Looking costs a GPU more than the pass.
    split = bins.split_axes(logits.detach()).to(dtype)
    shifted = split - split.amax(dim=2, keepdim=True)
    needs_shift = device.type != "cpu" or not bool(shifted.amin() > -SAFE_SPREAD)
    values_BhCw = shifted.flatten(1, 2).transpose(1, 2)
    gradient = torch.zeros_like(values_BhCw, memory_format=torch.contiguous_format) if wants_gradient else None

    pixels = batch * height * width
    sums = torch.zeros(2, dtype=torch.float64, device=device)
    budget = CPU_TILE if device.type == "cpu" else GPU_TILE
    buffer = torch.empty(0, dtype=dtype, device=device)
    for tile in _tiles(tuple(logits.shape), (height, width), budget):
        rows = row_weights[tile.rows, tile.source_rows]
        columns = column_weights[tile.columns, tile.source_columns]
        source = values_BhCw[tile.images, tile.source_rows, :, tile.source_columns]
        count, _, _, across = source.shape
        down, along = len(rows), len(columns)

        # Upsampled logits [images, rows, axis, bin, columns], in one buffer that all tiles share.
        if buffer.numel() < count * down * channels * along:
            buffer = torch.empty(count * down * channels * along, dtype=dtype, device=device)
        upsampled = buffer[: count * down * channels * along].view(-1, along)
        tall = torch.matmul(rows, source.flatten(2))
        torch.mm(tall.view(-1, across), columns.t(), out=upsampled)
        upsampled = upsampled.view(count, down, 2, bins.count, along)

        aim = flow[tile.images, :, tile.rows, tile.columns]
        index = bins.to_index(aim.nan_to_num()).transpose(1, 2).unsqueeze(3)
        target = upsampled.gather(3, index)
        if needs_shift:
            peak = upsampled.amax(dim=3, keepdim=True)
            upsampled -= peak
            target -= peak
        upsampled.exp_()
        # Zero unless the flow holds NaN or infinity, which then shows in the loss and the gradient.
        total = upsampled.sum(dim=3, keepdim=True) + aim.sum() * 0
        sums += (total.log() - target).sum(dim=(0, 1, 3, 4), dtype=torch.float64)
        if gradient is None:
            continue
        # d CE / d logit = softmax - [bin is the target] = (exp - [..] total) / total; the division and the mean go
        # into the weights that fold columns back, which are few.
        upsampled.scatter_(3, index, target.exp() - total)
        folding = columns / (total * pixels).view(-1, along, 1)
        tall = torch.bmm(upsampled.view(-1, bins.count, along), folding)
        folded = torch.matmul(rows.t(), tall.view(count, down, -1))
        gradient[tile.images, tile.source_rows, :, tile.source_columns] += folded.view_as(source)
    losses = (sums / pixels).to(dtype)
    if gradient is None:
        return losses, None
    return losses, bins.split_axes(gradient.transpose(1, 2)).contiguous()

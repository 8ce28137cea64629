"""Non-maximum suppression and RoIAlign in plain torch, for installations without compiled operators.

Both follow the compiled operators of mmcv 2.1.0 in every rule that moves a number (sampling grid,
borders, strict comparison, degenerate boxes) and differ from them only by rounding.

Shapes: N boxes, R regions, B images, C channels, H x W feature cells, P x Q output cells per region.
"""

import torch
from torch import Tensor

_BLOCK = 512


def nms(boxes_N4: Tensor, scores_N: Tensor, iou_threshold: float, offset: int = 0) -> Tensor:
    """Greedy non-maximum suppression.

    Works through the boxes in blocks of descending score, so that memory stays linear in their number.

    Args:
        boxes_N4: float [N, 4], (x1, y1, x2, y2).
        scores_N: float [N].
        iou_threshold: a box is dropped when its overlap with a kept one is larger than this.
        offset: 0, or 1 for boxes whose x2, y2 are the last pixel inside.

    Returns:
        int64 [K], indices of the kept boxes by descending score.
    """
    order = torch.argsort(scores_N, descending=True, stable=True)
    boxes = boxes_N4[order].float()
    areas = (boxes[:, 2] - boxes[:, 0] + offset) * (boxes[:, 3] - boxes[:, 1] + offset)
    remaining = torch.arange(len(boxes), device=boxes.device)
    kept = []
    while len(remaining):
        block, rest = remaining[:_BLOCK], remaining[_BLOCK:]
        winners = block[_greedy(_overlap(boxes, areas, block, block, offset) > iou_threshold)]
        kept.append(winners)
        if len(rest):
            beaten = (_overlap(boxes, areas, winners, rest, offset) > iou_threshold).any(dim=0)
            remaining = rest[~beaten]
        else:
            remaining = rest
    return order[torch.cat(kept)] if kept else order


def _overlap(boxes: Tensor, areas: Tensor, first: Tensor, second: Tensor, offset: int) -> Tensor:
    """Intersection over union of every box of `first` with every one of `second` (0/0 gives NaN, as compiled)."""
    a, b = boxes[first][:, None], boxes[second][None]
    width = (torch.minimum(a[..., 2], b[..., 2]) - torch.maximum(a[..., 0], b[..., 0]) + offset).clamp_(min=0)
    height = (torch.minimum(a[..., 3], b[..., 3]) - torch.maximum(a[..., 1], b[..., 1]) + offset).clamp_(min=0)
    inner = width * height
    return inner / (areas[first][:, None] + areas[second][None] - inner)


def _greedy(beats_KK: Tensor) -> Tensor:
    """Indices of the survivors, where box i beats box j > i if `beats_KK[i, j]`. NumPy: a row costs a microsecond."""
    beats = beats_KK.cpu().numpy()
    alive = beats.diagonal().copy()
    alive[:] = True
    winners = []
    for index in range(len(beats)):
        if alive[index]:
            winners.append(index)
            alive[index + 1 :] &= ~beats[index, index + 1 :]
    return torch.tensor(winners, dtype=torch.int64, device=beats_KK.device)


def roi_align(
    features_BCHW: Tensor,
    rois_R5: Tensor,
    output_size: tuple[int, int],
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> Tensor:
    """Average bilinear samples on a regular grid in each output cell of each region (He et al. 2017, section 3).

    Bilinear weights are a product of a row weight and a column weight, and so is their mean over the grid:
    each region is `rows [P, h] @ window [h, w] @ columns [w, Q]` on the window of cells it touches.

    Args:
        features_BCHW: float [B, C, H, W].
        rois_R5: float [R, 5], (image index, x1, y1, x2, y2) in pixels of the image.
        output_size: (P, Q).
        spatial_scale: feature cells per image pixel.
        sampling_ratio: samples per output cell and axis; 0 takes one per feature cell.
        aligned: shift by half a cell (Detectron2's correction).

    Returns:
        float [R, C, P, Q].

    Raises:
        ValueError: `aligned`, and a region has negative size or NaN coordinates.
    """
    kind = features_BCHW.dtype
    features = features_BCHW if kind in (torch.float32, torch.float64) else features_BCHW.float()
    output = features.new_zeros(len(rois_R5), features.shape[1], *output_size)
    plan = _plan(rois_R5.to(features.dtype), features.shape[2:], output_size, spatial_scale, sampling_ratio, aligned)
    for region, (image, top, bottom, left, right, rows, columns) in enumerate(plan):
        window = features[image, :, top:bottom, left:right]
        output[region] = rows @ (window @ columns.T)
    return output.to(kind)


def roi_align_backward(
    gradient_RCPQ: Tensor,
    rois_R5: Tensor,
    input_shape: tuple[int, int, int, int],
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> Tensor:
    """Gradient of `roi_align` with respect to the features: float [B, C, H, W]; deterministic."""
    kind = gradient_RCPQ.dtype
    gradient = gradient_RCPQ if kind in (torch.float32, torch.float64) else gradient_RCPQ.float()
    result = gradient.new_zeros(input_shape)
    size = (gradient.shape[2], gradient.shape[3])
    plan = _plan(rois_R5.to(gradient.dtype), input_shape[2:], size, spatial_scale, sampling_ratio, aligned)
    for region, (image, top, bottom, left, right, rows, columns) in enumerate(plan):
        result[image, :, top:bottom, left:right] += rows.T @ (gradient[region] @ columns)
    return result.to(kind)


_Region = tuple[int, int, int, int, int, Tensor, Tensor]


def _plan(
    rois: Tensor,
    grid: tuple[int, ...] | torch.Size,
    output_size: tuple[int, int],
    scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> list[_Region]:
    """For each region: image, window (top, bottom, left, right), row weights [P, h], column weights [Q, w]."""
    if not len(rois):
        return []
    corners = rois[:, 1:] * scale - (0.5 if aligned else 0.0)
    sizes = corners[:, 2:] - corners[:, :2]
    if aligned:
        if not bool((sizes >= 0).all()):
            raise ValueError("RoIAlign: a region has a negative size or NaN coordinates")
    else:
        sizes = sizes.clamp(min=1.0)
    rows, tops, bottoms = _axis_weights(corners[:, 1], sizes[:, 1], grid[0], output_size[0], sampling_ratio)
    columns, lefts, rights = _axis_weights(corners[:, 0], sizes[:, 0], grid[1], output_size[1], sampling_ratio)
    images = rois[:, 0].long().tolist()
    return [
        (image, top, bottom, left, right, rows[index, :, top:bottom], columns[index, :, left:right])
        for index, (image, top, bottom, left, right) in enumerate(
            zip(images, tops, bottoms, lefts, rights, strict=True)
        )
    ]


def _axis_weights(
    starts: Tensor, sizes: Tensor, cells: int, outputs: int, sampling_ratio: int
) -> tuple[Tensor, list[int], list[int]]:
    """Weights [R, outputs, cells] along one axis, and the half-open range of cells that each region touches."""
    bins = sizes / outputs
    counts = torch.full_like(sizes, float(sampling_ratio)) if sampling_ratio > 0 else torch.ceil(bins)
    most = max(int(counts.max()), 1)
    steps = torch.arange(most, device=sizes.device, dtype=sizes.dtype)
    cell = torch.arange(outputs, device=sizes.device, dtype=sizes.dtype)
    divisor = counts.clamp(min=1.0)
    positions = (
        starts[:, None, None]
        + cell[None, :, None] * bins[:, None, None]
        + (steps[None, None] + 0.5) * bins[:, None, None] / divisor[:, None, None]
    )
    # Samples beyond a region's own count, and those more than one cell outside the map, weigh nothing.
    used = (steps[None, None] < counts[:, None, None]) & (positions >= -1.0) & (positions <= cells)
    positions = positions.clamp(min=0.0, max=float(cells - 1))
    low = positions.floor().long()
    high = (low + 1).clamp(max=cells - 1)
    above = positions - low
    share = used / divisor[:, None, None]
    weights = positions.new_zeros(len(starts), outputs, cells)
    weights.scatter_add_(2, low, (1.0 - above) * share)
    weights.scatter_add_(2, high, above * share)
    first = torch.where(used, low, cells).amin(dim=(1, 2))
    last = torch.where(used, high, -1).amax(dim=(1, 2)) + 1
    return weights, torch.minimum(first, last).tolist(), last.tolist()

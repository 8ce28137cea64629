"""A segmentation head on sparse hypercolumns, and the pixels that it is trained on.

Source: Larsson et al. 2017, "Colorization as a Proxy Task for Visual Understanding", and their published code: a hidden
layer and a classifier on the hypercolumns of a few pixels of every training image. When it is tested, on all of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS, TRANSFORMS
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from ssl_motion.errors import UsageError
from ssl_motion.hypercolumns import read_layer, upsampled
from ssl_motion.openmmlab.training_accuracy import pixel_accuracy

UNKNOWN_LABEL = 255


@TRANSFORMS.register_module(force=True)
class SparseLabels:
    """Keep the labels of some pixels, drawn uniformly without repetition, and make all others unknown (255).

    Pixels that are drawn and unknown stay unknown, so that fewer may be left.

    Args:
        pixels: how many are drawn; all there are in an image of fewer.
        border: none is drawn so near to an edge of the image, in pixels.
    """

    def __init__(self, pixels: int, border: int = 0) -> None:
        self.pixels, self.border = pixels, border

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Thin out "gt_seg_map" (uint8 [H, W])."""
        label = results["gt_seg_map"]
        height, width = (side - 2 * self.border for side in label.shape)
        if height < 1 or width < 1:
            raise UsageError(
                f"SparseLabels: a border of {self.border} px leaves no pixel of a training image of {label.shape[0]} x "
                f"{label.shape[1]}. Take larger crops (--set crop=...), or set border in the recipe."
            )
        drawn = np.random.choice(  # noqa: NPY002 - seeded per draw
            height * width, size=min(self.pixels, height * width), replace=False
        )
        rows, columns = drawn // width + self.border, drawn % width + self.border
        sparse = np.full_like(label, UNKNOWN_LABEL)
        sparse[rows, columns] = label[rows, columns]
        results["gt_seg_map"] = sparse
        return results


@MODELS.register_module(name="HypercolumnHead", force=True)
class HypercolumnHead(BaseDecodeHead):  # type: ignore[misc]  # mmseg ships no types
    """Hypercolumn, one hidden layer with ReLU and dropout, one score per class.

    Trained on the labelled pixels alone, so that a pipeline with `SparseLabels` decides which. Where it is tested, it
    is evaluated at the cells of the first stage, and its scores are interpolated bilinearly between them.

    Args:
        in_channels: channels of every stage that goes in, the finest first.
        strides: of the same stages, pixels per cell.
        hidden: width of the hidden layer.
        dropout_ratio: probability of zeroing a number of the hidden layer, each on its own, while training.
        **settings: of mmseg's decode heads, such as `num_classes` and `in_index`.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        strides: Sequence[int],
        hidden: int,
        dropout_ratio: float = 0.0,
        **settings: Any,
    ) -> None:
        super().__init__(
            in_channels=in_channels,
            channels=hidden,
            input_transform="multiple_select",
            dropout_ratio=0.0,
            **settings,
        )
        self.strides = list(strides)
        self.hidden = nn.Linear(sum(in_channels), hidden)
        if dropout_ratio > 0:
            # mmseg's own would drop a number at all points of an image at once.
            self.dropout = nn.Dropout(dropout_ratio)

    def read(self, stages: Sequence[Tensor], points_BP2: Tensor) -> Tensor:
        """Score classes at points.

        Args:
            stages: what the trunk gave.
            points_BP2: [B, P, 2], x and y in pixels of the image.

        Returns:
            Logits [B, classes, P].
        """
        features = self._transform_inputs(stages)
        hidden_BPC = F.relu(read_layer(self.hidden, features, self.strides, points_BP2))
        logits_BKP1: Tensor = self.cls_seg(hidden_BPC.transpose(1, 2).unsqueeze(3))
        return logits_BKP1.squeeze(3)

    def forward(self, stages: tuple[Tensor, ...]) -> Tensor:
        """Map the trunk's stages to logits [B, classes, h, w], at the cells of the finest stage."""
        finest = self._transform_inputs(stages)[0]
        batch, _, height, width = finest.shape
        y, x = torch.meshgrid(
            torch.arange(height, device=finest.device), torch.arange(width, device=finest.device), indexing="ij"
        )
        points_P2 = torch.stack([x, y], dim=-1).reshape(-1, 2) * self.strides[0]
        return self.read(stages, points_P2.expand(batch, -1, -1)).reshape(batch, -1, height, width)

    def loss(self, inputs: tuple[Tensor, ...], batch_data_samples: Any, train_cfg: Any) -> dict[str, Tensor]:
        """Compute the loss over the labelled pixels, and the share of them that is right."""
        del train_cfg
        points, labels_BP = labelled_points(self._stack_batch_gt(batch_data_samples).squeeze(1), self.ignore_index)
        logits, labels = self.read(inputs, points).unsqueeze(3), labels_BP.unsqueeze(2)
        loss = self.loss_decode(logits, labels, ignore_index=self.ignore_index)
        return {self.loss_decode.loss_name: loss, "acc_seg": pixel_accuracy(logits, labels, self.ignore_index)}

    def predict_by_feat(self, seg_logits: Tensor, batch_img_metas: Sequence[Mapping[str, Any]]) -> Tensor:
        """Bring logits from the finest stage's cells to the pixels of the network's input."""
        meta = batch_img_metas[0]
        # A window of a sliding test has a torch.Size, and the whole image's padding still beside it.
        is_window = isinstance(meta["img_shape"], torch.Size)
        height, width = meta["img_shape" if is_window or "pad_shape" not in meta else "pad_shape"][:2]
        return upsampled(seg_logits, self.strides[0], (height, width))


def labelled_points(labels_BHW: Tensor, unknown: int) -> tuple[Tensor, Tensor]:
    """Find the labelled pixels of every image.

    Args:
        labels_BHW: classes, or `unknown`.
        unknown: marks pixels without a label.

    Returns:
        Their places [B, P, 2] (x, y) and labels [B, P], P being the largest number among the images, and at least 1;
        what is missing in an image with fewer is filled with pixel (0, 0), labelled `unknown`.
    """
    width, flat = labels_BHW.shape[2], labels_BHW.flatten(1)
    found = [(row != unknown).nonzero().squeeze(1) for row in flat]
    places = pad_sequence([*found, flat.new_zeros(1)], batch_first=True, padding_value=-1)[:-1]
    labels = torch.where(places >= 0, flat.gather(1, places.clamp(min=0)), unknown)
    places = places.clamp(min=0)
    return torch.stack([places % width, places // width], dim=-1), labels

"""Labels of images, and the features of frozen stages at labelled pixels."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from ssl_motion.errors import DataError
from ssl_motion.frozen.probe import IGNORED
from ssl_motion.frozen.views import opened_image
from ssl_motion.seeding import generator

LABELS = "labels"
UInt8Array = npt.NDArray[np.uint8]


def read_label(path: Path, classes: int) -> UInt8Array:
    """Read a label image (grey or palette): uint8 [H, W], classes 0 to `classes` - 1 and 255 for unknown pixels.

    Raises:
        DataError: It cannot be read, its pixels are colours, or it holds another value.
    """
    with opened_image(path) as picture:
        mode, label = picture.mode, np.array(picture)
    if mode not in ("L", "P") or label.dtype != np.uint8:
        raise DataError(f"{path}: expected a grey or palette image of class numbers; it is saved as {mode}")
    wrong = label[(label >= classes) & (label != IGNORED)]
    if wrong.size:
        raise DataError(
            f"{path}: label value {int(wrong[0])}, but there are {classes} classes (and 255 for unknown). Take the "
            "original file."
        )
    return label


def mirrored(label: UInt8Array, swaps: Sequence[tuple[int, int]]) -> UInt8Array:
    """Mirror a label [H, W]: left becomes right in the numbers too, for each pair of `swaps`."""
    table = np.arange(256, dtype=np.uint8)
    for left, right in swaps:
        table[left], table[right] = right, left
    return np.ascontiguousarray(table[label][:, ::-1])


class LabelledPixels:
    """Keeps an image's features at pixels drawn among its labelled ones, and their classes.

    A feature between cells is interpolated bilinearly, as when a stage is brought to the size of the label; the two
    commute with a linear map, so a probe trained on these is the 1x1 convolution that is tested on whole maps. Which
    pixels are drawn depends on the image's place in the list alone.

    Args:
        labels: files, by the index of the image.
        classes: number of classes.
        pixels: number drawn in each image; with repetitions where fewer are labelled.
        mirror: whether the features are those of mirrored images.
        swaps: pairs of classes that a mirror exchanges.
    """

    def __init__(
        self, labels: Sequence[Path], classes: int, pixels: int, mirror: bool, swaps: Sequence[tuple[int, int]]
    ) -> None:
        self.labels, self.classes, self.pixels = labels, classes, pixels
        self.mirror, self.swaps = mirror, swaps

    def facts(self) -> dict[str, Any]:
        """State it for a cache."""
        swaps = [list(pair) for pair in self.swaps] if self.mirror else []
        return {"pixels": self.pixels, "classes": self.classes, "mirror": self.mirror, "swaps": swaps}

    def __call__(self, maps: Mapping[str, Tensor], indices: Sequence[int]) -> dict[str, Tensor]:
        """Reduce stage -> [B, C, h, w] to stage -> [B, P, C], and "labels": uint8 [B, P] (255 where none is known)."""
        places, classes = [], []
        for index in indices:
            place_P2, class_P = self._draw(index)
            places.append(place_P2)
            classes.append(class_P)
        kept = {LABELS: torch.from_numpy(np.stack(classes))}
        for stage, features_BCHW in maps.items():
            grid_B1P2 = torch.from_numpy(np.stack(places)[:, None]).to(features_BCHW)
            read_BC1P = F.grid_sample(features_BCHW, grid_B1P2, padding_mode="border", align_corners=False)
            kept[stage] = read_BC1P[:, :, 0].transpose(1, 2).contiguous()
        return kept

    def _draw(self, index: int) -> tuple[npt.NDArray[np.float32], UInt8Array]:
        """Draw pixels of one image: their centres (x, y) from -1 to 1, and their classes."""
        label = read_label(self.labels[index], self.classes)
        if self.mirror:
            label = mirrored(label, self.swaps)
        height, width = label.shape
        flat = label.reshape(-1)
        known = np.flatnonzero(flat != IGNORED)
        places = known if known.size else np.arange(flat.size)
        rng = generator(0, "labelled pixels", index, int(self.mirror))
        chosen = rng.choice(places, self.pixels, replace=places.size < self.pixels)
        rows, columns = np.divmod(chosen, width)
        centres = np.stack([(2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1], axis=1)
        return centres.astype(np.float32), flat[chosen]

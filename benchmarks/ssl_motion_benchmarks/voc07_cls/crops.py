"""Random crops of labelled images, as the fine-tuning recipes train and test on them. Importing this registers them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.registry import DATASETS
from torch.utils.data import Dataset

from ssl_motion.data.sample import UInt8Array
from ssl_motion.frozen.views import read_image
from ssl_motion.seeding import generator
from ssl_motion_benchmarks.voc07.devkit import IMAGES, read_labels, voc_root


def random_crop(
    image: UInt8Array, rng: np.random.Generator, side: int, scale: tuple[float, float], mirror: bool
) -> UInt8Array:
    """Scale an image at random, cut out a square at a random place, and mirror it with a chance of one half.

    Args:
        image: uint8 [H, W, 3].
        rng: draws scale, place and mirroring.
        side: of the square, in pixels of the result.
        scale: range of the factor (uniform). A factor at which the square would not fit is raised until it does.
        mirror: whether to mirror.

    Returns:
        uint8 [side, side, 3].
    """
    height, width = image.shape[:2]
    factor = max(float(rng.uniform(*scale)), side / min(height, width))
    window = min(round(side / factor), height, width)
    top, left = int(rng.integers(height - window + 1)), int(rng.integers(width - window + 1))
    cut = image[top : top + window, left : left + window]
    # Averaging where it shrinks: picking pixels would alias.
    how = cv2.INTER_AREA if window > side else cv2.INTER_LINEAR
    cut = cv2.resize(cut, (side, side), interpolation=how)
    return np.ascontiguousarray(cut[:, ::-1] if mirror and rng.random() < 0.5 else cut)


@DATASETS.register_module(force=True)
class Voc07Crops(Dataset[Any]):
    """Random crops of the images of a split of VOC 2007's devkit, with their class labels.

    In training an item is asked for by (image, number of the draw) and is one crop that depends on these and the seed
    alone. In testing it is asked for by the image and is several crops that depend on the image's place alone, so that
    they are the same in every run.

    Args:
        data_root: of the devkit, as `voc_root` takes it.
        split: such as "trainval".
        classes: names.
        crop_size: height and width of a crop, which are equal.
        scale: range of scaling (see `random_crop`).
        mirror: whether to mirror at random.
        crops: per image in testing; None in training.
        seed: of the crops in training.
    """

    def __init__(
        self,
        data_root: str,
        split: str,
        classes: Sequence[str],
        crop_size: tuple[int, int],
        scale: tuple[float, float],
        mirror: bool = True,
        crops: int | None = None,
        seed: int = 0,
    ) -> None:
        folder = voc_root(Path(data_root))
        self.known = read_labels(folder, split, classes)
        self.paths = [folder / IMAGES / f"{name}.jpg" for name in self.known.names]
        self.side, self.scale, self.mirror, self.crops, self.seed = crop_size[0], scale, mirror, crops, seed
        self.metainfo = {"classes": list(classes)}
        self.pipeline: Any = _read

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, wanted: Any) -> dict[str, Any]:
        """Return "inputs" uint8 [3, h, w] ([crops, 3, h, w] in testing), "labels" int8 [K] and "names"."""
        index, draw = (wanted, None) if self.crops is not None else wanted
        image = self.pipeline({"img_path": str(self.paths[index])})
        if draw is None:
            rngs = [generator(0, "test crops", index, number) for number in range(self.crops or 0)]
        else:
            rngs = [generator(self.seed, "transfer augmentation", draw)]
        cut = np.stack([random_crop(image, rng, self.side, self.scale, self.mirror) for rng in rngs])
        tensor = torch.from_numpy(cut).permute(0, 3, 1, 2).contiguous()
        return {
            "inputs": tensor if draw is None else tensor[0],
            "labels": torch.from_numpy(self.known.labels[index]),
            "names": self.known.names[index],
        }


def _read(paths: dict[str, Any]) -> UInt8Array:
    return read_image(Path(paths["img_path"]))

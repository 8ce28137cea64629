"""Training data whose order and augmentation depend on (seed, position) alone, and a transform mmseg lacks.

All of it is in the registries above mmseg's and mmdet's, so that recipes of both find it.

A resumed run then sees exactly what an uninterrupted one would have seen, whatever the
number of loader processes: nothing depends on what was drawn before.
"""

import random
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from mmengine.dist import get_dist_info
from mmengine.registry import DATA_SAMPLERS, DATASETS, TRANSFORMS
from torch.utils.data import Dataset, Sampler

from ssl_motion.backbones import INPUT_MEAN
from ssl_motion.errors import DataError, UsageError
from ssl_motion.openmmlab.operators import install_operators
from ssl_motion.seeding import generator

# A loader process that was spawned, not forked, starts with this import.
install_operators()

Draw = tuple[int, int]
UNKNOWN_LABEL = 255


@DATA_SAMPLERS.register_module(force=True)
class DrawSampler(Sampler[Draw]):
    """Endless shuffled epochs as (index of the image, number of the draw); processes take turns.

    Args:
        dataset: what to draw from.
        seed: of the order.
    """

    def __init__(self, dataset: Any, seed: int) -> None:
        self.images, self.seed = len(dataset), seed
        self.rank, self.world_size = get_dist_info()
        self._start = 0

    def start_at(self, position: int) -> None:
        """Begin with this process's draw number `position`."""
        self._start = position

    def __iter__(self) -> Iterator[Draw]:
        position, epoch = self._start, -1
        order: list[int] = []
        while True:
            draw = position * self.world_size + self.rank
            if draw // self.images != epoch:
                epoch = draw // self.images
                order = generator(self.seed, "transfer order", epoch).permutation(self.images).tolist()
            yield order[draw % self.images], draw
            position += 1

    def __len__(self) -> int:
        return self.images


class NamedFaults:
    """A data set's pipeline that says which files could not be loaded, where mmcv only says that one could not.

    Args:
        pipeline: what a data set of mmseg or mmdet calls with the path of an image, and that of its label in mmseg.
    """

    def __init__(self, pipeline: Any) -> None:
        self.pipeline = pipeline

    def __call__(self, paths: dict[str, Any]) -> Any:
        """Load and transform one image and its label."""
        image, label = paths.get("img_path"), paths.get("seg_map_path")
        what = f"image {image} or its label {label}" if label else f"image {image} or its annotations"
        try:
            return self.pipeline(paths)
        except (AssertionError, OSError, ValueError, cv2.error) as error:
            raise DataError(f"{what} cannot be used: {str(error).strip()}. Take the original files.") from error


@DATASETS.register_module(force=True)
class SeededDataset(Dataset[Any]):
    """Wraps a data set of mmseg or mmdet: every draw seeds the generators that their transforms use.

    Args:
        dataset: a data set, or MMEngine's dict for one.
        seed: of the augmentation.
        images: use only the first so many images; None for all.

    Raises:
        UsageError: There are not that many images.
    """

    def __init__(self, dataset: Any, seed: int, images: int | None = None) -> None:
        self.dataset = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
        self.seed, self.images = seed, images
        if images is not None and images > len(self.dataset):
            raise UsageError(f"train_images: {images} asked for, but the list has {len(self.dataset)} images")
        if hasattr(self.dataset, "pipeline"):
            self.dataset.pipeline = NamedFaults(self.dataset.pipeline)

    @property
    def metainfo(self) -> dict[str, Any]:
        """Classes and palette."""
        content: dict[str, Any] = self.dataset.metainfo
        return content

    def full_init(self) -> None:
        """Read the lists."""
        self.dataset.full_init()

    def __len__(self) -> int:
        return self.images or len(self.dataset)

    def __getitem__(self, drawn: Draw) -> Any:
        index, draw = drawn
        state = generator(self.seed, "transfer augmentation", draw).integers(2**32, size=5)
        np.random.seed(state[:4])  # noqa: NPY002 - mmcv's and mmseg's transforms draw from the global generators
        random.seed(int(state[4]))
        sample = self.dataset[index]
        self._check_label(sample)
        return sample

    @cached_property
    def _known_classes(self) -> int:
        """Number of classes; kept, since MMEngine copies everything it knows of a data set whenever it is asked."""
        return len(self.metainfo.get("classes") or ())

    def _check_label(self, sample: Any) -> None:
        """Fail on a class that does not exist: the loss would only say that an index is out of bounds."""
        if "gt_sem_seg" not in sample["data_samples"]:
            return  # boxes and their classes come from lists, which are checked before a run
        # NumPy compares integers of this many bits in a quarter of torch's time.
        known, label = self._known_classes, sample["data_samples"].gt_sem_seg.data.numpy()
        if known and (wrong := label[(label >= known) & (label != UNKNOWN_LABEL)]).size:
            raise DataError(
                f"{sample['data_samples'].seg_map_path}: label value {int(wrong[0])}, but there are {known} classes "
                f"(and {UNKNOWN_LABEL} for unknown). Take the original file."
            )


@TRANSFORMS.register_module(force=True)
class RandomShift:
    """Move image and label by up to so many pixels; the image's border is filled with the mean, the label's with 255.

    Args:
        pixels: largest shift along each axis.
    """

    FILL = tuple(round(value) for value in reversed(INPUT_MEAN))

    def __init__(self, pixels: int) -> None:
        self.pixels = pixels

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Shift "img" (uint8 [H, W, 3], BGR) and "gt_seg_map" (uint8 [H, W])."""
        down, right = np.random.randint(-self.pixels, self.pixels + 1, size=2).tolist()  # noqa: NPY002 - seeded per draw
        image, label = results["img"], results["gt_seg_map"]
        height, width = label.shape
        target = (_span(down, height), _span(right, width))
        source = (_span(-down, height), _span(-right, width))
        moved_image, moved_label = np.empty_like(image), np.full_like(label, 255)
        moved_image[:] = self.FILL
        moved_image[target], moved_label[target] = image[source], label[source]
        results["img"], results["gt_seg_map"] = moved_image, moved_label
        return results


def _span(offset: int, length: int) -> slice:
    return slice(max(offset, 0), length + min(offset, 0))

"""The objects that are annotated, in the layouts of VOC (and the built-in world), DAVIS and COCO."""

import json
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ssl_motion.annotation.export import decode_mask
from ssl_motion.data.label_lists import fixed_order
from ssl_motion.data.sample import BoolArray, UInt8Array
from ssl_motion.errors import DataError
from ssl_motion.frozen.views import opened_image, read_image
from ssl_motion.protocols import DataReport
from ssl_motion_benchmarks.annotation import davis
from ssl_motion_benchmarks.coco_mask_rcnn import annotations as coco
from ssl_motion_benchmarks.voc_fcn import devkit

Layout = Literal["voc", "davis", "coco"]

SMALLEST = 0.005
"""Share of its image that an object has to cover."""

PER_CLASS = 10
"""Objects of each of COCO's classes, the first by the SHA-256 of their numbers."""

VOID = 255
_OBJECTS = "SegmentationObject"
_COCO_VAL = coco.Split("val2017")


@dataclass(frozen=True)
class TrueObject:
    """An object.

    Attributes:
        name: unique in the list, "IMAGE/NUMBER".
        truth: bool [H, W], its mask.
        counted: bool [H, W], where that is known; None for everywhere.
    """

    name: str
    truth: BoolArray
    counted: BoolArray | None


@dataclass(frozen=True)
class Picture:
    """An image with the objects that are annotated in it."""

    name: str
    image: UInt8Array
    objects: Sequence[TrueObject]


class ObjectList(ABC):
    """All objects of a list of images, in one layout.

    Args:
        root: what the user gave as data root.
        split: "val" or "test".
    """

    def __init__(self, root: Path, split: str) -> None:
        self.root, self.split = root, split

    @abstractmethod
    def check(self) -> DataReport:
        """Say what is there, what is missing, and how to get it."""

    @abstractmethod
    def names(self) -> list[str]:
        """Names of the objects that are large enough, "IMAGE/NUMBER".

        Raises:
            DataError: A file cannot be read; it is named.
        """

    @abstractmethod
    def image_file(self, image: str) -> Path:
        """File of an image."""

    @abstractmethod
    def masks(self, image: str, numbers: Sequence[str]) -> list[tuple[BoolArray, BoolArray | None]]:
        """Read truth and counted pixels of some objects of an image."""

    def pictures(self, names: Sequence[str]) -> Iterator[Picture]:
        """Read chosen objects, image by image.

        Raises:
            DataError: A file cannot be read, or a mask is of another size than its image; it is named.
        """
        wanted: dict[str, list[str]] = defaultdict(list)
        for name in names:
            image, _, number = name.rpartition("/")
            wanted[image].append(number)
        for image in sorted(wanted):
            numbers = sorted(wanted[image], key=int)
            pixels = read_image(self.image_file(image))
            objects = []
            for number, (truth, counted) in zip(numbers, self.masks(image, numbers), strict=True):
                if truth.shape != pixels.shape[:2]:
                    raise DataError(f"{self.image_file(image)}: its mask has another size: {truth.shape[::-1]}")
                objects.append(TrueObject(f"{image}/{number}", truth, counted))
            yield Picture(image, pixels, objects)


class NumberedObjects(ObjectList):
    """VOC's devkit: SegmentationObject has a number at every object's pixels, 255 where borders are not labelled."""

    def check(self) -> DataReport:
        """Look at the list, its images and labels."""
        return devkit.inspect(self.root, [self._list], VOID)

    def names(self) -> list[str]:
        """Numbers of the objects in every image of the list."""
        found = []
        for image in devkit.read_names(devkit.voc_root(self.root) / self._list.list_file):
            areas = np.bincount(self._labels(image).ravel(), minlength=VOID)
            large = np.flatnonzero(areas[1:VOID] >= SMALLEST * areas.sum()) + 1
            found += [f"{image}/{number}" for number in large]
        return found

    def image_file(self, image: str) -> Path:
        """File of an image."""
        return devkit.voc_root(self.root) / devkit.IMAGES / f"{image}.jpg"

    def masks(self, image: str, numbers: Sequence[str]) -> list[tuple[BoolArray, BoolArray | None]]:
        """Read truth and counted pixels of some objects of an image."""
        labels = self._labels(image)
        counted = labels != VOID if (labels == VOID).any() else None
        return [(labels == int(number), counted) for number in numbers]

    @property
    def _list(self) -> devkit.LabelSet:
        return devkit.LabelSet(self.split, _OBJECTS)

    def _labels(self, image: str) -> npt.NDArray[np.uint8]:
        return read_numbers(devkit.voc_root(self.root) / _OBJECTS / f"{image}.png")


class MovingObjects(ObjectList):
    """DAVIS 2016: one object, which moves, in frames of sequences."""

    def check(self) -> DataReport:
        """Look at the frames and their masks."""
        return davis.inspect(self.root)

    def names(self) -> list[str]:
        """The object of every tenth frame, "SEQUENCE/FRAME/1"."""
        large = []
        for frame in davis.frames(self.root):
            mask = read_numbers(davis.mask_file(self.root, frame)) > 0
            if mask.mean() >= SMALLEST:
                large.append(f"{frame}/1")
        return large

    def image_file(self, image: str) -> Path:
        """File of a frame."""
        return davis.image_file(self.root, image)

    def masks(self, image: str, numbers: Sequence[str]) -> list[tuple[BoolArray, BoolArray | None]]:
        """Read the mask of a frame: whatever is not background."""
        del numbers
        return [(read_numbers(davis.mask_file(self.root, image)) > 0, None)]


class AnnotatedObjects(ObjectList):
    """COCO's json; crowds are left out."""

    def check(self) -> DataReport:
        """Look at the annotations and the images' files."""
        return coco.inspect(self.root, [_COCO_VAL], coco.CLASSES)

    def names(self) -> list[str]:
        """At most `PER_CLASS` objects of each class, "IMAGE/ANNOTATION" by their numbers."""
        images, annotations = self._content
        classes: dict[Any, list[str]] = defaultdict(list)
        for number, each in annotations.items():
            image = images[each["image_id"]]
            if not each.get("iscrowd") and each["area"] >= SMALLEST * image["height"] * image["width"]:
                classes[each["category_id"]].append(f"{each['image_id']}/{number}")
        return [name for members in classes.values() for name in fixed_order(members)[:PER_CLASS]]

    def image_file(self, image: str) -> Path:
        """File of an image, by its number."""
        images, _ = self._content
        return coco.coco_root(self.root) / _COCO_VAL.name / str(images[int(image)]["file_name"])

    def masks(self, image: str, numbers: Sequence[str]) -> list[tuple[BoolArray, BoolArray | None]]:
        """Decode the masks of some objects of an image."""
        images, annotations = self._content
        size = (int(images[int(image)]["height"]), int(images[int(image)]["width"]))
        return [(decode_mask(annotations[int(number)]["segmentation"], size), None) for number in numbers]

    @cached_property
    def _content(self) -> tuple[dict[int, Any], dict[int, Any]]:
        """Images and annotations by number."""
        content = json.loads((coco.coco_root(self.root) / _COCO_VAL.list_file).read_bytes())
        images, objects = ({int(each["id"]): each for each in content[key]} for key in ("images", "annotations"))
        return images, objects


LAYOUTS: dict[Layout, type[ObjectList]] = {"voc": NumberedObjects, "davis": MovingObjects, "coco": AnnotatedObjects}


def read_numbers(path: Path) -> npt.NDArray[np.uint8]:
    """Read a label image (grey or palette) as numbers, uint8 [H, W].

    Raises:
        DataError: It cannot be read, or its pixels are colours.
    """
    with opened_image(path) as picture:
        mode, numbers = picture.mode, np.array(picture)
    if mode not in ("L", "P", "1"):
        raise DataError(f"{path}: expected a grey or palette image of numbers; it is saved as {mode}")
    return numbers.astype(np.uint8)

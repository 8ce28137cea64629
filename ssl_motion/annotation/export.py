"""Masks as COCO writes them: run-length encoded, in a file that pycocotools and every tool for COCO reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ssl_motion.data.sample import BoolArray
from ssl_motion.errors import DataError


class LabelledMask(Protocol):
    """An object: its class's name and its mask, bool [H, W], which may be made anew each time it is asked for."""

    @property
    def label(self) -> str:
        """Name of its class."""

    @property
    def mask(self) -> BoolArray:
        """Where it is: bool [H, W]."""


@dataclass(frozen=True)
class AnnotatedObject:
    """An object: its class's name and its mask, bool [H, W]."""

    label: str
    mask: BoolArray


@dataclass(frozen=True)
class AnnotatedImage:
    """An image with its objects.

    Attributes:
        file_name: of the image.
        size: (height, width).
        objects: with masks of that size.
    """

    file_name: str
    size: tuple[int, int]
    objects: Sequence[LabelledMask]


def encode_mask(mask: BoolArray) -> dict[str, Any]:
    """Encode a mask [H, W] as COCO's compressed RLE: {"size": [H, W], "counts": text}."""
    from pycocotools import mask as coco_mask

    encoded = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    height, width = encoded["size"]
    return {"size": [int(height), int(width)], "counts": encoded["counts"].decode("ascii")}


def decode_mask(segmentation: Any, size: tuple[int, int]) -> BoolArray:
    """Decode any of COCO's segmentations: compressed or plain RLE, or polygons.

    Args:
        segmentation: of an annotation.
        size: (height, width) of its image.

    Returns:
        bool [H, W].

    Raises:
        DataError: It is none of the three, or of another size.
    """
    from pycocotools import mask as coco_mask

    try:
        if isinstance(segmentation, list):
            encoded = coco_mask.merge(coco_mask.frPyObjects(segmentation, *size))
        elif isinstance(segmentation["counts"], list):
            encoded = coco_mask.frPyObjects(segmentation, *size)
        else:
            encoded = segmentation
        mask: npt.NDArray[np.bool_] = coco_mask.decode(encoded).astype(bool)
    except Exception as error:  # of the extension: any
        raise DataError(f"not a segmentation of COCO: {type(error).__name__}: {error}") from error
    if mask.shape != size:
        raise DataError(f"a mask of {mask.shape[1]} x {mask.shape[0]} for an image of {size[1]} x {size[0]}")
    return mask


def coco_document(images: Sequence[AnnotatedImage]) -> dict[str, Any]:
    """Put images and their objects into COCO's form; everything is numbered from 1, classes in order of appearance."""
    labels = list(dict.fromkeys(each.label for image in images for each in image.objects))
    document: dict[str, Any] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": number, "name": label} for number, label in enumerate(labels, start=1)],
    }
    for number, image in enumerate(images, start=1):
        height, width = image.size
        document["images"].append({"id": number, "file_name": image.file_name, "width": width, "height": height})
        for each in image.objects:
            mask = each.mask
            document["annotations"].append(
                {
                    "id": len(document["annotations"]) + 1,
                    "image_id": number,
                    "category_id": labels.index(each.label) + 1,
                    "segmentation": encode_mask(mask),
                    "area": int(mask.sum()),
                    "bbox": _box(mask),
                    "iscrowd": 0,
                }
            )
    return document


def _box(mask: BoolArray) -> list[int]:
    """Left, top, width and height of what a mask holds; zeros where it holds nothing."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return [0, 0, 0, 0]
    left, top = int(columns[0]), int(rows[0])
    return [left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1]

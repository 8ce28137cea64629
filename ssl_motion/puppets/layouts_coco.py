"""COCO's instance annotations: one json a split, masks as run lengths."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ssl_motion.data.codec import encode_image
from ssl_motion.fileio import write_json
from ssl_motion.puppets.labels import CLASSES
from ssl_motion.puppets.layouts_common import SPLITS, boxes, image_name, split_of, write_bytes
from ssl_motion.puppets.scene import Scene, Stream


def write_instances(folder: Path, stream: Stream, index: int, scene: Scene) -> dict[str, Any]:
    """Write a scene's image; returns its entry in the json, its annotations inside."""
    from pycocotools import mask as coco_mask

    name, (height, width) = image_name(stream, index), scene.sample.size
    write_bytes(folder / "coco" / split_of(stream) / f"{name}.jpg", encode_image(scene.sample.image))
    annotations = []
    for box in boxes(scene):
        # Run lengths keep holes and separate pieces, which polygons would not.
        code = coco_mask.encode(np.asfortranarray(scene.instances == box.instance, np.uint8))
        annotations.append(
            {
                "category_id": box.label,
                "segmentation": {"size": [height, width], "counts": code["counts"].decode("ascii")},
                "area": box.area,
                "bbox": [box.left, box.top, box.right - box.left + 1, box.bottom - box.top + 1],
                "iscrowd": 0,
            }
        )
    return {"file_name": f"{name}.jpg", "width": width, "height": height, "annotations": annotations}


def instance_lists(folder: Path) -> list[Path]:
    """Index files: the json of each split."""
    return [folder / "coco" / "annotations" / f"instances_{split}.json" for split in SPLITS]


def finish_instances(folder: Path, images: Mapping[str, list[dict[str, Any]]]) -> None:
    """Write the json of each split; images and annotations are numbered from 1."""
    for path in instance_lists(folder):
        content: dict[str, Any] = {
            "info": {"description": "Puppets, the built-in world of ssl-motion"},
            "licenses": [],
            "categories": [{"id": number, "name": name} for number, name in enumerate(CLASSES) if number],
            "images": [],
            "annotations": [],
        }
        for number, image in enumerate(images.get(path.stem.removeprefix("instances_"), []), start=1):
            annotations = image.pop("annotations")
            content["images"].append({"id": number, **image})
            for annotation in annotations:
                identity = len(content["annotations"]) + 1
                content["annotations"].append({"id": identity, "image_id": number, **annotation})
        write_json(path, content)

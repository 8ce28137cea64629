"""A tiny data set in COCO's layout: coloured squares whose class shows, so that it can be learned."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np


def make_coco(
    root: Path, classes: Sequence[str], train: int = 12, val: int = 5, size: tuple[int, int] = (64, 80)
) -> Path:
    """Write `root/annotations` and `root/train2017`, `root/val2017`; four of the classes occur. Returns `root`.

    The masks are polygons; the last image of each split has none, the first of each a crowd as well.
    """
    rng = np.random.default_rng(3)
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    height, width = size
    for split, count in (("train2017", train), ("val2017", val)):
        (root / split).mkdir(exist_ok=True)
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for number in range(1, count + 1):
            name = f"{number:012d}.jpg"
            picture = rng.integers(80, 120, (height, width, 3), dtype=np.uint8)
            images.append({"id": number, "file_name": name, "height": height, "width": width})
            for _ in range(2 if number < count else 0):
                kind = int(rng.integers(0, 4))
                y, x = int(rng.integers(0, height - 26)), int(rng.integers(0, width - 26))
                picture[y : y + 26, x : x + 26] = (60 * kind, 255 - 60 * kind, 90 + 40 * kind)
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": number,
                        "category_id": 2 * kind + 1,
                        "bbox": [x, y, 26, 26],
                        "area": 26 * 26,
                        "iscrowd": 0,
                        "segmentation": [[x, y, x + 26, y, x + 26, y + 26, x, y + 26]],
                    }
                )
            encoded = cv2.imencode(".jpg", picture)[1]
            (root / split / name).write_bytes(encoded.tobytes())
        crowd = {"id": len(annotations) + 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 6, 6], "area": 36}
        # Run lengths by column, as COCO writes crowds: six columns that begin with six pixels inside.
        runs = [0, *[6, height - 6] * 5, 6, height * width - 5 * height - 6]
        annotations.append({**crowd, "iscrowd": 1, "segmentation": {"size": [height, width], "counts": runs}})
        content = {
            "images": images,
            "annotations": annotations,
            "categories": [{"id": 2 * index + 1, "name": name} for index, name in enumerate(classes)],
        }
        (root / "annotations" / f"instances_{split}.json").write_text(json.dumps(content), encoding="utf-8")
    return root

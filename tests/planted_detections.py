"""COCO annotations of rectangles, predictions of them, and their score by the metric and by pycocotools."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ssl_motion.openmmlab.libraries import use_mmdet

use_mmdet()
from ssl_motion.openmmlab.box_metric import InstanceAPMetric  # noqa: E402 - quiet only after use_mmdet

SIDE = 240
CATEGORIES = (3, 7, 11)
NAMES = ("first", "second", "third")
Boxes = list[tuple[int, int, int, int]]


def rectangle(box: Sequence[float]) -> dict[str, Any]:
    from pycocotools import mask

    plane = np.zeros((SIDE, SIDE), dtype=np.uint8)
    left, top, width, height = (round(each) for each in box)
    plane[top : top + height, left : left + width] = 1
    code: dict[str, Any] = mask.encode(np.asfortranarray(plane))
    return {"size": code["size"], "counts": code["counts"].decode("ascii")}


def world(seed: int, images: int = 6) -> dict[str, Any]:
    """COCO annotations of random rectangles of all sizes, crowds among them; the last image and one class are empty."""
    rng = np.random.default_rng(seed)
    annotations: list[dict[str, Any]] = []
    for image in range(1, images):
        for _ in range(int(rng.integers(1, 6))):
            sides = rng.choice([12, 20, 50, 110], size=2)
            corner = rng.integers(0, SIDE - sides)
            box = [int(corner[0]), int(corner[1]), int(sides[0]), int(sides[1])]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": int(rng.choice(CATEGORIES[:2])),
                    "bbox": box,
                    "area": box[2] * box[3],
                    "iscrowd": int(rng.random() < 0.15),
                    "segmentation": rectangle(box),
                }
            )
    return {
        "images": [
            {"id": image, "file_name": f"{image:03d}.jpg", "width": SIDE, "height": SIDE}
            for image in range(1, images + 1)
        ],
        "categories": [{"id": number, "name": name} for number, name in zip(CATEGORIES, NAMES, strict=True)],
        "annotations": annotations,
    }


def predictions(content: dict[str, Any], seed: int, ties: bool = False) -> dict[int, list[tuple[Any, float, int]]]:
    """Image -> (box as corners, score, label): objects moved by a few pixels, some of the wrong class, and noise."""
    rng = np.random.default_rng([seed, 1])
    found: dict[int, list[tuple[Any, float, int]]] = {image["id"]: [] for image in content["images"]}
    for annotation in content["annotations"]:
        for _ in range(int(rng.integers(0, 3))):
            left, top, width, height = annotation["bbox"]
            shift = rng.integers(0, 1 + width // 4)
            box = [left + shift, top, min(left + shift + width, SIDE), top + height]
            label = CATEGORIES.index(annotation["category_id"]) if rng.random() < 0.8 else int(rng.integers(3))
            found[annotation["image_id"]].append((box, float(rng.random()), label))
    for image in found:
        for _ in range(int(rng.integers(0, 3))):
            x, y = rng.integers(0, SIDE - 60, size=2).tolist()
            found[image].append(([x, y, x + 40, y + 50], float(rng.random()), int(rng.integers(3))))
    if ties:
        return {image: [(b, round(s, 1), label) for b, s, label in each] for image, each in found.items()}
    return found


def score(folder: Path, content: dict[str, Any], found: dict[int, list[tuple[Any, float, int]]]) -> dict[str, float]:
    """Put predictions through the metric as mmdet hands them over."""
    (folder / "truth.json").write_text(json.dumps(content), encoding="utf-8")
    metric = InstanceAPMetric(ann_file=str(folder / "truth.json"), path=str(folder / "per_image.npz"))
    metric.dataset_meta = {"classes": NAMES}
    for image, each in found.items():
        masks = torch.zeros(len(each), SIDE, SIDE, dtype=torch.bool)
        for index, (box, _, _) in enumerate(each):
            masks[index, box[1] : box[3], box[0] : box[2]] = True
        instances = {
            "bboxes": torch.tensor([box for box, _, _ in each], dtype=torch.float32).reshape(-1, 4),
            "scores": torch.tensor([value for _, value, _ in each], dtype=torch.float32),
            "labels": torch.tensor([label for _, _, label in each], dtype=torch.int64),
            "masks": masks,
        }
        metric.process({}, [{"img_id": image, "pred_instances": instances}])
    figures_: dict[str, float] = metric.evaluate(size=len(found))
    return figures_


def direct(content: dict[str, Any], found: dict[int, list[tuple[Any, float, int]]], kind: str) -> Any:
    """pycocotools by its own interface."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth = COCO()
    truth.dataset = json.loads(json.dumps(content))
    truth.createIndex()
    listed = []
    for image, each in found.items():
        for (left, top, right, bottom), value, label in each:
            box = [left, top, right - left, bottom - top]
            place = {"bbox": box} if kind == "bbox" else {"segmentation": rectangle(box)}
            listed.append(
                {"image_id": image, "category_id": CATEGORIES[label], "score": float(np.float32(value)), **place}
            )
    evaluation = COCOeval(truth, truth.loadRes(listed), kind)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation

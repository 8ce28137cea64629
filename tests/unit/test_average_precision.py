"""AP from the per-image file, against pycocotools called directly and against planted truths."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ssl_motion.errors import DataError
from ssl_motion.openmmlab.libraries import use_mmdet
from ssl_motion.per_image.coco_detections import (
    PerImageDetections,
    class_figures,
    figures,
    interpolate,
    read_per_image_detections,
)
from ssl_motion.per_image.resampling import read_any

use_mmdet()
from ssl_motion.openmmlab.box_metric import InstanceAPMetric, evaluate, keep  # noqa: E402 - quiet only after use_mmdet

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


@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_metric_and_file_equal_pycocotools(tmp_path: Path, seed: int, ties: bool) -> None:
    content = world(seed)
    found = predictions(content, seed, ties)
    if not any(found.values()):
        return
    values = score(tmp_path, content, found)
    kept = read_per_image_detections(tmp_path / "per_image.npz")
    assert kept.names == [image["file_name"] for image in content["images"]]
    assert kept.classes == list(NAMES)
    for kind in ("bbox", "segm"):
        reference = direct(content, found, kind)
        np.testing.assert_array_equal(kept.precision(kind), reference.eval["precision"][..., -1])
        for name, expected in zip(("AP", "AP50", "AP75", "APS", "APM", "APL"), reference.stats[:6], strict=True):
            if expected == -1:
                assert f"{kind}_{name}" not in values
            else:
                assert values[f"{kind}_{name}"] == pytest.approx(100 * expected, abs=1e-9)


@given(st.integers(0, 10_000))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_draw_of_images_equals_pycocotools_on_copies_of_them(tmp_path: Path, seed: int) -> None:
    content = world(seed)
    found = predictions(content, seed)
    once = score(tmp_path, content, found)
    kept = read_any(tmp_path / "per_image.npz")
    assert isinstance(kept, PerImageDetections)
    assert kept.of_draws("bbox_AR", np.ones((1, len(kept.names)), np.int32)) == []
    times = np.random.default_rng([seed, 2]).integers(0, 3, size=len(kept.names))
    copies: dict[str, Any] = {"images": [], "categories": content["categories"], "annotations": []}
    copied: dict[int, list[tuple[Any, float, int]]] = {}
    for image, often in zip(content["images"], times.tolist(), strict=True):
        for _ in range(often):
            number = len(copies["images"]) + 1
            copies["images"].append({**image, "id": number})
            copied[number] = found[image["id"]]
            for each in content["annotations"]:
                if each["image_id"] == image["id"]:
                    identity = len(copies["annotations"]) + 1
                    copies["annotations"].append({**each, "id": identity, "image_id": number})
    if not any(copied.values()):
        return
    for kind in ("bbox", "segm"):
        expected = direct(copies, copied, kind).eval["precision"][..., -1]
        np.testing.assert_allclose(kept.precision(kind, times), expected, atol=1e-12)
        draws = np.stack([np.ones_like(times), times])
        for name, value in figures(expected, kept.thresholds, kept.areas).items():
            (found,) = kept.of_draws(f"{kind}_{name}", draws)
            assert found[1] == pytest.approx(value, abs=1e-9, nan_ok=True)
            assert found[0] == pytest.approx(once.get(f"{kind}_{name}", np.nan), abs=1e-9, nan_ok=True)


def only_one_size(content: dict[str, Any], side: int) -> dict[str, Any]:
    """One square object of class "first" in every image."""
    objects = [
        {
            "id": image["id"],
            "image_id": image["id"],
            "category_id": CATEGORIES[0],
            "bbox": [20, 30, side, side],
            "area": side * side,
            "iscrowd": 0,
            "segmentation": rectangle([20, 30, side, side]),
        }
        for image in content["images"]
    ]
    return {**content, "annotations": objects}


@pytest.mark.parametrize(
    ("shift", "accepted"),
    # A square of 40 moved by d has IoU (40 - d) / (40 + d): 1, 0.818, 0.6, 0.333.
    [(0, 10), (4, 7), (10, 3), (20, 0)],
)
def test_planted_predictions_give_the_known_value(tmp_path: Path, shift: int, accepted: int) -> None:
    content = only_one_size(world(0), 40)
    found = {image["id"]: [([20 + shift, 30, 60 + shift, 70], 0.9, 0)] for image in content["images"]}
    values = score(tmp_path, content, found)
    for kind in ("bbox", "segm"):
        assert values[f"{kind}_AP"] == pytest.approx(10.0 * accepted)
        assert values[f"{kind}_AP50"] == pytest.approx(100.0 if accepted else 0.0)
        assert values[f"{kind}_APM"] == pytest.approx(10.0 * accepted)
        assert f"{kind}_APS" not in values, "there is no small object"


def test_half_of_the_objects_with_a_wrong_one_before_each(tmp_path: Path) -> None:
    content = only_one_size(world(0), 40)
    right, wrong = ([20, 30, 60, 70], 0.5, 0), ([150, 150, 190, 190], 0.9, 0)
    found = {image["id"]: [right, wrong] if image["id"] <= 3 else [] for image in content["images"]}
    # 3 of 6 found behind 3 wrong ones: precision 3/6 up to recall 0.5, which is 51 of 101 levels.
    values = score(tmp_path, content, found)
    assert values["bbox_AP"] == pytest.approx(100 * 0.5 * 51 / 101)


def test_crowds_are_neither_right_nor_wrong(tmp_path: Path) -> None:
    content = only_one_size(world(0), 100)
    crowd = {**content["annotations"][0], "id": 99, "iscrowd": 1, "bbox": [130, 130, 100, 100]}
    crowd["segmentation"] = rectangle(crowd["bbox"])
    content["annotations"].append(crowd)
    found = {image["id"]: [([20, 30, 120, 130], 0.5, 0)] for image in content["images"]}
    found[1] += [([140, 140, 160, 160], 0.9, 0), ([170, 170, 200, 200], 0.8, 0)]
    assert score(tmp_path, content, found)["bbox_AP"] == pytest.approx(100.0)
    found[2] += [([140, 140, 160, 160], 0.9, 0)]  # there is no crowd in image 2
    assert score(tmp_path, content, found)["bbox_AP"] < 100.0


def test_no_detections_at_all(tmp_path: Path) -> None:
    content = world(4)
    values = score(tmp_path, content, {image["id"]: [] for image in content["images"]})
    assert values["bbox_AP"] == values["segm_AP"] == 0.0
    kept = read_per_image_detections(tmp_path / "per_image.npz")
    assert len(kept.score) == 0
    assert figures(kept.precision("bbox"), kept.thresholds, kept.areas)["AP"] == 0.0
    assert np.isnan(class_figures(kept.precision("bbox"), kept.areas)[2]), "the third class has no object"


def test_categories_listed_in_another_order(tmp_path: Path) -> None:
    content = world(5)
    found = predictions(content, 5)
    values = score(tmp_path, content, found)
    names = read_per_image_detections(tmp_path / "per_image.npz").classes
    turned = {**content, "categories": content["categories"][::-1]}
    # mmdet counts classes in the order of the list.
    other = {image: [(box, s, 2 - label) for box, s, label in each] for image, each in found.items()}
    assert score(tmp_path, turned, other) == pytest.approx(values)
    assert read_per_image_detections(tmp_path / "per_image.npz").classes == names


def test_order_of_images_does_not_matter(tmp_path: Path) -> None:
    content = world(6)
    found = predictions(content, 6)
    values = score(tmp_path, content, found)
    turned = {**content, "images": content["images"][::-1], "annotations": content["annotations"][::-1]}
    assert score(tmp_path, turned, dict(reversed(found.items()))) == pytest.approx(values)


def test_interpolation_takes_the_best_precision_beyond() -> None:
    recall, precision = np.array([0.25, 0.25, 0.5]), np.array([1.0, 0.5, 0.66])
    levels = interpolate(recall, precision)
    assert (levels[:26] == 1.0).all()
    assert (levels[26:51] == 0.66).all()
    assert (levels[51:] == 0.0).all()


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.npz").write_bytes(b"nothing")
    np.savez(tmp_path / "other.npz", names=np.array(["a"]))
    for name in ("bad.npz", "other.npz", "none.npz"):
        with pytest.raises(DataError, match="not a file of per-image detections"):
            read_per_image_detections(tmp_path / name)


def test_a_large_split_stays_small(tmp_path: Path) -> None:
    """As many images as VOC's val, 80 classes, 30 detections an image, every tenth of them right."""
    from types import SimpleNamespace

    rng = np.random.default_rng(0)
    images, classes, thresholds, areas = 1449, 80, 10, 4
    grid: list[Any] = [None] * (images * classes * areas)
    for image in range(images):
        for label in rng.choice(classes, size=6, replace=False).tolist():
            scores = np.sort(rng.random(5).astype(np.float32))[::-1].tolist()
            overlap = np.where(rng.random(5) < 0.1, rng.uniform(0.5, 1.0, 5), 0.0)
            hit = overlap[None] > np.linspace(0.5, 0.95, thresholds)[:, None]
            size = int(rng.integers(1, areas))
            for area in range(areas):
                ignored = np.full((thresholds, 5), area not in (0, size))
                grid[(label * areas + area) * images + image] = {
                    "dtScores": scores,
                    "dtMatches": hit.astype(float),
                    "dtIgnore": ignored,
                    "gtIgnore": np.array([int(area not in (0, size))]),
                }
    params = SimpleNamespace(
        imgIds=list(range(images)),
        catIds=list(range(classes)),
        areaRng=[None] * areas,
        areaRngLbl=["all", "small", "medium", "large"],
        iouThrs=np.linspace(0.5, 0.95, thresholds),
    )
    truth = SimpleNamespace(
        dataset={"images": [{"id": image, "file_name": f"{image:012d}.jpg"} for image in range(images)]},
        cats={label: {"name": f"class {label}"} for label in range(classes)},
    )
    evaluation = SimpleNamespace(params=params, evalImgs=grid)
    kept = keep(truth, {"bbox": evaluation, "segm": evaluation})
    kept.save(tmp_path / "per_image.npz")
    assert len(kept.score) == 30 * images
    assert (tmp_path / "per_image.npz").stat().st_size < 5e5


def test_evaluation_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    from pycocotools.coco import COCO

    content = world(2)
    truth = COCO()
    truth.dataset = content
    truth.createIndex()
    boxes = [{"image_id": 1, "category_id": 3, "score": 0.5, "bbox": [1.0, 1.0, 9.0, 9.0]}]
    evaluate(truth, truth.loadRes(boxes), "bbox", CATEGORIES)
    assert capsys.readouterr().out == ""

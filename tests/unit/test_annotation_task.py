"""The annotation task on planted objects: lists of objects, baselines, and a model whose number of clicks is known."""

import json
import runpy
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ssl_motion.annotation.clicks import intersection_over_union
from ssl_motion.annotation.export import encode_mask
from ssl_motion.errors import DataError, UsageError
from ssl_motion.per_image.resampling import image_draws, read_any, resampled
from ssl_motion.protocols import PER_IMAGE, RunContext, TaskResult
from ssl_motion_benchmarks.annotation import AnnotationByClicks, baselines
from ssl_motion_benchmarks.annotation.objects import AnnotatedObjects, MovingObjects, NumberedObjects
from ssl_motion_benchmarks.coco_mask_rcnn.annotations import CLASSES

planted = runpy.run_path(str(Path(__file__).parents[1] / "planted_motion.py"))["planted"]
FLAT: dict[str, Any] = {"preset": "voc12_clicks", "procedure": {"zoom_factor": None}}
RED, GREEN, BLUE, GREY = (200, 30, 30), (30, 200, 30), (30, 30, 200), (90, 90, 90)


def task(**settings: Any) -> AnnotationByClicks:
    return AnnotationByClicks(AnnotationByClicks.Config.model_validate(settings))


def run(what: AnnotationByClicks, root: Path, folder: Path, **start: Any) -> TaskResult:
    folder.mkdir(parents=True, exist_ok=True)
    return what.run(RunContext(folder, None, root, seed=0, device="cpu", **start))


@pytest.fixture
def devkit(tmp_path: Path) -> Path:
    """Two images: an object of one colour, one of two colours (one over the other), one in two pieces, and a speck."""
    voc = tmp_path / "data" / "VOCdevkit" / "VOC2012"
    for folder in ("JPEGImages", "SegmentationObject", "ImageSets/Segmentation"):
        (voc / folder).mkdir(parents=True)
    places = {
        "a": [(1, RED, (5, 5, 25, 25)), (2, GREEN, (30, 5, 50, 29)), (2, BLUE, (50, 5, 60, 29))],
        "b": [(1, GREEN, (4, 4, 24, 24)), (1, RED, (34, 34, 60, 60)), (2, BLUE, (60, 2, 62, 4))],
    }
    for name, objects in places.items():
        image, numbers = np.full((64, 64, 3), GREY, np.uint8), np.zeros((64, 64), np.uint8)
        for number, colour, (top, left, bottom, right) in objects:
            image[top:bottom, left:right], numbers[top:bottom, left:right] = colour, number
        numbers[:, 63] = 255
        with (voc / "JPEGImages" / f"{name}.jpg").open("wb") as file:
            Image.fromarray(image).save(file, "PNG")  # without loss, whatever its name
        label = Image.fromarray(numbers)
        label.putpalette([value % 256 for value in range(768)])
        label.save(voc / "SegmentationObject" / f"{name}.png")
    (voc / "ImageSets/Segmentation/val.txt").write_text("a\nb\n")
    return tmp_path / "data"


def test_objects_of_a_devkit(devkit: Path) -> None:
    source = NumberedObjects(devkit, "val")
    assert source.names() == ["a/1", "a/2", "b/1"], "the speck covers less than 0.5 %"
    (a, b) = source.pictures(["b/1", "a/2"])
    assert ([each.name for each in a.objects], [each.name for each in b.objects]) == (["a/2"], ["b/1"])
    truth, counted = a.objects[0].truth, a.objects[0].counted
    assert counted is not None
    assert truth.sum() == 30 * 24
    assert (truth == (a.image != GREY).any(axis=2) * (np.arange(64)[:, None] > 27)).all()
    assert counted.sum() == 64 * 63


def test_a_model_needs_as_many_clicks_as_there_are_colours(
    devkit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AnnotationByClicks, "predictor", staticmethod(lambda context: planted(64)))
    what = task(**FLAT)
    assert what.check_data(devkit).missing == []
    assert what.scale == "reduced", "the zoom was changed"
    assert task(preset="voc12_clicks").scale == "full"
    found = run(what, devkit, tmp_path / "run", model=tmp_path)
    # a/1: RED at once. a/2: GREEN is 2/3 of it, then BLUE. b/1: RED is 676 of 1,076, then GREEN.
    part, piece = 100 * 480 / 720, 100 * 676 / 1076
    assert found.metrics == pytest.approx(
        {
            "NoC80": 5 / 3,
            "NoC85": 5 / 3,
            "NoC90": 5 / 3,
            "failures90": 0,
            "IoU1": (100 + part + piece) / 3,
            "IoU3": 100,
            "IoU5": 100,
        }
    )
    assert found.details["objects"] == {"one piece without holes": 2, "several pieces": 1}
    assert found.details["NoC85"] == {"one piece without holes": 1.5, "several pieces": 2}
    assert found.details["IoU1"]["several pieces"] == pytest.approx(piece)
    kept = read_any(tmp_path / "run" / PER_IMAGE)
    assert list(kept.names) == ["a", "b"]
    moved = resampled(kept, "NoC85", found.metrics["NoC85"], 200, 0)
    assert moved is not None
    times = image_draws(2, 200, 0)
    assert moved.tolist() == pytest.approx([(3 * a + 2 * b) / (2 * a + b) for a, b in times])


def test_a_model_that_listens_to_no_click_fails(devkit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = planted(64)
    monkeypatch.setattr(type(predictor.method), "propagate", lambda self, stages, sparse, mask: 3 + 0 * sparse)
    monkeypatch.setattr(AnnotationByClicks, "predictor", staticmethod(lambda context: predictor))
    found = run(task(**FLAT), devkit, tmp_path / "run", model=tmp_path)
    assert found.metrics["NoC80"] == 20
    assert found.metrics["failures90"] == 100
    whole = [100 * area / (64 * 63) for area in (400, 720, 1076)]
    assert found.metrics["IoU5"] == pytest.approx(np.mean(whole))


@pytest.mark.parametrize("name", ["grabcut", "random_walker"])
def test_baselines_find_what_differs_in_colour(name: str) -> None:
    if name == "random_walker":
        pytest.importorskip("skimage")
    rng = np.random.default_rng(0)
    truth = np.zeros((64, 80), np.bool_)
    truth[12:48, 20:60] = True
    image = np.where(truth[..., None], (170, 80, 60), (70, 90, 130)) + rng.normal(0, 8, (64, 80, 3))
    image = np.clip(image, 0, 255).astype(np.uint8)
    answer = baselines.BASELINES[name](image)
    clicks = [(40, 30), (26, 18), (54, 42)], [(5, 5), (70, 58)]
    mask = answer(*clicks)
    assert mask.dtype == np.bool_
    assert intersection_over_union(truth, mask) > 95
    assert np.array_equal(baselines.BASELINES[name](image)(*clicks), mask), "the same again"
    alone = answer([(40, 30)], [])
    assert alone.shape == truth.shape
    assert alone[30, 40]


def test_marks_of_clicks() -> None:
    marks = baselines.draw_marks((20, 20), [(5, 5), (18.6, 0)], [(7, 5)])
    disc = {(dy, dx) for dy in range(-2, 3) for dx in range(-2, 3) if dx * dx + dy * dy <= 4}
    beside = {(5 + dy, 7 + dx) for dy, dx in disc}
    assert {(int(y), int(x)) for y, x in np.argwhere(marks == 2)} == beside - {(5, 5)}
    assert marks[5, 5] == 1, "the clicked pixel itself stays its own"
    assert marks[0, 19] == 1
    assert marks[10, 10] == 0
    large = baselines.draw_marks((960, 1000), [(500, 500)], [])
    assert np.sqrt((large == 1).sum() / np.pi) == pytest.approx(10, abs=0.5)


def test_without_scikit_image_the_cure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(UsageError, match=r"pip install 'ssl-motion\[annotation\]'"):
        baselines.random_walker(np.zeros((4, 4, 3), np.uint8))


def write_davis(root: Path, sequences: dict[str, int]) -> Path:
    for frame in (f"{name}/{number:05d}" for name, frames in sequences.items() for number in range(frames)):
        mask = np.zeros((40, 60), np.uint8)
        left = int(frame[-5:])
        mask[5:25, left : left + 20] = 255
        for file, pixels in (
            (f"JPEGImages/480p/{frame}.jpg", mask[..., None].repeat(3, 2)),
            (f"Annotations/480p/{frame}.png", mask),
        ):
            path = root / "DAVIS" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    return root


def test_objects_of_davis(tmp_path: Path) -> None:
    root = write_davis(tmp_path / "data", {"dog": 12, "bear": 10})
    source = MovingObjects(root, "val")
    assert source.names() == ["bear/00000/1", "dog/00000/1", "dog/00010/1"], "every tenth frame"
    pictures = list(source.pictures(source.names()))
    assert [each.objects[0].truth.sum() for each in pictures] == [400, 400, 400]
    assert pictures[2].objects[0].truth[10, 10:30].all()
    what = task(preset="davis16_clicks")
    report = what.check_data(root)
    assert (report.missing, report.found) == ([], [f"3 frames of 2 sequences ({root / 'DAVIS'})"])
    assert what.check_data(root / "DAVIS").fingerprint == report.fingerprint
    (root / "DAVIS/JPEGImages/480p/dog/00010.jpg").unlink()
    report = what.check_data(root)
    assert report.missing == [f"1 of 3 images in {root / 'DAVIS'}: JPEGImages/480p/dog/00010.jpg"]
    assert "davischallenge" in report.how_to_get
    Image.new("RGB", (60, 40)).save(root / "DAVIS/Annotations/480p/bear/00000.png")
    Image.new("L", (60, 41)).save(root / "DAVIS/JPEGImages/480p/dog/00000.jpg")
    (problem,) = [each for each in what.check_data(root).missing if "fitting" in each]
    assert "bear/00000 (its mask is saved as RGB), dog/00000 (60 x 41, its mask 60 x 40)" in problem
    shutil.rmtree(root / "DAVIS/JPEGImages")
    assert what.check_data(root).missing == [f"folder {root / 'DAVIS/JPEGImages/480p'}"]


def test_objects_of_coco(tmp_path: Path) -> None:
    folder = tmp_path / "coco"
    (folder / "annotations").mkdir(parents=True)
    (folder / "val2017").mkdir()
    Image.new("RGB", (50, 40)).save(folder / "val2017" / "x.jpg")
    runs = np.zeros((40, 50), np.bool_)
    runs[3:20, 3:30] = True
    annotations: list[dict[str, Any]] = [
        {"id": 100 + number, "category_id": 1, "segmentation": [[0, 0, 20, 0, 20, 20, 0, 20]], "area": 400}
        for number in range(12)
    ]
    annotations += [
        {"id": 200, "category_id": 2, "segmentation": encode_mask(runs), "area": int(runs.sum())},
        {"id": 201, "category_id": 2, "segmentation": [[0, 0, 3, 0, 3, 3, 0, 3]], "area": 9},
        {"id": 202, "category_id": 3, "segmentation": encode_mask(runs), "area": 459, "iscrowd": 1},
    ]
    content = {
        "images": [{"id": 7, "file_name": "x.jpg", "height": 40, "width": 50}],
        "annotations": [{"image_id": 7, "bbox": [0, 0, 1, 1], "iscrowd": 0, **each} for each in annotations],
        "categories": [{"id": number, "name": name} for number, name in enumerate(CLASSES, 1)],
    }
    (folder / "annotations" / "instances_val2017.json").write_text(json.dumps(content))
    assert task(preset="coco_clicks").check_data(tmp_path).missing == []
    source = AnnotatedObjects(tmp_path, "val")
    names = source.names()
    assert len(names) == 11, "ten of a class; neither specks nor crowds"
    assert "7/200" in names
    (picture,) = source.pictures(["7/200", names[0]])
    truths = {each.name: each.truth for each in picture.objects}
    assert np.array_equal(truths["7/200"], runs)
    assert truths[names[0]][:20, :20].all()
    assert truths[names[0]].sum() == 400


def test_masks_that_do_not_fit_are_named(devkit: Path) -> None:
    voc = devkit / "VOCdevkit" / "VOC2012"
    Image.new("L", (64, 60), 1).save(voc / "SegmentationObject" / "b.png")
    assert "its label 64 x 60" in task(**FLAT).check_data(devkit).missing[0]
    with pytest.raises(DataError, match=r"b\.jpg: its mask has another size: \(64, 60\)"):
        list(NumberedObjects(devkit, "val").pictures(["b/1"]))
    with pytest.raises(UsageError, match="score 'val'"):
        task(preset="voc12_clicks", evaluate_on="test")

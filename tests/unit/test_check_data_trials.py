"""Every task's `check_data` against damaged data: each fault is found before a run, named, and given a cure."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ssl_motion.plugins import BENCHMARKS, load
from ssl_motion.protocols import DataReport
from ssl_motion.puppets import ensure_dataset
from ssl_motion.spec import PuppetsSpec

LAYOUTS = ("voc", "voc07", "coco", "lip", "cihp", "imagefolder")
VOC, VOC07 = "VOCdevkit/VOC2012", "VOCdevkit/VOC2007"
# Preset of each task for each layout of the built-in world that it reads.
READERS: dict[str, dict[str, str]] = {
    "voc": {"voc_fcn": "puppets_fcn", "voc_hypercolumn": "puppets_hypercolumn", "dense_linear": "puppets_dense"},
    "voc07": {"voc07_cls": "puppets_cls", "voc07_det": "puppets_det"},
    "coco": {"coco": "puppets_coco"},
    "lip": {"lip": "puppets_lip", "dense_linear": "puppets_dense_lip"},
    "cihp": {"lip": "puppets_cihp"},
    "imagefolder": {"imagenet_linear": "puppets_imagenet_linear"},
}
# Lists, labels and images of the layouts that hold one label image for every image.
LISTS = {
    "voc": f"{VOC}/ImageSets/Segmentation/{{}}.txt",
    "lip": "LIP/{}_id.txt",
    "cihp": "CIHP/list/{}_id.txt",
}
LABELS = {"voc": f"{VOC}/SegmentationClass", "lip": "LIP/{}_segmentations", "cihp": "CIHP/labels"}
IMAGES = {"voc": f"{VOC}/JPEGImages", "lip": "LIP/{}_images", "cihp": "CIHP/images"}
Damage = Callable[[Path, str], str]
"""Damages a data set of a layout; returns what the report must name."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = PuppetsSpec(size=64, train_images=60, val_images=2, test_images=4)
    return ensure_dataset(spec, tmp_path_factory.mktemp("world"), LAYOUTS)


def check(task: str, preset: str, root: Path) -> DataReport:
    chosen = load(BENCHMARKS, task)
    report: DataReport = chosen(chosen.Config.model_validate({"preset": preset})).check_data(root)
    return report


def first(root: Path, layout: str, split: str, folders: dict[str, str], suffix: str) -> Path:
    name = (root / LISTS[layout].format(split)).read_text().split()[0]
    return root / folders[layout].format(split) / f"{name}{suffix}"


def no_list(root: Path, layout: str) -> str:
    (root / LISTS[layout].format("test")).unlink()
    return Path(LISTS[layout].format("test")).name


def other_names_of_splits(root: Path, layout: str) -> str:
    path = root / LISTS[layout].format("train")
    path.rename(path.with_name(path.name.replace("train", "training")))
    return path.name


def no_label(root: Path, layout: str) -> str:
    path = first(root, layout, "train", LABELS, ".png")
    path.unlink()
    return path.name


def no_labels(root: Path, layout: str) -> str:
    folder = root / LABELS[layout].format("train")
    shutil.rmtree(folder)
    return folder.name


def no_image(root: Path, layout: str) -> str:
    path = first(root, layout, "test", IMAGES, ".jpg")
    path.unlink()
    return path.name


def saved_as_rgb(root: Path, layout: str) -> str:
    path = first(root, layout, "train", LABELS, ".png")
    Image.open(path).convert("RGB").save(path)
    return f"{path.name} (saved as RGB"


def unknown_numbers(root: Path, layout: str) -> str:
    path = first(root, layout, "test", LABELS, ".png")
    label = np.array(Image.open(path))
    label[:4] = 77
    Image.fromarray(label).save(path)
    return f"{path.name} (value 77"


def other_size(root: Path, layout: str) -> str:
    path = first(root, layout, "train", LABELS, ".png")
    Image.open(path).resize((20, 30), Image.Resampling.NEAREST).save(path)
    return "its label 20 x 30"


def cut_short(root: Path, layout: str) -> str:
    path = first(root, layout, "test", LABELS, ".png")
    path.write_bytes(b"not a picture")
    return path.name


def empty_list(root: Path, layout: str) -> str:
    (root / LISTS[layout].format("train")).write_text("\n")
    return Path(LISTS[layout].format("train")).name


SEGMENTATION: list[Damage] = [
    no_list,
    other_names_of_splits,
    no_label,
    no_labels,
    no_image,
    saved_as_rgb,
    unknown_numbers,
    other_size,
    cut_short,
    empty_list,
]


def edit_json(change: Callable[[dict[str, Any]], object], message: str) -> Damage:
    def damage(root: Path, layout: str) -> str:
        path = root / "coco/annotations/instances_train.json"
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))
        return message

    return damage


def renamed(path: str, name: str) -> Damage:
    def damage(root: Path, layout: str) -> str:
        (root / path).rename((root / path).with_name(name))
        return Path(path).name

    return damage


def unknown_class_in_boxes(root: Path, layout: str) -> str:
    name = (root / VOC07 / "ImageSets/Main/trainval.txt").read_text().split()[0]
    path = root / VOC07 / "Annotations" / f"{name}.xml"
    before = path.read_text()
    kind = before.split("<object>")[1].split("<name>")[1].split("</name>")[0]
    path.write_text(before.replace(f"<name>{kind}</name>", "<name>unicorn</name>"))
    return "unicorn"


def no_list_of_a_class(root: Path, layout: str) -> str:
    path = min((root / VOC07 / "ImageSets/Main").glob("*_trainval.txt"))
    path.unlink()
    return path.stem.removesuffix("_trainval")


def no_boxes(root: Path, layout: str) -> str:
    shutil.rmtree(root / VOC07 / "Annotations")
    return "Annotations"


def foreign_class(root: Path, layout: str) -> str:
    (root / "imagefolder/test/unicorn").mkdir()
    return "unicorn"


def empty_class(root: Path, layout: str) -> str:
    scored = next(path for path in sorted((root / "imagefolder/test").iterdir()) if any(path.iterdir()))
    folder = root / "imagefolder/train" / scored.name
    shutil.rmtree(folder)
    folder.mkdir()
    return folder.name


TRIALS: list[tuple[str, str, Damage]] = [
    *((layout, task, damage) for layout in LABELS for task in READERS[layout] for damage in SEGMENTATION),
    ("coco", "coco", renamed("coco/annotations/instances_train.json", "instances_train2017.json")),
    ("coco", "coco", edit_json(lambda content: content["annotations"][0].update(image_id=987), "987")),
    ("coco", "coco", edit_json(lambda content: content["annotations"][0].update(category_id=987), "987")),
    ("coco", "coco", edit_json(lambda content: content.update(annotations=[]), "no annotation")),
    ("coco", "coco", edit_json(lambda content: content.pop("categories"), "categories")),
    *(("voc07", task, renamed(f"{VOC07}/ImageSets/Main/trainval.txt", "train_val.txt")) for task in READERS["voc07"]),
    *(("voc07", task, renamed(f"{VOC07}/JPEGImages", "images")) for task in READERS["voc07"]),
    ("voc07", "voc07_cls", no_list_of_a_class),
    ("voc07", "voc07_det", unknown_class_in_boxes),
    ("voc07", "voc07_det", no_boxes),
    ("imagefolder", "imagenet_linear", renamed("imagefolder/test", "testing")),
    ("imagefolder", "imagenet_linear", foreign_class),
    ("imagefolder", "imagenet_linear", empty_class),
]


def test_sound_data_are_accepted(world: Path) -> None:
    for tasks in READERS.values():
        for task, preset in tasks.items():
            report = check(task, preset, world)
            assert not report.missing, (task, report.missing)
            assert report.fingerprint


@pytest.mark.parametrize(
    ("layout", "task", "damage"),
    TRIALS,
    ids=[f"{number}-{task}-{damage.__name__}" for number, (_, task, damage) in enumerate(TRIALS)],
)
def test_damaged_data_are_refused_with_a_word_on_it(
    layout: str, task: str, damage: Damage, world: Path, tmp_path: Path
) -> None:
    parts = {"voc": VOC, "voc07": VOC07, "coco": "coco", "lip": "LIP", "cihp": "CIHP", "imagefolder": "imagefolder"}
    shutil.copytree(world / parts[layout], tmp_path / parts[layout])
    expected = damage(tmp_path, layout)
    report = check(task, READERS[layout][task], tmp_path)
    assert any(expected in line for line in report.missing), (expected, report)
    assert report.how_to_get
    assert not report.fingerprint

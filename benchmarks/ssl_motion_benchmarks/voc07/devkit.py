"""PASCAL VOC 2007's devkit: lists, class labels and boxes, as its authors lay them out.

VOCdevkit/VOC2007/ImageSets/Main/trainval.txt             names of images, one a line
VOCdevkit/VOC2007/ImageSets/Main/aeroplane_trainval.txt   "000005 -1": 1 there, -1 not there, 0 difficult alone
VOCdevkit/VOC2007/Annotations/000005.xml                  boxes; pixels count from 1, both ends are inside
VOCdevkit/VOC2007/JPEGImages/000005.jpg
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt

from ssl_motion.errors import DataError

YEAR = "VOC2007"
LISTS = "ImageSets/Main"
IMAGES = "JPEGImages"
BOXES = "Annotations"
CLASSES: tuple[str, ...] = (
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)
SPLITS = {"test": ("trainval", "test"), "val": ("train", "val")}
"""Scored list -> what is trained on for it, and the list."""

GET_VOC07 = (
    "PASCAL VOC 2007: download VOCtrainval_06-Nov-2007.tar and VOCtest_06-Nov-2007.tar from "
    "http://host.robots.ox.ac.uk/pascal/VOC/voc2007/ and unpack both into one folder; give the folder that then holds "
    "VOCdevkit/ as --data-root."
)


def class_names(builtin: bool) -> tuple[str, ...]:
    """Name the classes, VOC's or the built-in world's, which has none for the background here."""
    if not builtin:
        return CLASSES
    from ssl_motion.puppets import CLASSES as ACTORS

    return ACTORS[1:]


@dataclass(frozen=True)
class ClassLabels:
    """Which classes are in which images of a split.

    Attributes:
        names: of the images, in the order of the list [N].
        classes: names [K].
        labels: int8 [N, K]: 1 there, -1 not there, 0 only as difficult objects (neither trained on nor scored).
    """

    names: list[str]
    classes: list[str]
    labels: npt.NDArray[np.int8]


@dataclass(frozen=True)
class Objects:
    """The objects of an image.

    Attributes:
        size: height and width as the annotation states them, in pixels.
        boxes: float32 [M, 4], x1 y1 x2 y2 from edge to edge: a box over all of an image is 0 0 width height.
        labels: int64 [M], numbers of classes.
        difficult: bool [M].
    """

    size: tuple[int, int]
    boxes: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    difficult: npt.NDArray[np.bool_]


def _places(root: Path, year: str) -> tuple[Path, ...]:
    """Where the folder of a year's devkit may be."""
    return root, root / year, root / "VOCdevkit" / year


def absent(name: str, folder: Path, root: Path, year: str) -> str:
    """Say that a devkit lacks a folder, and where it was looked for.

    Args:
        name: of the folder.
        folder: what was found to be the devkit's; `root` where nothing was.
        root: what the user gave as data root.
        year: such as "VOC2007".
    """
    if (folder / IMAGES).is_dir() or (folder / "ImageSets").is_dir():
        return f"folder {folder / name}"
    first, *others = _places(root, year)
    return f"folder {name} in {first} (or {' or '.join(map(str, others))})"


def voc_root(root: Path, year: str = YEAR, lists: str = LISTS) -> Path:
    """Find the folder of JPEGImages: `root` itself, or YEAR or VOCdevkit/YEAR below it; `root` if none.

    Args:
        root: what the user gave as data root.
        year: of the devkit.
        lists: folder of the task's lists in it, which tells it too.
    """
    for candidate in _places(root, year):
        if (candidate / IMAGES).is_dir() or (candidate / lists).is_dir():
            return candidate
    return root


def read_list(folder: Path, split: str) -> list[str]:
    """Read the names of a split.

    Args:
        folder: of the devkit, as `voc_root` finds it.
        split: such as "trainval".

    Raises:
        DataError: The list cannot be read, is empty, or names an image twice.
    """
    path = folder / LISTS / f"{split}.txt"
    names = [line.split()[0] for line in _lines(path)]
    if not names:
        raise DataError(f"{path}: the list is empty. {GET_VOC07}")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{path}: {twice} is listed twice. Take the original file.")
    return names


def read_labels(folder: Path, split: str, classes: Sequence[str]) -> ClassLabels:
    """Read the class labels of a split.

    Args:
        folder: of the devkit, as `voc_root` finds it.
        split: such as "trainval".
        classes: whose files are read.

    Raises:
        DataError: A file cannot be read, lists other images than the split, or holds something else than -1, 0, 1.
    """
    names = read_list(folder, split)
    places = {name: place for place, name in enumerate(names)}
    labels = np.full((len(names), len(classes)), 9, dtype=np.int8)
    for column, label in enumerate(classes):
        path = folder / LISTS / f"{label}_{split}.txt"
        for number, line in enumerate(_lines(path), start=1):
            name, _, value = line.partition(" ")
            if value.strip() not in ("-1", "0", "1"):
                raise DataError(f"{path}, line {number}: expected a name and -1, 0 or 1, found {line!r}")
            if name not in places:
                raise DataError(f"{path}, line {number}: image {name} is not in {split}.txt. Take the original files.")
            labels[places[name], column] = int(value)
        if (lost := np.flatnonzero(labels[:, column] == 9)).size:
            raise DataError(f"{path}: says nothing on image {names[lost[0]]} of {split}.txt. Take the original files.")
    return ClassLabels(names, list(classes), labels)


def read_objects(folder: Path, name: str, classes: Sequence[str]) -> Objects:
    """Read the objects of an image; parts of objects are left out.

    Args:
        folder: of the devkit, as `voc_root` finds it.
        name: of the image.
        classes: their numbers are their places here.

    Raises:
        DataError: The annotation is missing, no VOC annotation, or holds an object of another class, or a box without
            an area or outside the image.
    """
    path = folder / BOXES / f"{name}.xml"
    numbers = {label: number for number, label in enumerate(classes)}
    try:
        tree = ElementTree.parse(path).getroot()  # noqa: S314 - expat's own limits hold since 2.4.1; no DTD is fetched
        size = (int(_text(tree, "size/height")), int(_text(tree, "size/width")))
        found = []
        for thing in tree.findall("object"):
            if (label := _text(thing, "name")) not in numbers:
                raise ValueError(f"{label!r} is none of the {len(numbers)} classes")
            bounds = [float(_text(thing, f"bndbox/{side}")) for side in ("xmin", "ymin", "xmax", "ymax")]
            found.append((numbers[label], bounds, thing.findtext("difficult", "0").strip() == "1"))
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}. {GET_VOC07}") from error
    except (ElementTree.ParseError, ValueError) as error:
        raise DataError(f"{path}: not a VOC annotation: {error}. Take the original file.") from error
    boxes = np.array([bounds for _, bounds, _ in found], dtype=np.float32).reshape(-1, 4)
    boxes[:, :2] -= 1
    wrong = (boxes[:, 2:] <= boxes[:, :2]).any(axis=1) | (boxes[:, :2] < 0).any(axis=1)
    wrong |= (boxes[:, 2] > size[1]) | (boxes[:, 3] > size[0])
    if wrong.any():
        bounds = found[int(np.flatnonzero(wrong)[0])][1]
        raise DataError(
            f"{path}: the box {[round(each) for each in bounds]} (xmin, ymin, xmax, ymax) has no area or is not inside "
            f"the image of {size[1]} x {size[0]}. Take the original file."
        )
    return Objects(
        size,
        boxes,
        np.array([label for label, _, _ in found], dtype=np.int64),
        np.array([difficult for _, _, difficult in found], dtype=np.bool_),
    )


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}. {GET_VOC07}") from error


def _text(tree: ElementTree.Element, place: str) -> str:
    text = tree.findtext(place)
    if text is None or not text.strip():
        raise ValueError(f"no {place}")
    return text.strip()

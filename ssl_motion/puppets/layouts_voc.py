"""PASCAL VOC's devkits: 2012 for segmentation, 2007 for classification and detection."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from ssl_motion.data.codec import encode_image
from ssl_motion.fileio import write_text
from ssl_motion.puppets.labels import CLASSES
from ssl_motion.puppets.layouts_common import SPLITS, boxes, image_name, palette_png, write_bytes
from ssl_motion.puppets.scene import Scene, Stream

SEGMENTATION_YEAR, DETECTION_YEAR = "VOC2012", "VOC2007"
SMALL_AREA = 16  # px; a smaller visible rest of an actor is marked "difficult"


def write_segmentation(folder: Path, stream: Stream, index: int, scene: Scene) -> str:
    """Write a scene as image, palette labels and boxes; returns its name."""
    root, name = folder / "VOCdevkit" / SEGMENTATION_YEAR, image_name(stream, index)
    write_bytes(root / "JPEGImages" / f"{name}.jpg", encode_image(scene.sample.image))
    write_bytes(root / "SegmentationClass" / f"{name}.png", palette_png(scene.semantic))
    write_bytes(root / "SegmentationObject" / f"{name}.png", palette_png(scene.instances))
    write_bytes(root / "Annotations" / f"{name}.xml", _annotation(name, scene, SEGMENTATION_YEAR))
    return name


def segmentation_lists(folder: Path) -> list[Path]:
    """Index files of the 2012 devkit."""
    sets = folder / "VOCdevkit" / SEGMENTATION_YEAR / "ImageSets" / "Segmentation"
    return [sets / f"{split}.txt" for split in (*SPLITS, "trainval")]


def finish_segmentation(folder: Path, images: Mapping[str, list[str]]) -> None:
    """Write the lists of names."""
    for path in segmentation_lists(folder):
        write_text(path, "".join(f"{name}\n" for name in _listed(images)[path.stem]))


def write_detection(folder: Path, stream: Stream, index: int, scene: Scene) -> dict[str, Any]:
    """Write a scene as image and boxes; returns its name and, by class, 1 where there is one, 0 for difficult alone."""
    root, name = folder / "VOCdevkit" / DETECTION_YEAR, image_name(stream, index)
    write_bytes(root / "JPEGImages" / f"{name}.jpg", encode_image(scene.sample.image))
    write_bytes(root / "Annotations" / f"{name}.xml", _annotation(name, scene, DETECTION_YEAR))
    present: dict[str, int] = {}
    for box in boxes(scene):
        kind = CLASSES[box.label]
        present[kind] = max(present.get(kind, 0), int(box.area >= SMALL_AREA))
    return {"name": name, "present": present}


def detection_lists(folder: Path) -> list[Path]:
    """Index files of the 2007 devkit: SPLIT.txt, and CLASS_SPLIT.txt with 1, 0 (difficult alone) or -1."""
    sets = folder / "VOCdevkit" / DETECTION_YEAR / "ImageSets" / "Main"
    kinds = ("", *(f"{name}_" for name in CLASSES[1:]))
    return [sets / f"{kind}{split}.txt" for kind in kinds for split in (*SPLITS, "trainval")]


def finish_detection(folder: Path, images: Mapping[str, list[dict[str, Any]]]) -> None:
    """Write the lists of names, and of each class."""
    for path in detection_lists(folder):
        kind, _, split = path.stem.rpartition("_")
        lines = [
            f"{image['name']} {image['present'].get(kind, -1):2d}\n" if kind else f"{image['name']}\n"
            for image in _listed(images)[split]
        ]
        write_text(path, "".join(lines))


def _listed(images: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """Images by split, "trainval" among them."""
    listed = {split: images.get(split, []) for split in SPLITS}
    return {**listed, "trainval": listed["train"] + listed["val"]}


def _annotation(name: str, scene: Scene, year: str) -> bytes:
    """A VOC annotation; its pixel coordinates count from 1."""
    height, width = scene.sample.size
    root = ElementTree.Element("annotation")
    add = partial(_add, root)
    add("folder", year)
    add("filename", f"{name}.jpg")
    _add(add("source", ""), "database", "Puppets")
    size = add("size", "")
    for key, number in (("width", width), ("height", height), ("depth", 3)):
        _add(size, key, str(number))
    add("segmented", str(int(year == SEGMENTATION_YEAR)))
    for box in boxes(scene):
        thing = add("object", "")
        touches = box.left == 0 or box.top == 0 or box.right == width - 1 or box.bottom == height - 1
        _add(thing, "name", CLASSES[box.label])
        _add(thing, "pose", "Unspecified")
        _add(thing, "truncated", str(int(touches)))
        _add(thing, "difficult", str(int(box.area < SMALL_AREA)))
        bounds = _add(thing, "bndbox", "")
        for key, number in (("xmin", box.left), ("ymin", box.top), ("xmax", box.right), ("ymax", box.bottom)):
            _add(bounds, key, str(number + 1))
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8")) + b"\n"


def _add(parent: ElementTree.Element, tag: str, text: str) -> ElementTree.Element:
    child = ElementTree.SubElement(parent, tag)
    child.text = text or None
    return child

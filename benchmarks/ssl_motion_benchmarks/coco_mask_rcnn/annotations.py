"""What of a data set in COCO's layout is there: annotations, images; and its fingerprint."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ssl_motion.identity import digest
from ssl_motion.protocols import DataReport

GET_COCO = (
    "COCO 2017: download train2017.zip, val2017.zip and annotations_trainval2017.zip from "
    "https://cocodataset.org/#download and unpack them in one folder; give it as --data-root."
)
GET_ORIGINAL = "Annotations must be COCO's own, or written as they are: take the original files."
CLASSES: tuple[str, ...] = tuple(
    each.strip()
    for each in """
    person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant, stop sign, parking
    meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, backpack, umbrella, handbag, tie,
    suitcase, frisbee, skis, snowboard, sports ball, kite, baseball bat, baseball glove, skateboard, surfboard, tennis
    racket, bottle, wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange, broccoli, carrot, hot
    dog, pizza, donut, cake, chair, couch, potted plant, bed, dining table, toilet, tv, laptop, mouse, remote, keyboard,
    cell phone, microwave, oven, toaster, sink, refrigerator, book, clock, vase, scissors, teddy bear, hair drier,
    toothbrush
    """.replace("\n    ", " ").split(",")
)
"""COCO's 80 classes, in the order of mmdetection's `CocoDataset` and of their numbers."""

_SHOWN = 5
_HEADERS = 200  # images of a split that are opened to see their size


@dataclass(frozen=True)
class Split:
    """A folder of images and its annotations, by COCO's names."""

    name: str

    @property
    def list_file(self) -> str:
        """The annotations, relative to the data set's folder."""
        return f"annotations/instances_{self.name}.json"


@dataclass
class _Findings:
    found: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    cures: list[str] = field(default_factory=list)

    def fault(self, what: str, cure: str) -> None:
        self.missing.append(what)
        self.cures.append(cure)


def coco_root(root: Path) -> Path:
    """Find the folder of annotations/: `root` itself, or coco below it; `root` if none."""
    for candidate in (root, root / "coco"):
        if (candidate / "annotations").is_dir():
            return candidate
    return root


def inspect(root: Path, splits: Sequence[Split], classes: Sequence[str] | None) -> DataReport:
    """Look at every annotation, and at every image's file, of `splits`.

    Args:
        root: what the user gave as data root.
        splits: what is needed; the last one is scored.
        classes: names that the categories must have, in this order; None for any, but the same in all splits.

    Returns:
        The report; its fingerprint covers the annotations' bytes and the images' sizes.
    """
    folder, findings = coco_root(root), _Findings()
    parts: list[object] = []
    expected = list(classes) if classes is not None else None
    files: list[list[Path]] = [[]]
    for split in splits:
        path = folder / split.list_file
        try:
            content = path.read_bytes()
        except OSError:
            there = sorted(each.name for each in path.parent.glob("*.json"))
            findings.fault(f"{path}" + (f" (there: {', '.join(there[:_SHOWN])})" if there else ""), GET_COCO)
            continue
        try:
            listed = json.loads(content)
            names = [str(each["name"]) for each in listed["categories"]]  # mmdetection counts classes as listed
            images, annotations = list(listed["images"]), list(listed["annotations"])
            faults = _faults(images, annotations, {each["id"] for each in listed["categories"]})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            findings.fault(f"{path} is not in COCO's form: {type(error).__name__}: {error}", GET_ORIGINAL)
            continue
        for fault in faults:
            findings.fault(f"{path}: {fault}", GET_ORIGINAL)
        if expected is None:
            expected = names
        elif names != expected:
            findings.fault(f"{path}: {_difference(names, expected)}", GET_ORIGINAL)
        sizes = _files(folder / split.name, images, findings)
        files.append([folder / split.name / each["file_name"] for each in images])
        labelled = len({each["image_id"] for each in annotations})
        findings.found.append(
            f"{split.name}: {len(images)} images, {labelled} of them with {len(annotations)} annotations ({path})"
        )
        parts.append([split.name, hashlib.sha256(content).hexdigest(), sizes])
    return DataReport(
        found=findings.found,
        missing=findings.missing,
        how_to_get=" ".join(dict.fromkeys(findings.cures)),
        fingerprint="" if findings.missing else digest(parts),
        training_images=[path for each in files[:-1] for path in each],
        test_images=files[-1],
    )


def _difference(names: list[str], expected: list[str]) -> str:
    lost = [name for name in expected if name not in names]
    new = [name for name in names if name not in expected]
    if lost or new:
        return (
            f"{len(names)} categories in place of the {len(expected)} expected; missing: "
            f"{_some(lost) or 'none'}; unknown: {_some(new) or 'none'}"
        )
    return "the categories are listed in another order than expected"


def _faults(images: list[Any], annotations: list[Any], categories: set[Any]) -> list[str]:
    """Say what is wrong with a split's lists, with the first few cases of each fault."""
    sizes = {each["id"]: (each["height"], each["width"]) for each in images}
    checks: dict[str, list[str]] = {}
    if not images:
        checks["lists no images"] = [""]
    elif all(each.get("iscrowd") for each in annotations):
        checks["lists no annotation of a single object"] = [""]
    if len(sizes) < len(images):
        checks["numbers of images that occur twice"] = [str(len(images) - len(sizes))]
    seen: set[Any] = set()
    for each in annotations:
        identity, segmentation = each["id"], each.get("segmentation")
        name = f"annotation {identity}"
        if each["image_id"] not in sizes:
            checks.setdefault("annotations of images that are not listed", []).append(f"{name} of {each['image_id']}")
            continue
        if each["category_id"] not in categories:
            checks.setdefault("annotations of unknown categories", []).append(f"{name} of {each['category_id']}")
        if identity in seen or not identity:
            # pycocotools takes a match with number 0 for none.
            checks.setdefault("annotations numbered 0, or twice alike", []).append(name)
        seen.add(identity)
        if len(each["bbox"]) != 4 or "area" not in each or "iscrowd" not in each:
            checks.setdefault("annotations without box, area or iscrowd", []).append(name)
        if not segmentation:
            checks.setdefault("annotations without a mask", []).append(name)
        elif isinstance(segmentation, dict) and tuple(segmentation["size"]) != sizes[each["image_id"]]:
            checks.setdefault("masks of another size than their image", []).append(name)
    return [what if cases == [""] else f"{len(cases)} {what}: {_some(cases)}" for what, cases in checks.items()]


def _files(folder: Path, images: list[Any], findings: _Findings) -> str:
    """Look for the files of the images; returns a hash of their names and sizes in bytes."""
    from PIL import Image

    lost, unlike = [], []
    sha = hashlib.sha256()
    every = max(1, len(images) // _HEADERS)
    for number, each in enumerate(images):
        path = folder / each["file_name"]
        try:
            sha.update(f"{path.name} {path.stat().st_size} ".encode())
        except OSError:
            lost.append(path.name)
            continue
        if number % every == 0:
            try:
                with Image.open(path) as picture:
                    size = picture.size
            except (OSError, ValueError):
                unlike.append(f"{path.name} (not an image)")
                continue
            if size != (each["width"], each["height"]):
                unlike.append(f"{path.name} ({size[0]} x {size[1]}, listed as {each['width']} x {each['height']})")
    for names, kind in ((lost, "images"), (unlike, "fitting images")):
        if names:
            findings.fault(f"{len(names)} {kind} in {folder}: {_some(names)}", GET_COCO)
    return sha.hexdigest()


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")

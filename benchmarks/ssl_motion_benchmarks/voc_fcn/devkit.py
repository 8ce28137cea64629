"""What of a PASCAL VOC devkit is there: lists, images, labels; and its fingerprint."""

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ssl_motion.data.label_images import is_spot, value_problem
from ssl_motion.identity import digest
from ssl_motion.protocols import DataReport
from ssl_motion_benchmarks.voc07 import devkit as voc07

YEAR = "VOC2012"
LISTS = "ImageSets/Segmentation"
IMAGES = "JPEGImages"
LABELS = "SegmentationClass"
AUGMENTED = "SegmentationClassAug"

GET_VOC = (
    "PASCAL VOC 2012: download VOCtrainval_11-May-2012.tar from http://host.robots.ox.ac.uk/pascal/VOC/voc2012/ and "
    "unpack it; give the folder that then holds VOCdevkit/ as --data-root."
)
GET_AUGMENTED = (
    "SBD labels (train_aug): download benchmark.tgz from "
    "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/semantic_contours/ and convert it with "
    "mmsegmentation's tools/dataset_converters/voc_aug.py, which writes SegmentationClassAug/ and "
    "ImageSets/Segmentation/aug.txt. A ready-made SegmentationClassAug/ with the list trainaug.txt (10,582 names) "
    "works too. Without them, the preset voc12_fcn_small trains on the devkit's own list."
)
GET_PALETTE = (
    "Labels must be palette or grey PNGs whose pixels are class numbers, 255 for unknown. Labels saved as RGB have "
    "lost their numbers: take the original files."
)
_KINDS = {0: "grey", 2: "RGB", 3: "palette", 4: "grey with alpha", 6: "RGB with alpha"}
CLASS_NAMES = ("background", *voc07.CLASSES)
"""Of VOC, by number; 2012 has the kinds of things of 2007."""

_SHOWN = 5


@dataclass(frozen=True)
class LabelSet:
    """A list of images and the folder of their labels, relative to the devkit's VOC2012 folder."""

    names: str
    labels: str = LABELS

    @property
    def list_file(self) -> str:
        """The list, relative to the VOC2012 folder."""
        return f"{LISTS}/{self.names}.txt"


def voc_root(root: Path) -> Path:
    """Find the folder of JPEGImages: `root` itself, or VOC2012 or VOCdevkit/VOC2012 below it; `root` if none."""
    return voc07.voc_root(root, YEAR, LISTS)


def training_sets(root: Path, augmented: bool) -> list[LabelSet]:
    """What is trained on: the devkit's train list, or train plus SBD in either of its usual layouts."""
    if not augmented:
        return [LabelSet("train")]
    for complete in ("trainaug", "train_aug"):
        if (voc_root(root) / LISTS / f"{complete}.txt").is_file():
            return [LabelSet(complete, AUGMENTED)]
    return [LabelSet("train"), LabelSet("aug", AUGMENTED)]


def inspect(root: Path, sets: list[LabelSet], classes: int = len(CLASS_NAMES)) -> DataReport:
    """Look at every list, image and label of `sets`.

    Args:
        root: what the user gave as data root.
        sets: what is needed: those that are trained on, and last the one that is scored.
        classes: number of classes that labels may hold; looked at in some of them (`is_spot`).

    Returns:
        The report; its fingerprint covers the lists, the labels' bytes and the images' sizes.
    """
    folder = voc_root(root)
    found: list[str] = []
    missing: list[str] = []
    cures: list[str] = []
    parts: list[object] = []
    images: list[list[Path]] = [[]]
    for needed in dict.fromkeys([IMAGES, *(each.labels for each in sets)]):
        if not (folder / needed).is_dir():
            missing.append(voc07.absent(needed, folder, root, YEAR))
            cures.append(GET_AUGMENTED if needed == AUGMENTED else GET_VOC)
    folders_are_there = not missing
    for each in sets:
        path = folder / each.list_file
        if not path.is_file():
            others = ", ".join(sorted(other.name for other in path.parent.glob("*.txt")))
            missing.append(f"list {path}" + (f" (there: {others})" if others else ""))
            cures.append(GET_AUGMENTED if each.labels == AUGMENTED else GET_VOC)
        elif folders_are_there:
            images.append(_inspect_list(folder, each, classes, found, missing, cures, parts))
    return DataReport(
        found=found,
        missing=missing,
        how_to_get=" ".join(dict.fromkeys(cures)),
        fingerprint="" if missing else digest(parts),
        training_images=[path for each in images[:-1] for path in each],
        test_images=images[-1],
    )


def image_files(folder: Path, names: Iterable[str]) -> list[Path]:
    """Say where images lie: `folder` is that of JPEGImages, as `voc_root` finds it."""
    return [folder / IMAGES / f"{name}.jpg" for name in names]


def read_names(path: Path) -> list[str]:
    """Read a list of image names."""
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _inspect_list(
    folder: Path,
    labels: LabelSet,
    classes: int,
    found: list[str],
    missing: list[str],
    cures: list[str],
    parts: list[object],
) -> list[Path]:
    """Look at a list, its images and labels; returns where the images are."""
    path = folder / labels.list_file
    names = read_names(path)
    images = image_files(folder, names)
    if not names:
        missing.append(f"{path} is empty")
        cures.append(GET_VOC)
        return images
    images_lost, labels_lost, wrong, unlike = [], [], [], []
    sha = hashlib.sha256()
    for index, (name, image) in enumerate(zip(names, images, strict=True)):
        label = folder / labels.labels / f"{name}.png"
        try:
            size = image.stat().st_size
        except OSError:
            images_lost.append(image.name)
            continue
        try:
            content = label.read_bytes()
        except OSError:
            labels_lost.append(label.name)
            continue
        problem = _label_problem(content)
        if problem is None and is_spot(index, len(names)):
            problem = value_problem(content, classes)
        if problem is not None:
            wrong.append(f"{label.name} ({problem})")
        elif (difference := _size_problem(image, content)) is not None:
            unlike.append(f"{image.name} ({difference})")
        sha.update(f"{name} {size} {len(content)} ".encode())
        sha.update(content)
    for lost, kind, where, cure in (
        (images_lost, "images", folder / IMAGES, GET_VOC),
        (labels_lost, "labels", folder / labels.labels, GET_AUGMENTED if labels.labels == AUGMENTED else GET_VOC),
        (wrong, "readable labels", folder / labels.labels, GET_PALETTE),
        (unlike, "fitting images", folder / IMAGES, GET_VOC),
    ):
        if lost:
            some = ", ".join(lost[:_SHOWN]) + (", ..." if len(lost) > _SHOWN else "")
            missing.append(f"{len(lost)} of {len(names)} {kind} of {path.name} in {where}: {some}")
            cures.append(cure)
    found.append(f"{labels.names}: {len(names)} images ({path})")
    parts.append([labels.names, labels.labels, len(names), sha.hexdigest()])
    return images


def _label_problem(content: bytes) -> str | None:
    """Say what is wrong with a label file, judged by its PNG header; None where nothing is."""
    if content[:8] != b"\x89PNG\r\n\x1a\n" or len(content) < 33:
        return "not a PNG"
    kind = content[25]
    return None if kind in (0, 3) else f"saved as {_KINDS.get(kind, 'an unknown kind')}"


def _size_problem(image: Path, label: bytes) -> str | None:
    """Say how an image and its label differ in size, judged by their headers; None where they do not."""
    from PIL import Image

    try:
        with Image.open(image) as picture:
            width, height = picture.size
    except (OSError, ValueError):
        return "not an image"
    expected = struct.unpack(">II", label[16:24])
    return None if (width, height) == expected else f"{width} x {height}, its label {expected[0]} x {expected[1]}"

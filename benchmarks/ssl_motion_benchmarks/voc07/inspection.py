"""What of PASCAL VOC 2007 is there and whether it can be used; and its fingerprint."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from ssl_motion.errors import DataError
from ssl_motion.identity import digest
from ssl_motion.protocols import DataReport
from ssl_motion_benchmarks.voc07.devkit import (
    BOXES,
    GET_VOC07,
    IMAGES,
    LISTS,
    YEAR,
    absent,
    read_labels,
    read_list,
    read_objects,
    voc_root,
)

GET_ORIGINAL = "Take the original files of the devkit."
_SHOWN = 5


def inspect_labels(root: Path, splits: Sequence[str], classes: Sequence[str]) -> DataReport:
    """Look at the lists, class labels and images of `splits`.

    Args:
        root: what the user gave as data root.
        splits: such as "trainval" and "test"; the last one is scored.
        classes: whose labels are needed.

    Returns:
        The report; its fingerprint covers the names, the labels and the images' sizes in bytes.
    """
    folder, report = voc_root(root), _Report()
    if report.has_folders(root, [IMAGES, LISTS]):
        for split in dict.fromkeys(splits):
            lost = [label for label in classes if not (folder / LISTS / f"{label}_{split}.txt").is_file()]
            if (folder / LISTS / f"{split}.txt").is_file() and lost:
                report.lacks(lost, len(classes), f"files CLASS_{split}.txt of classes in {folder / LISTS}", GET_VOC07)
                continue
            try:
                known = read_labels(folder, split, classes)
            except DataError as error:
                report.fault(error)
                continue
            sizes = report.images(folder, known.names, split)
            present = int((known.labels == 1).any(axis=0).sum())
            if not present:
                report.lacks(["all"], len(classes), f"classes with an image in {split}", GET_ORIGINAL)
            summary = f"{len(known.names)} images with {present} of {len(classes)} classes"
            report.add(split, folder, [known.names, sizes, known.labels.tolist()], summary)
    return report.made(list(classes))


def inspect_objects(root: Path, splits: Sequence[str], classes: Sequence[str]) -> DataReport:
    """Look at the lists, annotated boxes and images of `splits`; arguments and result as of `inspect_labels`."""
    folder, report = voc_root(root), _Report()
    if report.has_folders(root, [IMAGES, LISTS, BOXES]):
        for split in dict.fromkeys(splits):
            try:
                names = read_list(folder, split)
            except DataError as error:
                report.fault(error)
                continue
            sizes = report.images(folder, names, split)
            lost = [name for name in names if not (folder / BOXES / f"{name}.xml").is_file()]
            report.lacks(lost, len(names), f"annotations of {split} in {folder / BOXES}", GET_VOC07)
            if lost:
                continue
            try:
                objects = [read_objects(folder, name, classes) for name in names]
            except DataError as error:
                report.fault(error)
                continue
            unlike = [
                f"{name}.jpg ({pixels[1]} x {pixels[0]}, annotated {each.size[1]} x {each.size[0]})"
                for name, each in zip(names, objects, strict=True)
                if (pixels := _pixels(folder / IMAGES / f"{name}.jpg")) is not None and pixels != each.size
            ]
            report.lacks(unlike, len(names), f"images of {split} that fit their annotation", GET_ORIGINAL)
            content = [[each.boxes.tolist(), each.labels.tolist(), each.difficult.tolist()] for each in objects]
            counted = sum(int((~each.difficult).sum()) for each in objects)
            if not counted:
                report.lacks(["all"], len(names), f"images with an object of a known class in {split}", GET_ORIGINAL)
            report.add(split, folder, [names, sizes, content], f"{len(names)} images, {counted} objects")
    return report.made(list(classes))


class _Report:
    """A report in the making."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.missing: list[str] = []
        self.cures: list[str] = []
        self.parts: list[object] = []
        self.files: list[list[Path]] = []

    def has_folders(self, root: Path, names: Sequence[str]) -> bool:
        folder = voc_root(root)
        lost = [name for name in names if not (folder / name).is_dir()]
        self.missing += [absent(name, folder, root, YEAR) for name in lost]
        self.cures += [GET_VOC07] * bool(lost)
        return not lost

    def fault(self, error: DataError) -> None:
        self.missing.append(f"usable {error}")
        self.cures.append(GET_ORIGINAL)

    def lacks(self, lost: Sequence[str], total: int, what: str, cure: str) -> None:
        if lost:
            some = ", ".join(lost[:_SHOWN]) + (", ..." if len(lost) > _SHOWN else "")
            self.missing.append(f"{len(lost)} of {total} {what}: {some}")
            self.cures.append(cure)

    def images(self, folder: Path, names: Sequence[str], split: str) -> list[int]:
        """Sizes of the images in bytes; notes those that are not there, or no images."""
        sizes, lost, damaged = [], [], []
        self.files.append([folder / IMAGES / f"{name}.jpg" for name in names])
        for path in self.files[-1]:
            try:
                sizes.append(path.stat().st_size)
            except OSError:
                lost.append(path.name)
                continue
            if _pixels(path) is None:
                damaged.append(path.name)
        self.lacks(lost, len(names), f"images of {split} in {folder / IMAGES}", GET_VOC07)
        self.lacks(damaged, len(names), f"readable images of {split} in {folder / IMAGES}", GET_ORIGINAL)
        return sizes

    def add(self, split: str, folder: Path, content: object, summary: str) -> None:
        self.found.append(f"{split}: {summary} ({folder / LISTS / f'{split}.txt'})")
        self.parts.append([split, hashlib.sha256(repr(content).encode()).hexdigest()])

    def made(self, classes: list[str]) -> DataReport:
        return DataReport(
            found=self.found,
            missing=self.missing,
            how_to_get=" ".join(dict.fromkeys(self.cures)),
            fingerprint="" if self.missing else digest([classes, self.parts]),
            training_images=self.files[0] if self.files else (),
            test_images=self.files[-1] if self.files else (),
        )


def _pixels(path: Path) -> tuple[int, int] | None:
    """Height and width by the file's header; None where it is no image, or not there."""
    try:
        with Image.open(path) as picture:
            width, height = picture.size
    except (OSError, ValueError):
        return None
    return height, width

"""Where labelled images lie: PASCAL VOC's devkit, LIP, CIHP, and any pair of folders with a list of classes."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from ssl_motion.data.label_images import is_spot, value_problem
from ssl_motion.data.label_lists import fixed_order
from ssl_motion.data.unreadable import UNREADABLE
from ssl_motion.errors import DataError, UsageError
from ssl_motion.identity import digest
from ssl_motion.protocols import DataReport

Layout = Literal["voc", "lip", "cihp", "folder"]
IMAGE_TYPES = (".jpg", ".jpeg", ".png")
CLASS_LIST = "label_list.txt"
VAL_SHARE = 5
SPLIT_RULE = (
    f"the 1/{VAL_SHARE} of the images whose names have the smallest SHA-256 is scored, the others are trained on; "
    "train.txt and val.txt, a name a line, say otherwise"
)
LIP_CLASSES = 20
LIP_SWAPS = ((14, 15), (16, 17), (18, 19))
_SHOWN = 5

_BASES: Mapping[Layout, tuple[str, ...]] = {
    "lip": ("", "LIP"),
    "cihp": ("", "CIHP", "cihp"),
    "folder": ("",),
}
_HOW_TO_GET: Mapping[Layout, str] = {
    "lip": "LIP (single person): from https://sysu-hcp.net/lip/; give as --data-root the folder that holds "
    "train_images/, train_segmentations/, train_id.txt, and the same of val.",
    "cihp": "CIHP (LIP's multi-person data): from https://sysu-hcp.net/lip/; give as --data-root the folder that holds "
    "images/, labels/ (part numbers), list/train_id.txt and list/val_id.txt.",
    "folder": "Give as --data-root a folder that holds images/, labels/ (PNGs of the same names, whose pixels are "
    f"class numbers, 255 for unknown) and a list of the classes, one a line ({CLASS_LIST}, or --set classes=FILE). "
    f"Without lists, {SPLIT_RULE}.",
}


@dataclass(frozen=True)
class Labelled:
    """Images with their labels, in the order of their list."""

    names: Sequence[str]
    images: Sequence[Path]
    labels: Sequence[Path]


def read_classes(path: Path) -> tuple[str, ...]:
    """Read a list of classes: a name a line, or a number from 0 and a name.

    Raises:
        UsageError: There is no such file.
        DataError: It lists nothing, or its numbers are not 0, 1, 2, ...
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except FileNotFoundError:
        raise UsageError(f"no list of classes {path} (--set classes=FILE names another below the data root)") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as a list of classes: {error}") from error
    parts = [line.split(maxsplit=1) for line in lines]
    if parts and all(len(part) == 2 and part[0].isdigit() for part in parts):
        if [int(part[0]) for part in parts] != list(range(len(parts))):
            raise DataError(f"{path}: the numbers of the classes must be 0 to {len(parts) - 1}, in order")
        lines = [part[1] for part in parts]
    if not 2 <= len(lines) <= 255 or len(set(lines)) < len(lines):
        raise DataError(f"{path}: expected 2 to 255 different classes, found {len(lines)}")
    return tuple(lines)


def base(layout: Layout, root: Path) -> Path:
    """The folder below `root` that holds the layout's own; `root` where none does."""
    marker = "train_images" if layout == "lip" else "images"
    return next((root / each for each in _BASES[layout] if (root / each / marker).is_dir()), root)


def find(layout: Layout, root: Path, split: str) -> Labelled:
    """List the images of a split with their labels. Of a layout that is not VOC's.

    Raises:
        UsageError: There is no list of that split.
    """
    folder = base(layout, root)
    images, labels, names = _folders(layout, folder, split)
    listed = _listed(layout, folder, names, images, split)
    found = {path.stem: path for path in _files(images)}
    return Labelled(
        listed,
        [found.get(name, images / f"{name}.jpg") for name in listed],
        [labels / f"{name}.png" for name in listed],
    )


def voc_images(folder: Path, sets: Sequence[tuple[str, str]]) -> Labelled:
    """List images of a devkit.

    Args:
        folder: with JPEGImages (`VOCdevkit/VOC2012`).
        sets: lists, with the folders of their labels, relative to `folder`.
    """
    listed = [
        (name, folder / labels / f"{name}.png")
        for path, labels in sets
        for name in (folder / path).read_text(encoding="utf-8").split()
    ]
    names = [name for name, _ in listed]
    return Labelled(names, [folder / "JPEGImages" / f"{name}.jpg" for name in names], [label for _, label in listed])


def inspect(layout: Layout, root: Path, splits: Sequence[str], classes: str) -> DataReport:
    """Look at every list, image and label of some splits; the fingerprint covers labels, lists and images' sizes.

    Args:
        layout: not VOC's.
        root: what the user gave as data root.
        splits: what is trained on, and what is scored.
        classes: file below `root` with the classes, where the layout is "folder".
    """
    found: list[str] = []
    missing: list[str] = []
    parts: list[Any] = []
    images: dict[str, Sequence[Path]] = dict.fromkeys(splits, ())
    count = LIP_CLASSES
    if layout == "folder":
        try:
            known = read_classes(root / classes)
            count = len(known)
            found.append(f"{len(known)} classes ({root / classes})")
            parts.append(list(known))
        except (UsageError, DataError) as error:
            missing.append(str(error))
    for split in dict.fromkeys(splits):
        folder = base(layout, root)
        gone = [path for path in _folders(layout, folder, split)[:2] if not path.is_dir()]
        if gone:
            missing += [f"folder {path}" for path in gone]
            continue
        try:
            chosen = find(layout, root, split)
        except (UsageError, DataError) as error:
            missing.append(str(error))
            continue
        problems, sha = _problems(chosen, count)
        missing += [f"{split}: {each}" for each in problems]
        found.append(f"{split}: {len(chosen.names)} images ({folder})")
        parts.append([split, len(chosen.names), sha])
        images[split] = chosen.images
    missing = list(dict.fromkeys(missing))
    return DataReport(
        found=found,
        missing=missing,
        how_to_get=_HOW_TO_GET[layout] if missing else "",
        fingerprint="" if missing else digest(parts),
        remarks=_folder_remarks(base(layout, root)) if layout == "folder" and not missing else [],
        training_images=images[splits[0]],
        test_images=images[splits[-1]],
    )


def _folder_remarks(folder: Path) -> list[str]:
    """Say what of two plain folders is used otherwise than one might think."""
    remarks = []
    if not _has_lists(folder):
        remarks.append(f"there are no lists of names: {SPLIT_RULE}")
    images = {path.stem for path in _files(folder / "images")}
    orphans = [path.name for path in sorted((folder / "labels").glob("*.png")) if path.stem not in images]
    if orphans:
        some = ", ".join(orphans[:_SHOWN]) + (", ..." if len(orphans) > _SHOWN else "")
        remarks.append(f"labels without an image are not used: {len(orphans)} ({some})")
    return remarks


def _folders(layout: Layout, folder: Path, split: str) -> tuple[Path, Path, Path]:
    """Folder of the images, folder of the labels, and list of a split."""
    if layout == "lip":
        return folder / f"{split}_images", folder / f"{split}_segmentations", folder / f"{split}_id.txt"
    names = folder / "list" / f"{split}_id.txt" if layout == "cihp" else folder / f"{split}.txt"
    return folder / "images", folder / "labels", names


def _listed(layout: Layout, folder: Path, path: Path, images: Path, split: str) -> list[str]:
    if path.is_file():
        names = [Path(line.strip()).stem for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        if names:
            return names
        raise DataError(f"{path} is empty")
    if layout == "folder" and not _has_lists(folder):
        order = fixed_order(each.stem for each in _files(images))
        held_out = len(order) // VAL_SHARE
        if split in ("train", "val") and held_out:
            return sorted(order[:held_out] if split == "val" else order[held_out:])
    raise UsageError(f"list {path}")


def _has_lists(folder: Path) -> bool:
    return any((folder / f"{each}.txt").is_file() for each in ("train", "val", "test"))


def _files(images: Path) -> list[Path]:
    return [path for path in sorted(images.glob("*")) if path.suffix.lower() in IMAGE_TYPES]


def _problems(chosen: Labelled, classes: int) -> tuple[list[str], str]:
    """Say which files are lost or do not fit, and hash the labels' bytes and the images' sizes."""
    sha = hashlib.sha256()
    lost: dict[str, list[str]] = {"images": [], "labels": [], "readable labels": [], "fitting images": []}
    total = len(chosen.names)
    for index, (name, image, label) in enumerate(zip(chosen.names, chosen.images, chosen.labels, strict=True)):
        if not image.is_file():
            lost["images"].append(image.name)
        elif not label.is_file():
            lost["labels"].append(label.name)
        else:
            kind, difference = _compare(image, label)
            if kind:
                lost[kind].append(f"{(label if kind == 'readable labels' else image).name} ({difference})")
            content = label.read_bytes()
            if not kind and is_spot(index, total) and (problem := value_problem(content, classes)) is not None:
                lost["readable labels"].append(f"{label.name} ({problem})")
            sha.update(f"{name} {image.stat().st_size} {len(content)} ".encode("utf-8", "surrogateescape"))
            sha.update(content)
    return [
        f"{len(names)} of {total} {kind}: {', '.join(names[:_SHOWN])}{', ...' if len(names) > _SHOWN else ''}"
        for kind, names in lost.items()
        if names
    ], sha.hexdigest()


def _compare(image: Path, label: Path) -> tuple[str, str]:
    """Judge an image and its label by their headers: which kind of problem there is, and what it is."""
    try:
        with Image.open(label) as picture:
            if picture.mode not in ("L", "P"):
                return "readable labels", f"saved as {picture.mode}: class numbers need a grey or palette PNG"
            expected = picture.size
    except UNREADABLE:
        return "readable labels", "not an image"
    try:
        with Image.open(image) as picture:
            size = picture.size
    except UNREADABLE:
        return "fitting images", "not an image"
    if size != expected:
        return "fitting images", f"{size[0]} x {size[1]}, its label {expected[0]} x {expected[1]}"
    return "", ""

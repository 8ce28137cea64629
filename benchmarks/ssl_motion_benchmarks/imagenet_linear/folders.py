"""Images in one folder a class: SPLIT/CLASS/NAME, as torchvision's `ImageFolder` reads them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ssl_motion.errors import DataError
from ssl_motion.identity import digest
from ssl_motion.protocols import DataReport

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm")
HOW_TO_GET = (
    "Give as --data-root a folder that holds train/CLASS/IMAGE and val/CLASS/IMAGE. ImageNet-1k (ILSVRC 2012): "
    "register at https://image-net.org/, unpack each class's archive into train/, and sort the validation images into "
    "val/ by their synsets."
)
TOP = 5
"""An image counts as recognised in the second metric where its class is among so many with the highest scores."""

_SHOWN = 5


@dataclass(frozen=True)
class Pictures:
    """Images of a split.

    Attributes:
        classes: names of all classes, sorted; a class's number is its place.
        names: CLASS/FILE of each image, sorted.
        paths: their files.
        labels: their classes' numbers.
    """

    classes: tuple[str, ...]
    names: Sequence[str]
    paths: Sequence[Path]
    labels: Sequence[int]


def base(root: Path) -> Path:
    """The folder that holds train/: `root` itself, or imagefolder/ below it (the built-in world); `root` if neither."""
    return next((each for each in (root, root / "imagefolder") if (each / "train").is_dir()), root)


def find(root: Path, split: str) -> Pictures:
    """List the images of a split. The classes are those of train/.

    Raises:
        DataError: There is no such folder, or a class of the split is not one of train's.
    """
    folder = base(root)
    classes = _classes(folder / "train")
    unknown = [name for name in _classes(folder / split) if name not in classes]
    if unknown:
        some = ", ".join(unknown[:_SHOWN])
        raise DataError(f"{folder / split}: {len(unknown)} classes are not among those of train/: {some}")
    names, labels = [], []
    for number, name in enumerate(classes):
        if (folder / split / name).is_dir():
            files = sorted(each.name for each in (folder / split / name).iterdir() if each.suffix.lower() in SUFFIXES)
            names += [f"{name}/{file}" for file in files]
            labels += [number] * len(files)
    return Pictures(classes, names, [folder / split / name for name in names], labels)


def inspect(root: Path, splits: Sequence[str]) -> DataReport:
    """Look at every file of some splits; the fingerprint covers their names and sizes.

    Args:
        root: what the user gave as data root.
        splits: what is needed beside "train"; the last one is scored.
    """
    found: list[str] = []
    missing: list[str] = []
    parts: list[Any] = []
    learnt: set[int] = set()
    images: dict[str, Sequence[Path]] = {}
    classes = 0
    for split in dict.fromkeys(["train", *splits]):
        try:
            pictures = find(root, split)
        except DataError as error:
            missing.append(str(error))
            continue
        where = base(root) / split
        learnt = set(pictures.labels) if split == "train" else learnt
        unlearnt = [pictures.classes[number] for number in sorted(set(pictures.labels) - learnt)]
        if not pictures.names:
            missing.append(f"images in {where}/CLASS/ ({', '.join(SUFFIXES)})")
        elif len(pictures.classes) < 2:
            missing.append(f"a second class in {where}")
        elif unlearnt:
            some = ", ".join(unlearnt[:_SHOWN])
            missing.append(
                f"training images of {len(unlearnt)} classes that {split} has, in {base(root) / 'train'}: {some}"
            )
        found.append(f"{split}: {len(pictures.names)} images of {len(pictures.classes)} classes ({where})")
        sha = hashlib.sha256()
        for name, path in zip(pictures.names, pictures.paths, strict=True):
            sha.update(f"{name} {path.stat().st_size}\n".encode("utf-8", "surrogateescape"))
        parts.append([split, list(pictures.classes), len(pictures.names), sha.hexdigest()])
        images[split], classes = pictures.paths, len(pictures.classes)
    missing = list(dict.fromkeys(missing))
    few = 1 < classes <= TOP
    return DataReport(
        found=found,
        missing=missing,
        how_to_get=HOW_TO_GET if missing else "",
        fingerprint="" if missing else digest(parts),
        remarks=[f"top{TOP} says nothing: with {classes} classes it is always 100"] if few and not missing else [],
        training_images=images.get("train", ()),
        test_images=images.get(splits[-1], ()),
    )


def _classes(folder: Path) -> tuple[str, ...]:
    try:
        return tuple(sorted(each.name for each in folder.iterdir() if each.is_dir()))
    except OSError:
        raise DataError(f"folder {folder}") from None

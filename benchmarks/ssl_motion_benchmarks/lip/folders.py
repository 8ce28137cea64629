"""What of LIP or CIHP is there: lists, images, labels; and the fingerprint of what determines a result.

CIHP is known in two layouts: as published (Training/Images, Training/Category_ids, ...), and as the parsing networks
of its authors read it (images/, labels/, list/).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ssl_motion.data.label_images import is_spot, value_problem
from ssl_motion.identity import digest
from ssl_motion.protocols import DataReport

Layout = Literal["lip", "cihp"]
CLASSES = 20
_PUBLISHED = {"train": "Training", "val": "Validation", "test": "Testing"}
_BELOW: Mapping[Layout, tuple[str, ...]] = {"lip": ("LIP",), "cihp": ("CIHP", "cihp", "instance-level_human_parsing")}
_SHOWN = 5

GET_DATA: Mapping[Layout, str] = {
    "lip": "LIP, single person: download TrainVal_images and TrainVal_parsing_annotations from "
    "https://sysu-hcp.net/lip/ and put train_images/, val_images/, train_segmentations/, val_segmentations/, "
    "train_id.txt and val_id.txt into one folder; give it as --data-root.",
    "cihp": "CIHP (LIP's multi-person data): download instance-level_human_parsing from https://sysu-hcp.net/lip/ and "
    "unpack it; give the folder that holds Training/ and Validation/ as --data-root. The layout images/, labels/, "
    "list/train_id.txt, list/val_id.txt works too.",
}
GET_LABELS = (
    f"Labels must be palette or grey PNGs whose pixels are the numbers of parts (0-{CLASSES - 1}, 255 unknown): LIP's "
    "*_segmentations, CIHP's Category_ids. Colour pictures of labels and numbers of instances are other files."
)


@dataclass(frozen=True)
class Split:
    """Where a split lies, relative to the data's folder."""

    name: str
    list_file: str
    images: str
    labels: str


def find_root(layout: Layout, root: Path) -> Path:
    """Find the data's folder: `root` itself or the usual one below it; `root` if none."""
    for candidate in (root, *(root / name for name in _BELOW[layout])):
        if any((candidate / name).is_dir() for name in ("train_images", "images", "Training")):
            return candidate
    return root


def find_split(layout: Layout, root: Path, name: str) -> Split:
    """Say where a split lies in the layout that is found below `root`."""
    if layout == "lip":
        return Split(name, f"{name}_id.txt", f"{name}_images", f"{name}_segmentations")
    part = _PUBLISHED[name]
    if (find_root(layout, root) / "Training").is_dir():
        return Split(name, f"{part}/{name}_id.txt", f"{part}/Images", f"{part}/Category_ids")
    return Split(name, f"list/{name}_id.txt", "images", "labels")


def inspect(layout: Layout, root: Path, names: Sequence[str]) -> DataReport:
    """Look at every list, image and label of some splits.

    Args:
        layout: of which data.
        root: what the user gave as data root.
        names: splits that are needed, the one that is trained on first and the one that is scored last.

    Returns:
        The report; its fingerprint covers the lists, the labels' bytes and the images' sizes.
    """
    folder = find_root(layout, root)
    found: list[str] = []
    missing: dict[str, str] = {}
    parts: list[object] = []
    images: dict[str, list[Path]] = {name: [] for name in names}
    for split in (find_split(layout, root, name) for name in dict.fromkeys(names)):
        gone = [folder / each for each in (split.images, split.labels) if not (folder / each).is_dir()]
        missing.update({f"folder {path}": GET_DATA[layout] for path in gone})
        path = folder / split.list_file
        try:
            listed = path.read_text(encoding="utf-8").split()
        except OSError:
            missing[f"list {path}"] = GET_DATA[layout]
            continue
        except UnicodeDecodeError:
            missing[f"{path} is no list of names"] = GET_DATA[layout]
            continue
        if not listed:
            missing[f"{path} is empty"] = GET_DATA[layout]
        elif not gone:
            problems, sha = _look(folder, split, listed)
            missing.update(
                {
                    f"{len(files)} of {len(listed)} {kind} of {path.name}: {_some(files)}": (
                        GET_LABELS if "part labels" in kind else GET_DATA[layout]
                    )
                    for kind, files in problems.items()
                    if files
                }
            )
            found.append(f"{split.name}: {len(listed)} images ({path})")
            parts.append([split.name, len(listed), sha])
            images[split.name] = [folder / split.images / f"{name}.jpg" for name in listed]
    return DataReport(
        found=found,
        missing=list(missing),
        how_to_get=" ".join(dict.fromkeys(missing.values())),
        fingerprint="" if missing else digest(parts),
        training_images=images[names[0]],
        test_images=images[names[-1]],
    )


def _look(folder: Path, split: Split, names: Sequence[str]) -> tuple[dict[str, list[str]], str]:
    """Sort the files that cannot be used by what is wrong, and hash the others."""
    problems: dict[str, list[str]] = {
        f"images in {folder / split.images}": [],
        f"labels in {folder / split.labels}": [],
        f"files in {folder / split.labels} as part labels": [],
        f"images in {folder / split.images} that fit their labels": [],
    }
    images_lost, labels_lost, wrong, unlike = problems.values()
    sha = hashlib.sha256()
    for index, name in enumerate(names):
        image, label = folder / split.images / f"{name}.jpg", folder / split.labels / f"{name}.png"
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
        expected, problem = _header(label)
        if problem is None and is_spot(index, len(names)):
            problem = value_problem(content, CLASSES)
        if problem is not None:
            wrong.append(f"{label.name} ({problem})")
        elif (actual := _header(image)[0]) != expected:
            unlike.append(f"{image.name} ({_in_words(actual)}, its label {_in_words(expected)})")
        sha.update(f"{name} {size} {len(content)} ".encode())
        sha.update(content)
    return problems, sha.hexdigest()


def _header(path: Path) -> tuple[tuple[int, int] | None, str | None]:
    """Width and height of a picture, and why it cannot hold class numbers; None where they are not known, or it can."""
    from PIL import Image

    from ssl_motion.data.unreadable import UNREADABLE

    try:
        with Image.open(path) as picture:
            kind = picture.mode
            return picture.size, None if kind in ("L", "P") else f"saved as {kind}"
    except UNREADABLE:
        return None, "not an image"


def _in_words(size: tuple[int, int] | None) -> str:
    return f"{size[0]} x {size[1]}" if size else "not an image"


def _some(files: Sequence[str]) -> str:
    return ", ".join(files[:_SHOWN]) + (", ..." if len(files) > _SHOWN else "")

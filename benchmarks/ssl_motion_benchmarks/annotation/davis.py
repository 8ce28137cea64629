"""What of DAVIS 2016 is there: frames of sequences, each with the mask of what moves."""

import hashlib
from pathlib import Path

from PIL import Image

from ssl_motion.data.unreadable import UNREADABLE
from ssl_motion.identity import digest
from ssl_motion.protocols import DataReport

EVERY = 10
"""Of each sequence the first frame is taken, and every tenth after it."""

GET_DAVIS = (
    "DAVIS 2016: download DAVIS-data.zip (480p) from https://davischallenge.org/davis2016/code.html and unpack it; "
    "give as --data-root the folder that then holds JPEGImages/480p/SEQUENCE/00000.jpg and "
    "Annotations/480p/SEQUENCE/00000.png."
)
_IMAGES, _MASKS = "JPEGImages/480p", "Annotations/480p"
_SHOWN = 5


def davis_root(root: Path) -> Path:
    """Find the folder of JPEGImages/: `root` itself, or DAVIS or davis below it; `root` if none."""
    return next((each for each in (root, root / "DAVIS", root / "davis") if (each / _MASKS).is_dir()), root)


def frames(root: Path) -> list[str]:
    """Frames that are annotated, "SEQUENCE/00010", in order."""
    folders = sorted(path for path in (davis_root(root) / _MASKS).glob("*") if path.is_dir())
    return [f"{folder.name}/{mask.stem}" for folder in folders for mask in sorted(folder.glob("*.png"))[::EVERY]]


def image_file(root: Path, frame: str) -> Path:
    """File of a frame."""
    return davis_root(root) / _IMAGES / f"{frame}.jpg"


def mask_file(root: Path, frame: str) -> Path:
    """File of a frame's mask."""
    return davis_root(root) / _MASKS / f"{frame}.png"


def inspect(root: Path) -> DataReport:
    """Look at every frame that is annotated; the fingerprint covers their names, masks' bytes and images' sizes."""
    folder = davis_root(root)
    gone = [f"folder {folder / each}" for each in (_IMAGES, _MASKS) if not (folder / each).is_dir()]
    if gone:
        return DataReport([], gone, GET_DAVIS)
    chosen = frames(root)
    if not chosen:
        return DataReport([], [f"masks in {folder / _MASKS}"], GET_DAVIS)
    sha = hashlib.sha256()
    lost, unlike = [], []
    for frame in chosen:
        image, mask = image_file(root, frame), mask_file(root, frame)
        if not image.is_file():
            lost.append(str(image.relative_to(folder)))
            continue
        if problem := _problem(image, mask):
            unlike.append(f"{frame} ({problem})")
        content = mask.read_bytes()
        sha.update(f"{frame} {image.stat().st_size} {len(content)} ".encode())
        sha.update(content)
    missing = [
        f"{len(names)} of {len(chosen)} {kind} in {folder}: {', '.join(names[:_SHOWN])}"
        + (", ..." if len(names) > _SHOWN else "")
        for names, kind in ((lost, "images"), (unlike, "fitting images and masks"))
        if names
    ]
    sequences = len({frame.partition("/")[0] for frame in chosen})
    found = [f"{len(chosen)} frames of {sequences} sequences ({folder})"]
    return DataReport(
        found, missing, GET_DAVIS if missing else "", "" if missing else digest([len(chosen), sha.hexdigest()])
    )


def _problem(image: Path, mask: Path) -> str | None:
    """Say what is wrong with a frame and its mask, judged by their headers; None where nothing is."""
    try:
        with Image.open(mask) as picture:
            mode, size = picture.mode, picture.size
        if mode not in ("L", "P", "1"):
            return f"its mask is saved as {mode}"
        with Image.open(image) as picture:
            other = picture.size
    except UNREADABLE:
        return "not an image"
    return None if other == size else f"{other[0]} x {other[1]}, its mask {size[0]} x {size[1]}"

"""From what a user names (files, folders, globs) to a list of clips."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from glob import glob
from pathlib import Path

from ssl_motion.errors import UsageError
from ssl_motion.video.clip import IMAGE_SUFFIXES, VIDEO_SUFFIXES, Clip, Rejection, natural_key, printable

# Folders of label images beside folders of frames (DAVIS, VOC): their pictures move too, but are no photographs.
LABEL_FOLDERS = frozenset(
    {"annotations", "annotations_unsupervised", "masks", "segmentationclass", "segmentationobject", "labels"}
)


@dataclass(frozen=True)
class Discovery:
    """What was found.

    Attributes:
        clips: in natural order of their names, which are unique.
        rejected: what looked like a clip but is none.
    """

    clips: list[Clip]
    rejected: list[Rejection] = field(default_factory=list)


@dataclass(frozen=True)
class _Found:
    path: Path
    kind: str  # "video", "frames", or the reason why it is no clip
    parts: tuple[str, ...]  # name below the input that led here


def find_clips(inputs: Sequence[str | Path], exclude: Path | None = None) -> Discovery:
    """Find the clips that `inputs` name.

    An existing path is taken as it is, even if it holds glob characters; anything else is tried as a glob (`**` goes
    through folders). A file is a video, whatever it is called. A folder is searched through: every file with a video's
    suffix is a clip, and every folder with two images or more is a folder of frames. Hidden entries are left out, and
    so are folders of label images (`LABEL_FOLDERS`) unless they are named themselves.

    Args:
        inputs: video files, folders, globs.
        exclude: a folder that is not searched (the output folder).

    Raises:
        UsageError: An input does not exist, a glob matches nothing, or there is no clip at all.
    """
    if not inputs:
        raise UsageError("no videos named: give video files, folders, globs or folders of frames")
    found: dict[str, _Found] = {}
    for text in inputs:
        for path in _expand(text):
            for item in _search(path, exclude.resolve() if exclude else None):
                found.setdefault(os.path.realpath(item.path), item)
    items = list(found.values())
    names = _unique_names(items)
    clips, rejected = [], []
    for item, name in zip(items, names, strict=True):
        if item.kind == "video":
            clips.append(Clip(name, item.path, "video"))
        elif item.kind == "frames":
            clips.append(Clip(name, item.path, "frames"))
        else:
            rejected.append(Rejection(name, printable(item.path), item.kind))
    if not clips:
        problem = "; ".join(f"{line.path}: {line.reason}" for line in rejected[:3])
        raise UsageError(
            f"no clip in {', '.join(printable(text) for text in inputs)}: looked for video files "
            f"({' '.join(sorted(VIDEO_SUFFIXES))}) and folders of at least two images."
            + (f" {problem}" if problem else "")
        )
    clips.sort(key=lambda clip: natural_key(clip.name))
    return Discovery(clips, rejected)


def list_images(folder: Path) -> list[Path]:
    """List the images directly in a folder, in natural order."""
    with os.scandir(folder) as entries:
        names = [
            entry.name
            for entry in entries
            if not entry.name.startswith(".") and os.path.splitext(entry.name)[1].lower() in IMAGE_SUFFIXES
        ]
    return [folder / name for name in sorted(names, key=natural_key)]


def _expand(text: str | Path) -> list[Path]:
    path = Path(text).expanduser()
    if path.exists():
        return [path]
    pattern = str(path)
    if any(character in pattern for character in "*?["):
        matches = sorted(glob(pattern, recursive=True), key=natural_key)
        if not matches:
            raise UsageError(f"nothing matches {printable(pattern)}")
        return [Path(match) for match in matches]
    raise UsageError(f"no such file or folder: {printable(path)}")


def _search(root: Path, exclude: Path | None) -> Iterator[_Found]:
    """Yield everything at or below `root` that is, or looks like, a clip."""
    if not root.is_dir():
        if root.suffix.lower() in IMAGE_SUFFIXES:
            yield _Found(root, "a single image is no clip; name the folder of its frames", (root.name,))
        else:
            yield _Found(root, "video", (root.name,))
        return
    base = root.resolve().name
    seen: set[str] = set()
    for folder_text, folders, files in os.walk(root, followlinks=True):
        folder = Path(folder_text)
        real = os.path.realpath(folder)
        if real in seen or (exclude is not None and real == str(exclude)):
            folders.clear()
            continue
        seen.add(real)
        below = folder.relative_to(root).parts
        for name in [name for name in folders if name.lower() in LABEL_FOLDERS]:
            folders.remove(name)
            yield _Found(folder / name, "looks like label images; name it itself to use it", (*below, name))
        folders[:] = sorted((name for name in folders if not name.startswith(".")), key=natural_key)
        images = 0
        for name in sorted(files, key=natural_key):
            suffix = os.path.splitext(name)[1].lower()
            images += suffix in IMAGE_SUFFIXES and not name.startswith(".")
            if suffix in VIDEO_SUFFIXES and not name.startswith("."):
                yield _Found(folder / name, "video", (*below, name))
        if images:
            kind = "frames" if images > 1 else "a folder with one image has no pair of frames"
            yield _Found(folder, kind, below or (base,))


def _unique_names(items: list[_Found]) -> list[str]:
    """Name each item by its path below its input; where two agree, by ever more folders above, up to the whole path."""
    names = ["/".join(printable(part) for part in item.parts) for item in items]
    for extra in range(1, 64):
        counts: dict[str, int] = {}
        for name in names:
            counts[name] = counts.get(name, 0) + 1
        if all(count == 1 for count in counts.values()):
            break
        for position, item in enumerate(items):
            if counts[names[position]] > 1:
                parts = item.path.resolve().parts
                length = min(len(parts), len(item.parts) + extra)
                names[position] = "/".join(printable(part).strip("/") for part in parts[-length:])
    return names

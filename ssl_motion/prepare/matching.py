"""Finding the flow file of each image, by name, in the layouts of Sintel, KITTI, FlyingChairs and the like."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from ssl_motion.errors import UsageError
from ssl_motion.flow.formats import READERS
from ssl_motion.flow.lists import ListEntry
from ssl_motion.video.clip import IMAGE_SUFFIXES, Rejection, natural_key, printable

# What follows the number in "0000001-img0", "00001_img2", "0000000-img_0", "0000001-gt", "0000000-flow_01".
# "flow_10" beside "flow_01" is the flow back from frame t + 1.
_BACKWARD = re.compile(r"[-_]flow_?10$", re.IGNORECASE)
_ROLE = re.compile(r"[-_](img|image|flow|gt)_?\d*$", re.IGNORECASE)


def match_flow(images: Path, flows: Path) -> Iterator[ListEntry | Rejection]:
    """Pair images with flow files.

    Two files are taken as they are. In two folders (searched through; both may be the same), an image and
    a flow file belong together when their paths below the folders agree up to the suffix, or up to a role such as
    `-img0`, `_flow`, `-gt` at the end (backward flow, `_flow_10`, is passed over); of several images of one name the
    first, in natural order, is frame t. The last image of a sequence has no flow, and that is no fault; a flow file
    without an image is.

    Args:
        images: folder of images, or one image.
        flows: folder of .flo, .pfm or 16-bit .png files, or one such file.

    Raises:
        UsageError: One is a folder and the other a file, or a folder cannot be read.
    """
    if images.is_dir() != flows.is_dir():
        raise UsageError(f"{printable(images)} and {printable(flows)}: give two folders, or an image and its flow file")
    if not images.is_dir():
        yield _entry(images, images, flows, 0, 1)
        return
    pictures = _by_key(images, IMAGE_SUFFIXES, flows=False)
    fields = _by_key(flows, frozenset(READERS), flows=True)
    for index, key in enumerate(sorted(fields, key=natural_key)):
        candidates, found = fields[key], pictures.get(key)
        if len(candidates) > 1:
            names = ", ".join(printable(path.name) for path in candidates)
            yield Rejection(
                printable(key), printable(candidates[0]), f"several flow files for one image: {names}", "pair"
            )
        elif not found:
            reason = f"no image of that name below {printable(images)}"
            yield Rejection(printable(key), printable(candidates[0]), reason, "pair")
        else:
            number = re.search(r"(\d{1,9})$", os.path.basename(key))
            # A second image of the same name is frame t + 1; its size is checked against the first.
            other = found[1] if len(found) > 1 else found[0]
            yield _entry(found[0], other, candidates[0], int(number[1]) if number else index, 1)


def _entry(image0: Path, image1: Path, flow: Path, frame: int, gap: int) -> ListEntry:
    return ListEntry(image0, image1, (flow,), str(image0.parent), frame, gap, printable(flow))


def _by_key(root: Path, suffixes: frozenset[str], *, flows: bool) -> dict[str, list[Path]]:
    """Files below `root` by their path below it, without suffix and role, in natural order."""
    found: dict[str, list[Path]] = {}
    for folder, folders, names in os.walk(root):
        folders.sort(key=natural_key)
        for name in sorted(names, key=natural_key):
            stem, suffix = os.path.splitext(name)
            if suffix.lower() not in suffixes or name.startswith("."):
                continue
            if flows and _BACKWARD.search(stem):
                continue
            path = Path(folder) / name
            if suffix.lower() == ".png" and _is_flow_png(path) != flows:
                continue
            # "frame.flo.png" and the like keep their inner suffix: it is part of the name.
            below = os.path.relpath(os.path.join(folder, _ROLE.sub("", stem)), root)
            found.setdefault(below, []).append(path)
    return found


def _is_flow_png(path: Path) -> bool:
    """Whether a PNG has 16 bits a channel and three channels, as KITTI's flow has and photographs have not."""
    try:
        with path.open("rb") as file:
            header = file.read(26)
    except OSError:
        return False
    return header[:8] == b"\x89PNG\r\n\x1a\n" and header[24:26] == b"\x10\x02"

"""What image files tell before a run, in seconds: are test images trained on, and are files cut short?"""

import filecmp
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_COMPARED = 100
_ENDS = 20_000
_DECODED = 200
_SHOWN = 3
_SO = "the figures tell how well these were learned, not how well others are recognised"
# The last bytes of a whole file, by its first ones. What follows an end (some cameras write more) is no fault of it:
# a file without one is decoded.
_FORMATS = {b"\xff\xd8": b"\xff\xd9", b"\x89P": b"IEND\xaeB`\x82"}
_TAIL = 64


def evenly(files: Sequence[Path], most: int) -> Sequence[Path]:
    """Choose at most so many of some files, evenly spread over their list."""
    if len(files) <= most:
        return files
    return [files[index * len(files) // most] for index in range(most)]


def shared_images(training: Sequence[Path], test: Sequence[Path]) -> str:
    """Say how many test images are trained on; empty where none was found.

    Found are files that both lists name, and copies under the same name (CLASS/0001.jpg in train/ and in val/), whose
    bytes are compared for at most a hundred of the test images. Copies under another name are not found: on a large
    data set that would mean to read all of it.

    Args:
        training: files that are trained on.
        test: files that are scored.
    """
    known = set(training)
    named_twice = [path for path in test if path in known]
    if named_twice:
        which = _some(named_twice)
        return f"{len(named_twice)} of the {len(test)} test images are training images too ({which}): {_SO}"
    namesakes: dict[str, list[Path]] = {}
    for path in training:
        namesakes.setdefault(path.name, []).append(path)
    compared = evenly([path for path in test if path.name in namesakes], _COMPARED)
    copies = [path for path in compared if any(_same_content(path, other) for other in namesakes[path.name])]
    if not copies:
        return ""
    which = f"{len(test)}" if len(compared) == len(test) else f"{len(compared)} (of {len(test)}) compared"
    return f"{len(copies)} of the {which} test images are copies of training images ({_some(copies)}): {_SO}"


def _some(files: Sequence[Path]) -> str:
    return ", ".join(path.name for path in files[:_SHOWN]) + (", ..." if len(files) > _SHOWN else "")


def _same_content(first: Path, second: Path) -> bool:
    try:
        return filecmp.cmp(first, second, shallow=False)
    except OSError:
        return False


@dataclass(frozen=True)
class ImageCheck:
    """What came of a look at image files.

    Attributes:
        ends: of how many the last bytes were read.
        decoded: how many were decoded whole.
        damaged: file and fault of those that cannot be read.
    """

    ends: int
    decoded: int
    damaged: tuple[str, ...]


def check_images(files: Sequence[Path]) -> ImageCheck:
    """Look for image files that are cut short or cannot be read.

    The last bytes of at most 20,000 files, evenly spread, tell whether a JPEG or PNG file has its end. Those without
    one, and a further spread sample, are decoded: at most 200 of each.

    Args:
        files: images.
    """
    looked_at = evenly(files, _ENDS)
    endless = [path for path in looked_at if not _has_its_end(path)]
    decoded = dict.fromkeys([*endless[:_DECODED], *evenly(files, _DECODED)])
    damaged = [f"{path} ({fault})" for path in decoded if (fault := _fault(path)) is not None]
    return ImageCheck(len(looked_at), len(decoded), tuple(damaged))


def _has_its_end(path: Path) -> bool:
    """Whether a JPEG or PNG file ends as its format says; True for other formats, which are not judged."""
    try:
        with path.open("rb") as file:
            end = _FORMATS.get(file.read(2))
            if end is None:
                return True
            file.seek(max(0, path.stat().st_size - _TAIL))
            return end in file.read()
    except OSError:
        return False


def _fault(path: Path) -> str | None:
    """Decode an image; says why that does not work."""
    from PIL import Image

    from ssl_motion.data.unreadable import UNREADABLE

    try:
        with Image.open(path) as picture:
            picture.load()
    except UNREADABLE as error:
        return str(error)
    return None

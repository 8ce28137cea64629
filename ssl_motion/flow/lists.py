"""The original CMP list files: which image goes with which flow.

One sample a line, no header, separated by white space: `image0 image1 flow_x flow_y` (two 8-bit grey images) or
`image0 image1 flow` (.flo, and here also KITTI .png and .pfm). Paths are relative to a root folder, by default the
working directory, as in the authors' code. Their format has no way to write a path with spaces; here tabs may
separate the columns instead, and then spaces belong to the paths.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ssl_motion.data.codec import decode_image
from ssl_motion.data.sample import FlowSample, UInt8Array
from ssl_motion.data.unreadable import UNREADABLE
from ssl_motion.errors import DataError, UsageError
from ssl_motion.flow.formats import READERS, read_bytes, read_flow, read_jpeg_pair
from ssl_motion.video.clip import printable


@dataclass(frozen=True)
class ListEntry:
    """One line of a list.

    Attributes:
        image0: frame t, to which the flow belongs.
        image1: the later frame.
        flow: one flow file, or the images of the x and the y component.
        clip: folder of `image0` as written: the frames of one clip lie in one folder.
        frame: number at the end of `image0`'s name, else the line's index.
        gap: distance of the numbers of the two frames, else 1.
        where: "LIST:LINE", for messages.
    """

    image0: Path
    image1: Path
    flow: tuple[Path, ...]
    clip: str
    frame: int
    gap: int
    where: str


def read_list(path: Path, root: Path = Path()) -> Iterator[ListEntry | DataError]:
    """Read a list line by line (it may have millions); blank lines are skipped, files are not touched yet.

    Args:
        path: the list file.
        root: folder that its relative paths start from.

    Yields:
        Each line's entry, or what is wrong with it (columns, kind of flow file; the line is named), so that one bad
        line does not end the reading.

    Raises:
        UsageError: There is no such list.
    """
    try:
        # surrogateescape keeps paths that are not UTF-8 as they are on disk.
        file = path.open(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise UsageError(f"cannot read list {printable(path)}: {error.strerror or error}") from error
    with file:
        for index, line in enumerate(file):
            if not line.strip():
                continue
            try:
                yield parse_line(line, root, index, f"{printable(path)}:{index + 1}")
            except DataError as error:
                yield error


def parse_line(line: str, root: Path, index: int, where: str) -> ListEntry:
    """Read one line of a list.

    Args:
        line: its text.
        root: folder that relative paths start from.
        index: of the line, from 0; the frame number where names hold none.
        where: "LIST:LINE", for messages.

    Raises:
        DataError: The number of columns is wrong, or the flow file is of an unknown kind.
    """
    columns = [column.strip() for column in line.rstrip("\r\n").split("\t") if column.strip()]
    if len(columns) not in (3, 4):
        columns = line.split()
    if len(columns) not in (3, 4):
        raise DataError(
            f"{where}: {len(columns)} columns; expected `image0 image1 flow_x flow_y` or `image0 image1 flow`. "
            "Where paths hold spaces, separate the columns by tabs."
        )
    if len(columns) == 3 and Path(columns[2]).suffix.lower() not in READERS:
        raise DataError(
            f"{where}: {columns[2]!r} is no known kind of flow file ({', '.join(READERS)}); two 8-bit images "
            "of flow take four columns"
        )
    image0, image1 = Path(columns[0]), Path(columns[1])
    first, second = _number(image0), _number(image1)
    gap = second - first if first is not None and second is not None and image0.parent == image1.parent else 1
    return ListEntry(
        image0=root / image0,
        image1=root / image1,
        flow=tuple(root / column for column in columns[2:]),
        clip=str(image0.parent),
        frame=index if first is None else first,
        gap=gap if gap > 0 else 1,
        where=where,
    )


def _number(path: Path) -> int | None:
    digits = re.search(r"(\d{1,9})$", path.stem)
    return int(digits[1]) if digits else None


def load_entry(entry: ListEntry) -> FlowSample:
    """Read the image and flow of a line; of the second image only the header is read, for its size.

    Raises:
        DataError: A file is missing or unreadable, or the sizes of images and flow differ; names the line.
    """
    try:
        image = _read_image(entry.image0)
        flow, valid = read_flow(entry.flow[0]) if len(entry.flow) == 1 else read_jpeg_pair(*entry.flow)
    except DataError as error:
        raise DataError(f"{entry.where}: {error}") from error
    sizes = {entry.image0: image.shape[:2], entry.image1: _image_size(entry), entry.flow[0]: flow.shape[:2]}
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{path} is {width} x {height}" for path, (height, width) in sizes.items())
        raise DataError(f"{entry.where}: images and flow must agree in size: {listed}")
    return FlowSample(image, flow, valid, entry.clip, entry.frame, entry.gap).checked()


def _read_image(path: Path) -> UInt8Array:
    data = read_bytes(path)
    try:
        return decode_image(data)
    except DataError as error:
        raise DataError(f"{path} is no readable image") from error


def _image_size(entry: ListEntry) -> tuple[int, int]:
    try:
        with Image.open(entry.image1) as image:
            return image.height, image.width
    except UNREADABLE as error:
        raise DataError(f"{entry.where}: cannot read {entry.image1}: {error}") from error

"""What pages share: style sheet, script, and the records packed for download."""

import base64
import gzip
import io
import json
import shutil
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from ssl_motion.data.unreadable import UNREADABLE
from ssl_motion.errors import DataError
from ssl_motion.record import ResultRecord
from ssl_motion_reports.page import template_file
from ssl_motion_reports.site.addresses import file_name

POLICY = (
    # "self" is not the same folder for pages opened as files in every browser; "file:" names no other host either.
    "default-src 'none'; img-src 'self' file: data:; style-src 'self' file:; script-src 'self' file:; "
    "base-uri 'none'; form-action 'none'"
)
ARCHIVE = "records/records.tar.xz"
_RECORDS_OF_A_PACK = 200


def write_assets(folder: Path) -> None:
    """Write the style sheet and the script."""
    write(folder / "assets" / "site.css", template_file("leaderboard.css") + template_file("site.css"))
    write(folder / "assets" / "site.js", template_file("leaderboard.js") + template_file("site.js"))


def write(path: Path, text: str) -> None:
    """Write a page or asset; the whole site is put into place at once, so this needs no care for readers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", errors="backslashreplace")


def record_text(record: ResultRecord, sources: Mapping[str, Path]) -> str:
    """The record's file as it lies on disk; where it lies nowhere, its content."""
    source = sources.get(record.identity)
    return source.read_text(encoding="utf-8") if source is not None else record.model_dump_json(indent=2)


def pack_records(records: Sequence[ResultRecord], sources: Mapping[str, Path], folder: Path) -> dict[str, str]:
    """Pack records for download: scripts that the button of a run's page loads, and one archive of all.

    A page opened as a file may load scripts but read no files; and packed together records take a tenth of their size.

    Returns:
        Identity -> address of its pack.
    """
    places: dict[str, str] = {}
    texts = [(record.identity, record_text(record, sources)) for record in records]
    for number, start in enumerate(range(0, len(texts), _RECORDS_OF_A_PACK)):
        part = texts[start : start + _RECORDS_OF_A_PACK]
        packed = base64.b64encode(gzip.compress(json.dumps(dict(part)).encode(), mtime=0)).decode()
        address = f"records/{number}.js"
        write(folder / address, f'"use strict";takePack("{packed}");\n')
        places |= {identity: address for identity, _ in part}
    with tarfile.open(folder / ARCHIVE, "w:xz", preset=1) as archive:
        for identity, text in texts:
            content = text.encode()
            member = tarfile.TarInfo(f"records/{file_name(identity)}.json")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return places


def copy_panel(source: Path, target: Path) -> tuple[int, int]:
    """Copy a panel as a WebP of the same size in pixels, which is a fraction as large on disk as the PNG.

    Returns:
        Width and height in pixels.

    Raises:
        DataError: It is no picture.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with _opened(source) as image:
        image.convert("RGB").save(target, "WEBP", quality=85)
        return image.size


def read_description(picture: Path) -> str:
    """Read what a PNG says of itself (its text "Description"); nothing where it says nothing.

    Raises:
        DataError: It is no picture.
    """
    with _opened(picture) as image:
        return str(getattr(image, "text", {}).get("Description", ""))


@contextmanager
def _opened(picture: Path) -> Iterator[Image.Image]:
    """Open a picture; whatever Pillow says of a damaged one becomes a DataError."""
    try:
        with Image.open(picture) as image:
            yield image
    except UNREADABLE as error:
        raise DataError(f"{picture}: not a picture: {error}") from error


def copy_drawing(source: Path, target: Path) -> tuple[int | None, int | None]:
    """Copy a drawing as it is.

    Returns:
        Width and height in pixels; None for an SVG, which has none.

    Raises:
        DataError: It cannot be read, or is no picture.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(source, target)
        if source.suffix == ".svg":
            return None, None
        with Image.open(target) as image:
            return image.size
    except UNREADABLE as error:
        raise DataError(f"{source}: not a picture: {error}") from error

"""The pictures of a studio: those of the folder that it was opened on, and those that were added in the browser.

A picture is named by where it is and its file's name, such as ("folder", "dog.jpg"): names are looked up in the
listing of a folder and never put together to paths, so that no name leads elsewhere.
"""

import asyncio
import os
import re
import unicodedata
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from ssl_motion.errors import RunError, UsageError
from ssl_motion.fileio import shortened
from ssl_motion.studio.pictures import MOST_BYTES, SUFFIXES, check_picture, read_picture
from ssl_motion.video.clip import natural_key
from ssl_motion.video.discover import list_images

FOLDER, ADDED = "folder", "added"
_PART = re.compile(r"\.[0-9a-f]{16}\.part")  # a file on its way
_LONGEST_NAME, _MOST_BYTES = 80, 200


class NotThere(UsageError):
    """A picture that does not exist, or that may not be served."""


@dataclass(frozen=True)
class Picture:
    """A picture that may be served.

    Attributes:
        origin: "folder" or "added".
        path: the file.
    """

    origin: str
    path: Path

    @property
    def key(self) -> str:
        """Name of the picture in the studio, such as "folder/dog.jpg"."""
        return f"{self.origin}/{self.path.name}"

    @property
    def version(self) -> str:
        """Changes when the file does."""
        facts = self.path.stat()
        return f"{facts.st_mtime_ns:x}-{facts.st_size:x}"


class Library:
    """The pictures that may be served.

    Args:
        folder: of the user's pictures; nothing is written there.
        added: where pictures go that are added in the browser; made when missing. It is this library's alone: what
            uploads of a process that was killed left there is removed.

    Raises:
        UsageError: There is no such folder.
    """

    def __init__(self, folder: Path, added: Path) -> None:
        if not folder.is_dir():
            raise UsageError(f"no such folder: {folder}. Name a folder of pictures, or none for the built-in world's.")
        added.mkdir(parents=True, exist_ok=True)
        for path in added.glob(".*.part"):
            if _PART.fullmatch(path.name):
                path.unlink()
        self.roots = {FOLDER: folder.resolve(), ADDED: added.resolve()}

    def pictures(self) -> list[Picture]:
        """List the pictures, those of the folder first, each group in the order that people expect of names."""
        return [
            Picture(origin, path)
            for origin, root in self.roots.items()
            for path in sorted(list_images(root), key=lambda path: _reading_key(path.name))
            if _is_served(path, root)
        ]

    def find(self, origin: str, name: str) -> Picture:
        """Find one picture.

        Raises:
            NotThere: There is none of that name, or it is no plain file of the folder itself (a link that leads out).
        """
        root = self.roots.get(origin)
        if root is not None:
            for path in list_images(root):
                if path.name == name and _is_served(path, root):
                    return Picture(origin, path)
        raise NotThere(f"no such picture: {origin}/{name}")

    async def add(self, name: str, chunks: AsyncIterator[bytes]) -> Picture:
        """Take in a picture, under its name or one like it that is free.

        Args:
            name: of the file on the user's machine; anything that is no letter, digit, space or one of `.-_()` goes.
            chunks: the file.

        Raises:
            UsageError: It is too large, no picture, damaged or cut off. Nothing is kept of it then.
            RunError: It cannot be written.
        """
        root = self.roots[ADDED]
        part = root / f".{token_hex(8)}.part"  # see _PART
        try:
            size = 0
            with part.open("xb") as file:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > MOST_BYTES:
                        raise UsageError(f"{name}: expected at most {MOST_BYTES // 2**20} MiB")
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            return Picture(ADDED, await asyncio.to_thread(_taken, part, name))
        except OSError as error:
            raise RunError(f"cannot keep {name} in {root}: {error.strerror or error}") from error
        finally:
            part.unlink(missing_ok=True)


def _reading_key(name: str) -> tuple[object, str]:
    """Sort key that counts numbers as such, and neither capitals nor accents: such as "Ähre 2", "ähre 10", "apple"."""
    letters = unicodedata.normalize("NFKD", name)
    return natural_key("".join(each for each in letters if not unicodedata.combining(each)).casefold()), name


def _is_served(path: Path, root: Path) -> bool:
    """Whether a file lies in the folder by itself: not a link out of it, a pipe or a device; and has a name of text."""
    try:
        path.name.encode("utf-8")  # other bytes can stand in no URL and no JSON
        return path.resolve(strict=True).is_relative_to(root) and path.is_file()
    except (OSError, RuntimeError, UnicodeEncodeError):  # a link to nowhere, or in circles
        return False


def _taken(part: Path, name: str) -> Path:
    """Look at every pixel of a file that has arrived, and give it its name."""
    try:
        kind = check_picture(part)
        read_picture(part)  # a file that is cut off is found now
    except UsageError as error:
        raise UsageError(str(error).replace(part.name, name)) from error
    return _moved(part, part.parent, *_safe_name(name, SUFFIXES[kind]))


def _safe_name(name: str, suffix: str) -> tuple[str, str]:
    """Turn any text into the stem and suffix of a file's name."""
    stem, given = os.path.splitext(unicodedata.normalize("NFC", name.replace("\\", "/").rsplit("/", 1)[-1]))
    stem = shortened(re.sub(r"[^\w .()-]", "", stem).strip(" .")[:_LONGEST_NAME], _MOST_BYTES) or "picture"
    alike = {".jpg": (".jpg", ".jpeg"), ".tif": (".tif", ".tiff"), ".ppm": (".ppm", ".pgm")}.get(suffix, (suffix,))
    return stem, given.lower() if given.lower() in alike else suffix


def _moved(part: Path, root: Path, stem: str, suffix: str) -> Path:
    """Give a file its name, without ever replacing another one."""
    number = 1
    while True:
        path = root / (f"{stem}{suffix}" if number == 1 else f"{stem} ({number}){suffix}")
        try:
            path.touch(exist_ok=False)
        except FileExistsError:
            number += 1
            continue
        os.replace(part, path)
        return path

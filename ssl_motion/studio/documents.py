"""What was done to each picture, on disk after every change: arrows, objects, key frames.

One JSON file a picture, written atomically, so that neither a browser nor a server that dies loses more than the
change that was being made.
"""

import hashlib
import json
import re
import threading
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, model_validator
from typing_extensions import Self

from ssl_motion.animation.script import MotionScript
from ssl_motion.data.sample import BoolArray
from ssl_motion.errors import DataError, RunError, UsageError
from ssl_motion.fileio import shortened, write_json
from ssl_motion.propagation.guidance import MOST_POINTS, Guidance, PointNumbers
from ssl_motion.propagation.photographs import MOST_PIXELS
from ssl_motion.spec import Strict
from ssl_motion.spec_text import parse_spec

Clicked = Annotated[list[PointNumbers], Field(max_length=MOST_POINTS // 2)]
"""Clicks on an object, or beside it: both together are points of one guidance."""


class Conflict(RunError):
    """The document was changed since it was read, by another tab."""


class Segmentation(Strict):
    """A mask as COCO's compressed run lengths.

    Attributes:
        size: height and width.
        counts: lengths of runs, column by column, 0 first.
    """

    size: tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]]
    counts: Annotated[str, Field(pattern=r"^[0-o]*$", max_length=1_000_000)]

    @model_validator(mode="after")
    def _of_a_picture(self) -> Self:
        height, width = self.size
        if height * width > MOST_PIXELS:
            raise ValueError(f"a mask of {width} x {height} pixels; expected at most {MOST_PIXELS}, as in a picture")
        return self

    def runs(self) -> list[int]:
        """Decode the lengths: 5 bits a character, the sixth says that more follow, differences to the last but one.

        pycocotools trusts lengths and writes beyond its memory where they are wrong; so they are read here.

        Raises:
            UsageError: They do not add up to the mask's size.
        """
        runs: list[int] = []
        value = shift = 0
        for character in self.counts.encode("ascii"):
            if shift > 60:
                break
            bits = character - 48
            value |= (bits & 31) << shift
            shift += 5
            if bits & 32:
                continue
            if bits & 16:
                value -= 1 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
        if shift or any(run < 0 for run in runs) or sum(runs) != self.size[0] * self.size[1]:
            raise UsageError(f"the run lengths of a mask do not add up to {self.size[1]} x {self.size[0]} pixels")
        return runs

    def mask(self) -> BoolArray:
        """Decode the mask: bool [H, W].

        Raises:
            UsageError: The run lengths do not add up to its size.
        """
        runs = self.runs()
        flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
        return np.ascontiguousarray(flat.reshape(self.size[1], self.size[0]).T)


class ObjectNotes(Strict):
    """An object: what it is called, where was clicked, what came of it.

    Attributes:
        label: name of its class.
        positive: clicks on it, (x, y) each.
        negative: clicks beside it.
        segmentation: the mask that the model made of the clicks; kept, so that it stays when the model changes.
    """

    label: Annotated[str, Field(min_length=1, max_length=100)]
    positive: Clicked = []
    negative: Clicked = []
    segmentation: Segmentation | None = None


class Document(Strict):
    """All that was done to a picture.

    Attributes:
        revision: counts the changes.
        guidance: its arrows and still points.
        objects: that were annotated.
        script: of its animation.
    """

    revision: Annotated[int, Field(ge=0)] = 0
    guidance: Guidance = Guidance()
    objects: Annotated[list[ObjectNotes], Field(max_length=1000)] = []
    script: MotionScript | None = None

    def check_masks(self, size: tuple[int, int]) -> None:
        """Check that every mask is one of a picture of (height, width).

        Raises:
            UsageError: One is of another size, or its run lengths do not add up.
        """
        for each in self.objects:
            if each.segmentation is None:
                continue
            if each.segmentation.size != size:
                height, width = each.segmentation.size
                raise UsageError(f"a mask of {width} x {height} pixels for a picture of {size[1]} x {size[0]}")
            each.segmentation.runs()


class DocumentStore:
    """The documents of a session.

    Args:
        folder: where they lie; made when missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(
                f"cannot make the folder {folder}: {error.strerror or error}. Name another: --session"
            ) from error

    def read(self, key: str) -> Document:
        """Read what was done to a picture; an empty document where nothing was.

        Raises:
            DataError: The file is damaged; it is named.
        """
        path = self._path(key)
        if not path.exists():
            return Document()
        try:
            content: Any = json.loads(path.read_text(encoding="utf-8"))
            return parse_spec(Document, content["document"], str(path))
        except (OSError, ValueError, KeyError, TypeError, RecursionError, UsageError) as error:
            raise DataError(f"{path} is damaged: {error}. Move it away to begin this picture anew.") from error

    def write(self, key: str, document: Document) -> Document:
        """Keep a document.

        Args:
            key: of the picture.
            document: what was read, with changes.

        Returns:
            The document with its new revision.

        Raises:
            Conflict: Somebody else wrote it since.
            RunError: It cannot be written; what was there stays.
        """
        with self._lock:
            known = self.read(key)
            if known.revision != document.revision:
                if known.model_copy(update={"revision": document.revision}) == document:
                    return known  # sent again, after the answer was lost
                raise Conflict("this picture was changed in another tab: reload to see it, or send again to replace it")
            kept = document.model_copy(update={"revision": document.revision + 1})
            write_json(self._path(key), {"picture": key, "document": kept.model_dump(mode="json")})
            return kept

    def _path(self, key: str) -> Path:
        """A file's name for any key: readable, and no two keys share one."""
        # The rest of the name, and what stands around it while the file is written, take 39 of a name's 255 bytes.
        readable = shortened(re.sub(r"[^\w.-]", "_", key.rsplit("/", 1)[-1])[:60], 216)
        return self.folder / f"{readable}-{hashlib.sha256(key.encode()).hexdigest()[:12]}.json"

"""What the layouts share: chunks, boxes of actors, crops, names and pictures of labels."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
from PIL import Image

from ssl_motion.fileio import write_atomically
from ssl_motion.puppets.labels import PERSON, voc_colours
from ssl_motion.puppets.scene import Scene, Stream

Layout = Literal["shards", "voc", "coco", "voc07", "imagefolder", "lip", "cihp"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
SPLITS = ("train", "val", "test")
CROP_AREA = 0.02
"""Actors of which less is seen (as a share of the frame's area) get no crop of their own."""

CROP_SHARE = 0.6
"""Nor those of which a crop would show less than this share of all actors' pixels: it must be plain who is meant."""

CROP_MARGIN = 0.08
"""What a crop shows around the actor, as a share of the longer side of its box."""


@dataclass(frozen=True)
class Chunk:
    """A part of a layout that is written at one go.

    Attributes:
        layout: where it belongs.
        stream: what is rendered.
        number: position among the stream's chunks.
        begin: first index.
        end: index after the last.
    """

    layout: Layout
    stream: Stream
    number: int
    begin: int
    end: int

    @property
    def name(self) -> str:
        """Name that is unique in the data set."""
        return f"{self.layout}-{self.stream}-{self.number:06d}"


@dataclass(frozen=True)
class Box:
    """A visible actor: its number in the scene, its class, its area in pixels and its bounds (ends included)."""

    instance: int
    label: int
    area: int
    left: int
    top: int
    right: int
    bottom: int


def boxes(scene: Scene) -> list[Box]:
    """Bounds and areas of the actors that are seen, by instance."""
    found = []
    for instance in np.unique(scene.instances)[1:] if scene.instances.min() == 0 else np.unique(scene.instances):
        rows, columns = np.nonzero(scene.instances == instance)
        label = int(scene.semantic[rows[0], columns[0]])
        bounds = (columns.min(), rows.min(), columns.max(), rows.max())
        found.append(Box(int(instance), label, rows.size, *(int(bound) for bound in bounds)))
    return found


def crops(scene: Scene) -> Iterator[tuple[Box, tuple[slice, slice]]]:
    """Cut out the actors that are plain to see (`CROP_AREA`, `CROP_SHARE`): each with its rows and columns."""
    height, width = scene.sample.size
    for box in boxes(scene):
        margin = round(CROP_MARGIN * max(box.right - box.left + 1, box.bottom - box.top + 1))
        rows = slice(max(0, box.top - margin), min(height, box.bottom + 1 + margin))
        columns = slice(max(0, box.left - margin), min(width, box.right + 1 + margin))
        actors = int((scene.instances[rows, columns] > 0).sum())
        if box.area >= max(CROP_AREA * height * width, CROP_SHARE * actors):
            yield box, (rows, columns)


def person_parts(scene: Scene) -> npt.NDArray[np.uint8]:
    """The parts of persons alone, uint8 [H, W]: LIP's labels, 0 elsewhere."""
    parts: npt.NDArray[np.uint8] = np.where(scene.semantic == PERSON, scene.parts, 0).astype(np.uint8)
    return parts


def image_name(stream: Stream, index: int) -> str:
    """Name of a scene's files, without suffix."""
    return f"{split_of(stream)}_{index:06d}"


def split_of(stream: Stream) -> str:
    """Name of the split that a stream fills."""
    return stream.removeprefix("people_")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a small file."""
    write_atomically(path, lambda file: file.write(content))


def palette_png(labels: npt.NDArray[Any]) -> bytes:
    """Encode a label map [H, W] (0 to 255) as an 8-bit PNG with VOC's palette."""
    picture = Image.fromarray(labels.astype(np.uint8))
    picture.putpalette(voc_colours(256).tobytes())
    return _png(picture)


def plain_png(labels: npt.NDArray[Any]) -> bytes:
    """Encode a label map [H, W] (0 to 255) as an 8-bit grey PNG, as LIP and CIHP store theirs."""
    return _png(Image.fromarray(labels.astype(np.uint8)))


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()

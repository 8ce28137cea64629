"""What can be taken home: flow and masks of a picture as ZIP, all objects of a session as COCO's json."""

import io
import re
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ssl_motion.annotation.export import AnnotatedImage, coco_document
from ssl_motion.data.sample import BoolArray
from ssl_motion.errors import UsageError
from ssl_motion.fileio import shortened, write_json
from ssl_motion.propagation.outputs import write_png, write_propagation
from ssl_motion.studio.desk import Desk
from ssl_motion.studio.documents import Document, DocumentStore, Segmentation
from ssl_motion.studio.library import Library, Picture


@dataclass(frozen=True)
class _Kept:
    """An object as documents have it: many masks of a large picture would not fit into memory at once."""

    label: str
    segmentation: Segmentation

    @property
    def mask(self) -> BoolArray:
        return self.segmentation.mask()


def flow_archive(desk: Desk, picture: Picture, document: Document) -> bytes:
    """Pack the flow of a picture's arrows: the files of `ssl-bench propagate`, and the guidance for it.

    Raises:
        UsageError: Nothing was drawn.
    """
    guidance = document.guidance
    if not guidance.arrows and not guidance.stills:
        raise UsageError(f"{picture.path.name}: nothing was drawn: draw an arrow first")
    image, flow = desk.with_seen(picture, lambda pixels, seen: (pixels, seen.flow([guidance])[0]))
    with tempfile.TemporaryDirectory(prefix="ssl-motion-") as folder:
        write_propagation(Path(folder), image, guidance, flow)
        write_json(Path(folder) / "guidance.json", guidance.model_dump(mode="json"))
        return _zip(Path(folder))


def mask_archive(picture: Picture, document: Document) -> bytes:
    """Pack a picture's masks: a PNG an object (255 on it, 0 beside it), and COCO's json of all.

    Raises:
        UsageError: No object has a mask.
    """
    image = _annotated(picture, document)
    if image is None:
        raise UsageError(f"{picture.path.name}: no object has a mask yet: click on one")
    with tempfile.TemporaryDirectory(prefix="ssl-motion-") as folder:
        for number, each in enumerate(image.objects, start=1):
            label = shortened(re.sub(r"[^\w-]", "_", each.label), 200)
            write_png(Path(folder) / f"{number:03d}_{label}.png", each.mask.astype(np.uint8) * np.uint8(255))
        write_json(Path(folder) / "annotation.json", coco_document([image]))
        return _zip(Path(folder))


def session_coco(library: Library, documents: DocumentStore) -> dict[str, object]:
    """Put all objects of all pictures into COCO's form; pictures without any are left out.

    Raises:
        UsageError: No picture has an object with a mask, or two pictures of one name have (one of the folder, one that
            was added).
        DataError: A document is damaged.
    """
    images = _all(library.pictures(), documents)
    if not images:
        raise UsageError("no picture has an object with a mask yet")
    names = [image.file_name for image in images]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"two pictures are called {twice[0]}: rename the one in the folder or the one that was added")
    return coco_document(images)


def _all(pictures: Iterable[Picture], documents: DocumentStore) -> list[AnnotatedImage]:
    found = (_annotated(picture, documents.read(picture.key)) for picture in pictures)
    return [image for image in found if image is not None]


def _annotated(picture: Picture, document: Document) -> AnnotatedImage | None:
    objects = [_Kept(each.label, each.segmentation) for each in document.objects if each.segmentation is not None]
    if not objects:
        return None
    return AnnotatedImage(picture.path.name, objects[0].segmentation.size, objects)


def _zip(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, path.name)
    return buffer.getvalue()

"""The files of one annotation: a mask for programs, COCO's json for tools, pictures for people."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ssl_motion.annotation.drawing import draw_annotation
from ssl_motion.annotation.export import AnnotatedImage, AnnotatedObject, coco_document
from ssl_motion.annotation.procedure import Annotation, Point
from ssl_motion.data.sample import UInt8Array
from ssl_motion.fileio import write_json
from ssl_motion.propagation.outputs import write_png

ANNOTATION_FILES = {"mask": "mask.png", "score": "score.png", "coco": "annotation.json", "overlay": "overlay.png"}
"""Names of the files of `write_annotation`, by what they are."""


def write_annotation(
    folder: Path,
    image_name: str,
    image: UInt8Array,
    found: Annotation,
    clicks: tuple[Sequence[Point], Sequence[Point]],
    label: str,
) -> dict[str, Path]:
    """Write what the clicks say.

    Args:
        folder: made when missing; files of before are overwritten.
        image_name: name of the image's file, for COCO's json.
        image: uint8 [H, W, 3] RGB.
        found: the annotation of it.
        clicks: positive and negative ones.
        label: what the object is called.

    Returns:
        The files: "mask" (255 on the object, 0 beside it), "score" (0 to 255), "coco" (json with run lengths),
        "overlay" (mask and clicks over the image).

    Raises:
        RunError: A file cannot be written.
    """
    files = {what: folder / name for what, name in ANNOTATION_FILES.items()}
    size = (image.shape[0], image.shape[1])
    write_png(files["mask"], found.mask.astype(np.uint8) * np.uint8(255))
    write_png(files["score"], np.rint(found.score * 255).astype(np.uint8))
    write_json(files["coco"], coco_document([AnnotatedImage(image_name, size, [AnnotatedObject(label, found.mask)])]))
    write_png(files["overlay"], draw_annotation(image, found.mask, *clicks))
    return files

"""One folder a class, as torchvision's `ImageFolder` reads them: SPLIT/CLASS/NAME.jpg, one actor in each picture."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ssl_motion.data.codec import encode_image
from ssl_motion.fileio import write_text
from ssl_motion.puppets.labels import CLASSES
from ssl_motion.puppets.layouts_common import crops, image_name, split_of, write_bytes
from ssl_motion.puppets.scene import Scene, Stream

ROOT = "imagefolder"


def write_actors(folder: Path, stream: Stream, index: int, scene: Scene) -> list[str]:
    """Write a picture of each actor that is plain to see; returns their paths below the layout's folder."""
    written = []
    for box, place in crops(scene):
        path = f"{split_of(stream)}/{CLASSES[box.label]}/{image_name(stream, index)}_{box.instance}.jpg"
        write_bytes(folder / ROOT / path, encode_image(np.ascontiguousarray(scene.sample.image[place])))
        written.append(path)
    return written


def class_lists(folder: Path) -> list[Path]:
    """Index file: classes.txt, the names in the order in which `ImageFolder` numbers them."""
    return [folder / ROOT / "classes.txt"]


def finish_actors(folder: Path, images: Mapping[str, list[list[str]]]) -> None:
    """Write the list of classes, and a folder of every class in every split that has images."""
    names = sorted(CLASSES[1:])
    for split in images:
        for name in names:
            (folder / ROOT / split / name).mkdir(parents=True, exist_ok=True)
    for path in class_lists(folder):
        write_text(path, "".join(f"{name}\n" for name in names))

"""Human parsing: LIP (one person a picture) and CIHP (whole scenes), both of scenes in which every actor is a person.

LIP's pictures are cut out around each person who is plain to see; others who reach into the picture are background.
Labels are LIP's 20, left and right being the person's own.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ssl_motion.data.codec import encode_image
from ssl_motion.fileio import write_text
from ssl_motion.puppets.layouts_common import SPLITS, crops, image_name, person_parts, plain_png, split_of, write_bytes
from ssl_motion.puppets.scene import Scene, Stream

LIP_FOLDER, CIHP_FOLDER = "LIP", "CIHP"


def write_lip(folder: Path, stream: Stream, index: int, scene: Scene) -> list[str]:
    """Write SPLIT_images/SCENE_PERSON.jpg and SPLIT_segmentations/SCENE_PERSON.png; returns the names."""
    root, split, names, parts = folder / LIP_FOLDER, split_of(stream), [], person_parts(scene)
    for box, place in crops(scene):
        name = f"{image_name(stream, index)}_{box.instance}"
        own = np.where(scene.instances[place] == box.instance, parts[place], 0)
        write_bytes(
            root / f"{split}_images" / f"{name}.jpg", encode_image(np.ascontiguousarray(scene.sample.image[place]))
        )
        write_bytes(root / f"{split}_segmentations" / f"{name}.png", plain_png(own))
        names.append(name)
    return names


def lip_lists(folder: Path) -> list[Path]:
    """Index files: SPLIT_id.txt."""
    return [folder / LIP_FOLDER / f"{split}_id.txt" for split in SPLITS]


def finish_lip(folder: Path, images: Mapping[str, list[list[str]]]) -> None:
    """Write the lists of names."""
    for path, split in zip(lip_lists(folder), SPLITS, strict=True):
        write_text(path, "".join(f"{name}\n" for names in images.get(split, []) for name in names))


def write_cihp(folder: Path, stream: Stream, index: int, scene: Scene) -> str:
    """Write images/, labels/ (parts) and human_ids/ (which person, from 1); returns the scene's name."""
    root, name = folder / CIHP_FOLDER, image_name(stream, index)
    write_bytes(root / "images" / f"{name}.jpg", encode_image(scene.sample.image))
    write_bytes(root / "labels" / f"{name}.png", plain_png(person_parts(scene)))
    write_bytes(root / "human_ids" / f"{name}.png", plain_png(scene.instances))
    return name


def cihp_lists(folder: Path) -> list[Path]:
    """Index files: list/SPLIT_id.txt (names) and list/SPLIT.txt (paths of image and labels)."""
    return [folder / CIHP_FOLDER / "list" / f"{split}{end}.txt" for end in ("_id", "") for split in SPLITS]


def finish_cihp(folder: Path, images: Mapping[str, list[str]]) -> None:
    """Write the lists of names and of paths."""
    for path in cihp_lists(folder):
        names = images.get(path.stem.removesuffix("_id"), [])
        line = "{0}\n" if path.stem.endswith("_id") else "/images/{0}.jpg /labels/{0}.png\n"
        write_text(path, "".join(line.format(name) for name in names))

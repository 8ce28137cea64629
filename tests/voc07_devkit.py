"""A tiny PASCAL VOC 2007 devkit of coloured squares, for tests that need the layout and what can be learned from it."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ssl_motion_benchmarks.voc07.devkit import CLASSES

SIDE = 24  # px of a square


def make_voc07(
    root: Path,
    counts: tuple[int, int, int] = (20, 20, 20),
    classes: Sequence[str] = CLASSES,
    size: tuple[int, int] = (72, 96),
) -> Path:
    """Write `root/VOCdevkit/VOC2007` with so many images in train, val and test. Returns `root`.

    Every image has two squares of two classes, side by side; every fifth has a third one that is difficult. Image i
    holds class i mod K, so that K images hold every class.
    """
    rng = np.random.default_rng(5)
    voc = root / "VOCdevkit" / "VOC2007"
    for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (voc / folder).mkdir(parents=True, exist_ok=True)
    known: dict[str, dict[str, dict[str, int]]] = {}
    for split, count in zip(("train", "val", "test"), counts, strict=True):
        for index in range(count):
            name = f"{split}_{index:03d}"
            chosen = [index % len(classes), (index + 1 + index % 3) % len(classes)]
            chosen += [(index + 5) % len(classes)] if index % 5 == 4 else []
            known.setdefault(split, {})[name] = _write_image(voc, name, chosen, classes, size, rng)
    known["trainval"] = {**known["train"], **known["val"]}
    for split, images in known.items():
        lists = {
            f"{label}_{split}": [f"{name} {each.get(label, -1):2d}" for name, each in images.items()]
            for label in classes
        }
        lists[split] = list(images)
        for stem, lines in lists.items():
            (voc / "ImageSets" / "Main" / f"{stem}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def _write_image(
    voc: Path, name: str, chosen: list[int], classes: Sequence[str], size: tuple[int, int], rng: np.random.Generator
) -> dict[str, int]:
    height, width = size
    image = rng.integers(90, 130, (height, width, 3), dtype=np.uint8)
    things, present = [], {}
    for place, kind in enumerate(chosen):
        left = place * width // 3 + int(rng.integers(width // 3 - SIDE + 1))
        top = int(rng.integers(height - SIDE + 1))
        colour = (37 * kind % 256, 255 - 53 * kind % 256, 11 * kind % 256)
        cv2.rectangle(image, (left, top), (left + SIDE - 1, top + SIDE - 1), colour, -1)
        difficult = int(place == 2)
        box = (left + 1, top + 1, left + SIDE, top + SIDE)
        sides = "".join(
            f"<{side}>{value}</{side}>" for side, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
        )
        things.append(
            f"<object><name>{classes[kind]}</name><difficult>{difficult}</difficult><bndbox>{sides}</bndbox></object>"
        )
        present[classes[kind]] = max(present.get(classes[kind], 0), 1 - difficult)
    (voc / "JPEGImages" / f"{name}.jpg").write_bytes(cv2.imencode(".jpg", image)[1].tobytes())
    pixels = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
    text = f"<annotation><filename>{name}.jpg</filename>{pixels}{''.join(things)}</annotation>"
    (voc / "Annotations" / f"{name}.xml").write_text(text, encoding="utf-8")
    return present

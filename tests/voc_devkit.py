"""A tiny PASCAL VOC devkit of coloured squares, for tests that need the layout and labels that can be learned."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image


def make_devkit(root: Path, train: int = 12, val: int = 5, size: tuple[int, int] = (64, 80)) -> Path:
    """Write `root/VOCdevkit/VOC2012`; classes 0-6, label borders 255. Returns `root`."""
    rng = np.random.default_rng(3)
    voc = root / "VOCdevkit" / "VOC2012"
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (voc / folder).mkdir(parents=True, exist_ok=True)
    height, width = size
    for split, count in (("train", train), ("val", val)):
        names = [f"{split}_{index:03d}" for index in range(count)]
        for name in names:
            image = rng.integers(80, 120, (height, width, 3), dtype=np.uint8)
            label = np.zeros((height, width), dtype=np.uint8)
            kind = int(rng.integers(1, 7))
            y, x = int(rng.integers(0, height - 30)), int(rng.integers(0, width - 30))
            label[y : y + 30, x : x + 30] = 255
            label[y + 2 : y + 28, x + 2 : x + 28] = kind
            image[y : y + 30, x : x + 30] = (37 * kind % 256, 255 - 37 * kind % 256, 90 + 20 * kind)
            encoded = cv2.imencode(".jpg", image)[1]
            (voc / "JPEGImages" / f"{name}.jpg").write_bytes(encoded.tobytes())
            picture = Image.fromarray(label)
            picture.putpalette([value % 256 for value in range(768)])
            picture.save(voc / "SegmentationClass" / f"{name}.png")
        (voc / "ImageSets" / "Segmentation" / f"{split}.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    return root

"""The images of a figure, with their flow where it is known: files, pairs of `ssl-bench prepare`, or Puppets."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ssl_motion.data.augment import resize
from ssl_motion.data.sample import FlowSample
from ssl_motion.data.shard_index import Split
from ssl_motion.data.shard_pairs import ShardPairs
from ssl_motion.data.shards import ShardSet
from ssl_motion.errors import UsageError
from ssl_motion.frozen.views import View
from ssl_motion.propagation.photographs import read_photograph
from ssl_motion.puppets import render
from ssl_motion.spec import PuppetsSpec
from ssl_motion.spec_text import parse_spec
from ssl_motion.video.clip import IMAGE_SUFFIXES
from ssl_motion.video.discover import list_images

LARGEST_SIDE = 384
"""Shorter side, in pixels, that larger images are brought to, where nothing says another."""


@dataclass(frozen=True)
class Shown:
    """An image as the networks see it.

    Attributes:
        name: for captions.
        sample: the image; its flow is valid nowhere, where it is not known.
        original: (height, width) of the image before it was resized: what pixels that people name are counted in.
    """

    name: str
    sample: FlowSample
    original: tuple[int, int]

    def inside(self, point: tuple[float, float]) -> tuple[float, float]:
        """Bring a pixel (x, y) of the original image to the resized one; (0, 0) is the centre of the first pixel."""
        return _scaled(point, self.original, self.sample.size)

    def outside(self, point: tuple[float, float]) -> tuple[float, float]:
        """Bring a pixel (x, y) of the resized image to the original one."""
        return _scaled(point, self.sample.size, self.original)


def _scaled(point: tuple[float, float], old: tuple[int, int], new: tuple[int, int]) -> tuple[float, float]:
    return (point[0] + 0.5) * new[1] / old[1] - 0.5, (point[1] + 0.5) * new[0] / old[0] - 0.5


def from_files(paths: Sequence[Path], count: int, side: int | None) -> list[Shown]:
    """Read image files.

    Args:
        paths: files, and folders of files, which are taken in the natural order of their names.
        count: how many to take of all.
        side: pixels that the shorter side is brought to; None for at most `LARGEST_SIDE`.

    Raises:
        UsageError: There is no such file or folder, a folder holds no image, or a file cannot be read as one.
    """
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise UsageError(f"--images {path}: no such file or folder")
        inner = list_images(path) if path.is_dir() else [path]
        if not inner:
            raise UsageError(f"--images {path}: holds no image ({', '.join(sorted(IMAGE_SUFFIXES))})")
        files += inner
    return [_resized(path.name, _still(path), side) for path in files[:count]]


def _still(path: Path) -> FlowSample:
    image = read_photograph(path)
    size = image.shape[:2]
    return FlowSample(image, np.zeros((*size, 2), np.float32), np.zeros(size, np.bool_), path.name, 0, 1)


def from_pairs(folder: Path, count: int, side: int | None) -> list[Shown]:
    """Read pairs of a data set of `ssl-bench prepare`, spread evenly over it: held-out ones, where there are any.

    Args:
        folder: of the data set.
        count: how many.
        side: as in `from_files`.

    Raises:
        UsageError: It is no finished data set.
        DataError: A shard is damaged.
    """
    split: Split = "val" if ShardSet(folder).count("val") else "train"
    pairs = ShardPairs([folder], split, max_pairs=count)
    return [_resized(f"{pair.clip}, frame {pair.frame}", pair, side) for pair in pairs[:]]


def of_puppets(spec: PuppetsSpec, count: int, side: int | None) -> list[Shown]:
    """Render the first held-out pairs of the built-in world.

    Args:
        spec: which world.
        count: how many.
        side: of the images; None for that of the world.

    Raises:
        UsageError: The world cannot be rendered at that size.
    """
    world = parse_spec(PuppetsSpec, {**spec.model_dump(), "size": side or spec.size}, "the built-in world")
    scenes = [render(world, "val_pairs", index) for index in range(count)]
    return [
        Shown(f"Puppets {world.world}, {index}", scene.sample, scene.sample.size) for index, scene in enumerate(scenes)
    ]


def _resized(name: str, sample: FlowSample, side: int | None) -> Shown:
    short = side or min(LARGEST_SIDE, *sample.size)
    height, width = View(short_side=short).scaled(*sample.size)
    original = sample.size
    return Shown(name, sample if (height, width) == original else resize(sample, height, width), original)

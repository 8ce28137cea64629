"""A studio on flat pictures, with a model whose answers are known (read with `runpy`)."""

import runpy
from pathlib import Path

import numpy as np
from PIL import Image

from ssl_motion.studio.app import Studio
from ssl_motion.studio.desk import Desk
from ssl_motion.studio.documents import DocumentStore
from ssl_motion.studio.library import Library

planted = runpy.run_path(str(Path(__file__).parent / "planted_motion.py"))["planted"]

GROUND, RED, BLUE = (200, 200, 200), (220, 30, 30), (30, 60, 220)
RED_BOX = (slice(16, 40), slice(24, 56))  # rows and columns of the red object
BLUE_BOX = (slice(44, 60), slice(64, 88))
HEIGHT, WIDTH = 64, 96  # multiples of the network's stride: it sees the very pixels
TOKEN, HOST = "a-token-that-is-known", "127.0.0.1:8765"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def flat_picture() -> "np.ndarray":
    picture = np.full((HEIGHT, WIDTH, 3), GROUND, np.uint8)
    picture[RED_BOX] = RED
    picture[BLUE_BOX] = BLUE
    return picture


def make_folder(folder: Path, names: tuple[str, ...] = ("one.png", "two.png")) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        Image.fromarray(np.roll(flat_picture(), 2 * number, axis=0)).save(folder / name)
    return folder


def make_studio(folder: Path, session: Path) -> Studio:
    desk = Desk(planted(HEIGHT))
    return Studio(Library(folder, session / "added"), DocumentStore(session / "documents"), desk, "planted")

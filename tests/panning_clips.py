"""Small clips and images with planted motion, for tests of preparing data sets (read with `runpy`)."""

import hashlib
import json
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from PIL import Image

from ssl_motion.prepare import PrepareSpec
from ssl_motion.spec_text import parse_spec


def texture(seed: int, height: int = 200, width: int = 300) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (height // 4, width // 4, 3), dtype=np.uint8)
    return cv2.GaussianBlur(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC), (0, 0), 2)


def panning_video(path: Path, frames: int = 13, seed: int = 0, step: tuple[int, int] = (4, -2)) -> Path:
    """A 160 x 96 window over a texture: everything in it moves by `step` = (right, down) pixels a frame."""
    big = texture(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format="matroska") as file:
        stream = file.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        stream.options = {"crf": "12", "preset": "ultrafast"}
        for number in range(frames):
            left, top = 70 - step[0] * number, 50 - step[1] * number
            window = np.ascontiguousarray(big[top % 100 :][:96, left % 140 :][:, :160])
            file.mux(stream.encode(av.VideoFrame.from_ndarray(window, format="rgb24")))
        file.mux(stream.encode())
    return path


def small(**content: Any) -> PrepareSpec:
    return parse_spec(PrepareSpec, {"pairs": {"gap": 2}, "val_fraction": 0.3, "pairs_per_shard": 5, **content}, "test")


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.tar"))}


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_pair(folder: Path, number: int, size: tuple[int, int] = (60, 80)) -> tuple[Path, np.ndarray]:
    folder.mkdir(parents=True, exist_ok=True)
    for offset in (0, 1):
        image = texture(number, 120, 160)[: size[0], offset : offset + size[1]]
        Image.fromarray(image).save(folder / f"{number + offset:04d}.jpg", quality=95)
    flow = np.full((*size, 2), (-1.5 - number, 2.0), np.float32)
    return folder / f"{number:04d}.jpg", flow

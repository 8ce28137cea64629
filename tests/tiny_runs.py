"""Runs of the small method of `tiny_plugin` on drawn shapes, for tests of the engine (read with `runpy`)."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from ssl_motion.data.sample import FlowSample
from ssl_motion.data.shards import shard_name, write_dataset_index, write_shard
from ssl_motion.spec import PretrainSpec
from ssl_motion.spec_text import parse_spec
from ssl_motion.store import RunFolder


def moving_shape(number: int, size: int) -> FlowSample:
    """An ellipse whose colour tells its motion, on a still background."""
    rng = np.random.default_rng([11, number])
    image = np.full((size, size, 3), 90, np.uint8)
    flow = np.zeros((size, size, 2), np.float32)
    mask = np.zeros((size, size), np.uint8)
    center = (int(rng.integers(10, size - 10)), int(rng.integers(10, size - 10)))
    cv2.ellipse(mask, center, (9, 6), float(rng.uniform(0, 180)), 0, 360, 1, -1)
    motion = rng.uniform(-4, 4, 2)
    flow[mask > 0] = motion
    image[mask > 0] = (128 + 30 * motion[0], 128 + 30 * motion[1], 0)
    return FlowSample(image, flow, np.ones((size, size), bool), f"clip{number // 2}", number % 2, 1)


def write_pairs(folder: Path, train: int = 24, val: int = 7, size: int = 32) -> Path:
    write_shard(folder / shard_name("train", 0), (moving_shape(i, size) for i in range(train)))
    if val:
        write_shard(folder / shard_name("val", 0), (moving_shape(1000 + i, size) for i in range(val)))
    write_dataset_index(
        folder, name="shapes", flow_estimator="exact", flow_version="1", flow_supervision="none", extra={}
    )
    return folder


def tiny_spec(pairs: Path, **changes: Any) -> PretrainSpec:
    content: dict[str, Any] = {
        "method": "tiny",
        "backbone": {"arch": "alexnet_mini", "width": 6},
        "data": {"shards": [str(pairs)]},
        "optimizer": {"type": "adamw", "lr": 0.01},
        "schedule": {"type": "onecycle"},
        "iterations": 8,
        "batch_size": 4,
        "checkpoint_every": 3,
    }
    return parse_spec(PretrainSpec, {**content, **changes}, "test")


def weights(folder: RunFolder) -> dict[str, torch.Tensor]:
    state = torch.load(folder.path / "checkpoints" / "last.pth", weights_only=True)["state_dict"]
    return {key: value for key, value in state.items() if "num_batches" not in key}


def log(folder: RunFolder) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder.path / "log.jsonl").read_text().splitlines()]


def same_weights(a: RunFolder, b: RunFolder, tolerance: float = 0.0) -> bool:
    first, second = weights(a), weights(b)
    return first.keys() == second.keys() and all(
        torch.allclose(first[key], second[key], rtol=tolerance, atol=tolerance) for key in first
    )

"""What the engine adds to a training step: the loop, hooks, log and progress beside a bare PyTorch loop."""

import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from ssl_motion.backbones import build_backbone
from ssl_motion.data.loader import PairDataset, training_loader
from ssl_motion.data.sample import FlowSample
from ssl_motion.data.shard_pairs import ShardPairs
from ssl_motion.data.shards import shard_name, write_dataset_index, write_shard
from ssl_motion.engine.adapter import Normaliser, total_loss
from ssl_motion.engine.optim import build_optimizer
from ssl_motion.engine.pretrain import pretrain
from ssl_motion.paths import find_config
from ssl_motion.plugins import METHODS, load
from ssl_motion.spec import PretrainSpec, RuntimeSpec
from ssl_motion.spec_text import apply_overrides, load_yaml, parse_spec
from ssl_motion.store import Store

pytestmark = pytest.mark.perf
STEPS = 24


def scenes() -> Iterator[FlowSample]:
    rng = np.random.default_rng(0)
    for number in range(64):
        flow = np.zeros((96, 96, 2), np.float32)
        flow[20:60, 30:70] = rng.uniform(-5, 5, 2)
        image = rng.integers(0, 256, (96, 96, 3), dtype=np.uint8)
        yield FlowSample(image, flow, np.ones((96, 96), bool), f"clip{number}", 0, 1)


def test_the_engine_costs_under_a_tenth_of_a_cmp_step(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    write_shard(tmp_path / shard_name("train", 0), scenes())
    facts = {"flow_estimator": "exact", "flow_version": "1", "flow_supervision": "none"}
    write_dataset_index(tmp_path, name="noise", **facts, extra={})
    content = load_yaml(find_config("pretrain", "cmp_puppets"))
    changes = {"data": {"shards": [str(tmp_path)]}, "iterations": STEPS, "checkpoint_every": 8}
    content = apply_overrides(content, changes)
    spec = parse_spec(PretrainSpec, content, "test")

    folder = pretrain(spec, RuntimeSpec(device="cpu", threads=1), Store(tmp_path / "runs"))
    written = [json.loads(line) for line in (folder.path / "log.jsonl").read_text().splitlines()]
    lines = [line for line in written if "train/loss" in line]
    engine = statistics.median(line["train/seconds_per_iteration"] for line in lines[4:])
    data = statistics.median(line["train/data_seconds_per_iteration"] for line in lines[4:])

    method_class = load(METHODS, "cmp")
    method = method_class(method_class.Config.model_validate(spec.method_config), build_backbone(spec.backbone))
    optimizer = build_optimizer(spec.optimizer, method.parameters())
    normalise = Normaliser()
    dataset = PairDataset(ShardPairs([tmp_path], "train"), method, spec.data, 0)
    batches = iter(training_loader(dataset, spec.batch_size))
    bare = []
    for _ in range(STEPS):
        batch = next(batches)
        began = time.perf_counter()
        total_loss(method.losses(normalise(batch))).backward()
        optimizer.step()
        optimizer.zero_grad()
        bare.append(time.perf_counter() - began)
    step = statistics.median(bare[4:])
    print(f"\nbare step {step * 1e3:.1f} ms; engine {engine * 1e3:.1f} ms, of which data {data * 1e3:.1f} ms")
    print(f"engine without data / bare step: {(engine - data) / step:.3f}; data / bare step: {data / step:.3f}")
    assert (engine - data) / step < 1.10
    assert data / step < 0.25

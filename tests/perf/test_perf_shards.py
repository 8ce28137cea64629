"""Speed of reading pairs: the flow code in use against the plain 16-bit PNG, on the same flow."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from ssl_motion.data import codec, shard_index, shards
from ssl_motion.data.sample import FlowSample
from ssl_motion.flow.estimators import DISFlow

pytestmark = pytest.mark.perf


@pytest.fixture(scope="module")
def pair() -> FlowSample:
    """A pair of 416x740 with the flow that DIS measures between two shifted, noisy textures."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (60, 100, 3), dtype=np.uint8)
    scene = np.asarray(cv2.resize(coarse, (760, 430), interpolation=cv2.INTER_CUBIC))
    noisy = np.clip(scene + rng.normal(0, 4, scene.shape), 0, 255).astype(np.uint8)
    image = np.ascontiguousarray(scene[4:420, 10:750])
    flow = DISFlow().estimate(image, np.ascontiguousarray(noisy[7:423, 5:745]))
    return FlowSample(image, flow, np.ones(flow.shape[:2], bool), "planted", 0, 1)


@pytest.mark.parametrize("code", ["plain", "delta"])
def test_decode_flow(benchmark: BenchmarkFixture, pair: FlowSample, code: codec.FlowCode) -> None:
    data = codec.encode_flow(pair.flow, pair.valid, code)
    benchmark.extra_info["KiB"] = len(data) // 1024
    benchmark(codec.decode_flow, data)


def test_delta_is_smaller_and_no_slower(pair: FlowSample) -> None:
    sizes, seconds = {}, {}
    for code in ("plain", "delta"):
        data = codec.encode_flow(pair.flow, pair.valid, code)  # type: ignore[arg-type]  # from a loop over both
        times = []
        for _ in range(9):
            start = cv2.getTickCount()
            codec.decode_flow(data)
            times.append((cv2.getTickCount() - start) / cv2.getTickFrequency())
        sizes[code], seconds[code] = len(data), float(np.median(times))
    smaller, faster = sizes["delta"] / sizes["plain"], seconds["delta"] / seconds["plain"]
    print(f"\ndelta / plain: size {smaller:.2f}, time to read {faster:.2f}")
    assert smaller < 0.8
    assert faster < 1.1


def test_read_pair_from_a_shard(benchmark: BenchmarkFixture, pair: FlowSample, tmp_path: Path) -> None:
    shards.write_shard(tmp_path / "train-000000.tar", [pair] * 4)
    index = shard_index.read_shard_index(tmp_path / "train-000000.tar")
    sample = benchmark(shard_index.read_pair, tmp_path / "train-000000.tar", index, 3)
    assert sample.size == (416, 740)

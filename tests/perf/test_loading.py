"""How fast a loader's process makes samples: each method's targets from shards of 384x384, on one thread.

60 samples a second and core are wanted on an idle machine; that figure is printed. What is asserted is the time beside
the bare decoding of the same image, flow and layers in the same run. The share of every step is printed, which says
what bounds it. `pytest -m perf tests/perf/test_loading.py -s`
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from ssl_motion.backbones import build_backbone
from ssl_motion.data.augment import augment
from ssl_motion.data.codec import decode_flow, decode_image, decode_labels, encode_flow, encode_image, encode_labels
from ssl_motion.data.layer_shards import LayerMap, LayerSpec, write_layer_shard
from ssl_motion.data.layers import write_layer_index
from ssl_motion.data.loader import PairDataset, collate
from ssl_motion.data.sample import UNKNOWN_LABEL, FlowSample
from ssl_motion.data.shard_pairs import ShardPairs
from ssl_motion.data.shards import ShardSet, shard_name, write_dataset_index, write_shard
from ssl_motion.flow.estimators import DISFlow
from ssl_motion.plugins import METHODS, available, load
from ssl_motion.protocols import PretrainMethod
from ssl_motion.seeding import generator
from ssl_motion.spec import BackboneSpec, DataSpec

pytestmark = pytest.mark.perf
SIZE, PAIRS, ROUNDS = 384, 24, 3
SETTINGS: dict[str, dict[str, Any]] = {"pathak": {"image_size": SIZE}}
NAMES = [plugin.name for plugin in available(METHODS) if plugin.target.startswith("ssl_motion_methods.")]
WANTED = 60  # samples a second and core
MOST = {"cmp": 3.6, "pathak": 3.2}  # times the bare decoding: guidance is sampled; crops are resized
MOST_ELSE = 2.0
LAYERS = ("masks", "semantic")


def scene(seed: int) -> FlowSample:
    """A disc that moves over a texture, noise on both frames, and the flow that DIS measures between them."""
    rng = generator(seed, "perf scene")
    coarse = [rng.integers(0, 255, (SIZE // 8, SIZE // 8, 3), dtype=np.uint8) for _ in range(2)]
    ground, thing = (cv2.resize(part, (SIZE + 40, SIZE + 40), interpolation=cv2.INTER_CUBIC) for part in coarse)
    centre, motion = rng.uniform(0.35, 0.65, 2) * SIZE, rng.integers(-9, 10, 2)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    frames = []
    for time_step in (0, 1):
        shift = motion * time_step
        inside = np.hypot(rows - centre[0] - shift[0], columns - centre[1] - shift[1]) < SIZE / 5
        moved = thing[20 - shift[0] :, 20 - shift[1] :][:SIZE, :SIZE]
        frame = np.where(inside[..., None], moved, ground[20 : 20 + SIZE, 20 : 20 + SIZE])
        frames.append(np.clip(frame + rng.normal(0, 4, frame.shape), 0, 255).astype(np.uint8))
    distance = np.hypot(rows - centre[0], columns - centre[1]) - SIZE / 5
    mask = np.where(distance < 0, 1, 0).astype(np.uint8)
    mask[np.abs(distance) < 5] = UNKNOWN_LABEL
    flow = DISFlow().estimate(*frames)
    valid = np.ones(mask.shape, bool)
    return FlowSample(frames[0], flow, valid, f"scene{seed}", 0, 1, dict.fromkeys(LAYERS, mask)).checked()


@pytest.fixture(scope="module")
def scenes() -> list[FlowSample]:
    return [scene(seed) for seed in range(PAIRS)]


@pytest.fixture(scope="module")
def folder(scenes: list[FlowSample], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shards")
    shard = path / shard_name("train", 0)
    write_shard(shard, scenes)
    facts = {"flow_estimator": "dis", "flow_version": "1", "flow_supervision": "none"}
    write_dataset_index(path, name="scenes", **facts, extra={})
    for name in LAYERS:
        spec = LayerSpec(name, {}, 1)
        write_layer_shard(shard, spec, [LayerMap(sample.layers[name], {"kept": True}) for sample in scenes])
        write_layer_index(ShardSet(path), spec)
    return path


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    yield
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])


def milliseconds(work: Callable[[int], object]) -> float:
    """Least CPU time over some rounds of one call of `work`, mean over the pairs."""
    rounds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for number in range(PAIRS):
            work(number)
        rounds.append((time.process_time() - began) / PAIRS * 1e3)
    return min(rounds)


@pytest.mark.parametrize("name", NAMES)
def test_samples_beside_the_bare_decoding(
    name: str, scenes: list[FlowSample], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kind: type[PretrainMethod] = load(METHODS, name)
    config = kind.Config.model_validate(SETTINGS.get(name, {}))
    layers = kind.layers(config)
    pairs = ShardPairs([folder], "train", layers=layers)
    config = kind.fit(config, pairs, "perf data")
    method = kind(config, build_backbone(BackboneSpec(arch="resnet18", width=8, output_stride=8)))
    spec = DataSpec(shards=[str(folder)], crop=SIZE)
    dataset = PairDataset(pairs, method, spec, seed=0)

    images = [encode_image(sample.image, 95) for sample in scenes]
    flows = [encode_flow(sample.flow, sample.valid, "delta") for sample in scenes]
    maps = {layer: [encode_labels(sample.layers[layer]) for sample in scenes] for layer in layers}
    stored = [pairs[number] for number in range(PAIRS)]
    cropped = [augment(sample, spec, generator(0, "a", number)) for number, sample in enumerate(stored)]
    viewed = [method.view(sample, generator(0, "v", number)) for number, sample in enumerate(cropped)]

    parts = {
        "decode image": milliseconds(lambda n: decode_image(images[n])),
        "decode flow": milliseconds(lambda n: decode_flow(flows[n])),
        "decode layers": milliseconds(lambda n: [decode_labels(maps[layer][n]) for layer in layers]),
    }
    bare = sum(parts.values())
    parts["read and check"] = milliseconds(lambda n: pairs[n].checked()) - bare
    parts["augment"] = milliseconds(lambda n: augment(stored[n], spec, generator(0, "a", n)))
    parts["view"] = milliseconds(lambda n: method.view(cropped[n], generator(0, "v", n)))
    parts["targets"] = milliseconds(lambda n: method.targets(viewed[n], generator(0, "t", n)))
    whole = milliseconds(lambda n: dataset[n, n])
    items = dataset.__getitems__([(number, number) for number in range(PAIRS)])
    parts["stack"] = milliseconds(lambda n: collate(items) if n == 0 else None)
    whole += parts["stack"]

    shares = ", ".join(f"{part} {time_taken:.1f}" for part, time_taken in parts.items())
    with capsys.disabled():
        print(
            f"\n{name}: {1e3 / whole:.0f} samples a second and core (wanted: {WANTED}); {whole:.1f} ms each, "
            f"{whole / bare:.2f} times the bare decoding; ms by part: {shares}; "
            f"bound by: {max(parts, key=parts.__getitem__)}"
        )
    assert whole <= MOST.get(name, MOST_ELSE) * bare

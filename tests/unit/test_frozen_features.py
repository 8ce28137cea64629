"""Frozen trunks and their features: exact, gated, kept, bounded."""

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from ssl_motion.backbones import INPUT_MEAN, INPUT_STD, build_backbone
from ssl_motion.errors import DataError, RunError, UsageError
from ssl_motion.frozen.cache import INDEX, FeatureCache
from ssl_motion.frozen.extract import POOLED_TO, Pooled, extract
from ssl_motion.frozen.trunk import FrozenTrunk, build_trunk
from ssl_motion.frozen.views import View
from ssl_motion.spec import BackboneSpec
from ssl_motion.weights import save_weights

TRUNK = BackboneSpec(arch="alexnet_mini", width=6)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(1)
    paths = []
    for index, size in enumerate([(40, 56), (40, 56), (48, 48), (40, 56), (64, 40)]):
        path = folder / f"{index}.png"
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(path)
        paths.append(path)
    return paths


def weights_folder(folder: Path, seed: int = 3) -> Path:
    torch.manual_seed(seed)
    save_weights(folder, build_backbone(TRUNK), spec=TRUNK, method="cmp", run=None, pretraining=None, source="")
    return folder


def direct(trunk: FrozenTrunk, path: Path) -> dict[str, Tensor]:
    """The features of a whole image, in float64 up to the trunk."""
    pixels = np.asarray(Image.open(path).convert("RGB"), dtype=np.float64)
    normal = (pixels - np.array(INPUT_MEAN)) / np.array(INPUT_STD)
    with torch.no_grad():
        found: dict[str, Tensor] = trunk.network(torch.from_numpy(normal).permute(2, 0, 1)[None].float())
    return found


def test_features_are_the_trunks_own_in_one_pass_and_any_batch(images: list[Path]) -> None:
    trunk = build_trunk(None, TRUNK, 0)
    calls = []
    trunk.network.register_forward_hook(lambda *arguments: calls.append(1))
    found: dict[int, dict[str, Tensor]] = {}
    for indices, kept in extract(trunk, images, View(), Pooled(100), batch_size=2):
        for row, index in enumerate(indices):
            found[index] = {stage: values[row] for stage, values in kept.items()}
    assert len(calls) == 4  # two of one size, then three alone
    assert sorted(found) == list(range(5))
    for index, path in enumerate(images):
        expected = Pooled(100)(direct(trunk, path), [index])
        assert list(expected) == list(trunk.network.channels)
        for stage, value in expected.items():
            torch.testing.assert_close(found[index][stage], value[0], rtol=1e-4, atol=1e-5)


def test_weights_pass_the_gate_and_make_another_key(tmp_path: Path) -> None:
    folder = weights_folder(tmp_path / "w")
    trunk = build_trunk(folder, TRUNK, 0)
    assert trunk.card is not None
    assert not any(part.training for part in trunk.network.modules())
    assert not any(value.requires_grad for value in trunk.network.parameters())
    assert trunk.key == build_trunk(folder, TRUNK, 7).key
    randoms = [build_trunk(None, TRUNK, seed).key for seed in (0, 0, 1)]
    assert randoms[0] == randoms[1]
    assert len({trunk.key, *randoms}) == 3
    with pytest.raises(UsageError, match="the backbone expects"):
        build_trunk(folder, BackboneSpec(arch="alexnet_mini", width=9), 0)
    with pytest.raises(UsageError, match="no value for"):
        build_trunk(folder, BackboneSpec(arch="resnet18", width=8), 0)


def test_building_leaves_the_callers_random_numbers_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    build_trunk(None, TRUNK, 0)
    assert torch.equal(torch.rand(3), expected)


def test_unknown_stage_and_broken_image_are_named(images: list[Path], tmp_path: Path) -> None:
    trunk = build_trunk(None, TRUNK, 0)
    with pytest.raises(UsageError, match=r"no stage 'conv6'.*Did you mean 'conv\d'"):
        next(extract(trunk, images, View(), Pooled(), ["conv6"]))
    broken = tmp_path / "broken.png"
    broken.write_bytes(images[0].read_bytes()[:300])
    with pytest.raises(DataError, match=r"broken\.png: cannot be read"):
        list(extract(trunk, [images[0], broken], View(), Pooled()))


def test_grids_have_the_sizes_of_the_literature() -> None:
    sizes = {64: 9216, 96: 9600, 256: 9216, 384: 9600, 512: 8192, 1024: 9216, 2048: 8192, 4096: 4096}
    for channels, expected in sizes.items():
        assert Pooled()({"stage": torch.zeros(1, channels, 14, 14)}, [0])["stage"].shape == (1, expected)
    assert Pooled()({"stage": torch.zeros(2, 8, 3, 5)}, [0, 1])["stage"].shape == (2, 8 * 9)
    assert POOLED_TO == 9600


@settings(max_examples=30, deadline=None)
@given(st.integers(8, 90), st.integers(8, 90), st.integers(8, 64), st.integers(8, 64))
def test_views_have_the_size_they_say(height: int, width: int, short: int, crop: int) -> None:
    image = np.arange(height * width * 3, dtype=np.uint32).reshape(height, width, 3).astype(np.uint8)
    assert np.array_equal(View().apply(image), image)
    assert min(View(short).apply(image).shape[:2]) == short
    rng = np.random.default_rng(0)
    assert View(short, crop).apply(image).shape == View(short, crop, True).apply(image, rng).shape == (crop, crop, 3)
    assert np.array_equal(View(short, crop, True).apply(image)[:, ::-1], View(short, crop).apply(image))


def test_random_views_come_from_the_generator_alone() -> None:
    image = np.random.default_rng(2).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    seen = [View(None, 24, True).apply(image, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert np.array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[0], seen[2])


def test_cache_is_filled_once_and_holds_what_was_computed(
    images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trunk, cache = build_trunk(None, TRUNK, 0), FeatureCache(tmp_path)
    first = cache.get(trunk, images, View(48), Pooled(100), data="d")
    for index in range(len(images)):
        ((_, kept),) = list(extract(trunk, images, View(48), Pooled(100), order=[index]))
        for stage, value in kept.items():
            np.testing.assert_allclose(first[stage][index], value[0].numpy(), rtol=1e-4, atol=1e-5)
    calls = []
    monkeypatch.setattr("ssl_motion.frozen.cache.extract", lambda *given, **more: calls.append(1) or iter(()))
    again = cache.get(trunk, images, View(48), Pooled(100), data="d")
    assert not calls
    assert {name: value.tobytes() for name, value in again.items()} == {n: v.tobytes() for n, v in first.items()}
    for other in (
        lambda: cache.get(build_trunk(None, TRUNK, 1), images, View(48), Pooled(100), data="d"),
        lambda: cache.get(trunk, images[:2], View(48), Pooled(100), data="d"),
        lambda: cache.get(trunk, images, View(32), Pooled(100), data="d"),
        lambda: cache.get(trunk, images, View(48), Pooled(90), data="d"),
        lambda: cache.get(trunk, images, View(48), Pooled(100), ["conv1"], data="d"),
        lambda: cache.get(trunk, images, View(48), Pooled(100), data="other"),
    ):
        calls.clear()
        other()
        assert calls


def test_interrupted_extraction_leaves_no_entry(images: list[Path], tmp_path: Path) -> None:
    trunk, cache = build_trunk(None, TRUNK, 0), FeatureCache(tmp_path)
    lost = [*images[:3], tmp_path / "lost.png"]
    with pytest.raises(DataError, match="lost"):
        cache.get(trunk, lost, View(40, 40), Pooled(), data="d", batch_size=1)
    assert not list(tmp_path.rglob("*.npy")) + list(tmp_path.rglob("*.part"))
    Image.open(images[3]).save(tmp_path / "lost.png")
    (entry,) = (path for path in tmp_path.iterdir() if path.is_dir())
    (entry / ".conv1.npy.part").write_bytes(b"left by a killed process")
    found = cache.get(trunk, lost, View(40, 40), Pooled(), data="d")
    assert found["conv1"].shape[0] == 4
    assert not list(tmp_path.rglob("*.part"))


def test_damaged_entry_is_made_again(images: list[Path], tmp_path: Path) -> None:
    trunk, cache = build_trunk(None, TRUNK, 0), FeatureCache(tmp_path)
    expected = {name: value.tobytes() for name, value in cache.get(trunk, images, View(40), Pooled(), data="d").items()}
    next(tmp_path.rglob("conv3.npy")).write_bytes(b"no array")
    again = cache.get(trunk, images, View(40), Pooled(), data="d")
    assert {name: value.tobytes() for name, value in again.items()} == expected


def test_cache_is_bounded_and_the_least_used_goes_first(images: list[Path], tmp_path: Path) -> None:
    trunk = build_trunk(None, TRUNK, 0)
    size = FeatureCache(tmp_path / "one").get(trunk, images, View(40), Pooled(), data="d")
    needed = sum(value.nbytes + 128 for value in size.values())
    cache = FeatureCache(tmp_path / "cache", limit=2 * needed)
    for name in "ab":
        cache.get(trunk, images, View(40), Pooled(), data=name)
    indices = {json.loads(path.read_text())["data"]: path for path in cache.root.rglob(INDEX)}
    os.utime(indices["a"], (time.time() - 200,) * 2)
    os.utime(indices["b"], (time.time() - 100,) * 2)
    cache.get(trunk, images, View(40), Pooled(), data="a")  # used: now b is the older one
    cache.get(trunk, images, View(40), Pooled(), data="c")
    assert {json.loads(path.read_text())["data"] for path in cache.root.rglob(INDEX)} == {"a", "c"}
    assert not list(indices["b"].parent.glob("*.npy"))
    with pytest.raises(RunError, match=r"take .* GiB; the cache holds at most"):
        FeatureCache(tmp_path / "small", limit=needed // 2).get(trunk, images, View(40), Pooled(), data="d")

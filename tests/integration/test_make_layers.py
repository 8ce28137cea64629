"""Making layers: shard by shard, continued, side by side, never over something else; and plans that need them."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from ssl_motion import puppets
from ssl_motion.data.layer_shards import LayerMap
from ssl_motion.data.layers import LayerSet, layer_fingerprint
from ssl_motion.data.sample import FlowSample
from ssl_motion.data.shard_pairs import ShardPairs
from ssl_motion.data.shards import ShardSet, Split, shard_name, write_dataset_index, write_shard
from ssl_motion.errors import DataError, RunError, UsageError
from ssl_motion.masks import MaskSettings, make_mask
from ssl_motion.prepare import layers, makers
from ssl_motion.prepare.layers import describe_layer, ensure_puppets, make_layer
from ssl_motion.spec import PuppetsSpec, Strict

WORLD = PuppetsSpec(size=48, pairs=8, val_pairs=3)


class BrightSettings(Strict):
    threshold: int = 100
    least: float = 0.0


class Bright:
    """Marks bright pixels; keeps pairs with enough of them. Fails at the pair `fail_at`."""

    Settings: type[BaseModel] = BrightSettings
    version = 1
    advice = "make it with {folder}"
    fail_at = -1
    made = 0

    def check(self, data: ShardSet) -> None:
        del data

    def maps(
        self, settings: BaseModel, data: ShardSet, split: Split, first: int, samples: Iterable[FlowSample]
    ) -> Iterator[LayerMap]:
        assert isinstance(settings, BrightSettings)
        for number, sample in enumerate(samples, first):
            if split == "train" and number == self.fail_at:
                raise RunError("the disk is full")
            type(self).made += 1
            labels = (sample.image.mean(axis=2) > settings.threshold).astype(np.uint8)
            share = float(labels.mean())
            kept = share >= settings.least
            yield LayerMap(labels, {"share": share, "kept": kept, **({} if kept else {"reason": "too dark"})})


@pytest.fixture
def bright(monkeypatch: pytest.MonkeyPatch) -> type[Bright]:
    class Fresh(Bright):
        pass

    monkeypatch.setattr(makers, "LAYER_MAKERS", {**makers.LAYER_MAKERS, "bright": Fresh()})
    return Fresh


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    for split, stream, counts in (("train", "pairs", (3, 3, 2)), ("val", "val_pairs", (3,))):
        index = 0
        for shard, count in enumerate(counts):
            scenes = (puppets.render(WORLD, stream, number).sample for number in range(index, index + count))  # type: ignore[arg-type]
            write_shard(folder / shard_name(split, shard), scenes)  # type: ignore[arg-type]
            index += count
    write_dataset_index(
        folder,
        name="puppets-still",
        flow_estimator="puppets",
        flow_version=str(puppets.GENERATOR_VERSION),
        flow_supervision="exact flow",
        extra={"puppets": WORLD.model_dump(mode="json")},
    )
    return folder


@pytest.fixture
def pairs(rendered: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(rendered, tmp_path / "pairs"))


def hashes(folder: Path, name: str) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob(f"*{name}*"))}


def test_the_true_classes_lie_on_the_images_they_belong_to(pairs: Path) -> None:
    result = make_layer(pairs, "semantic", processes=2)
    assert (result.made, result.reused, result.kept) == (4, 0, {"train": 8, "val": 3})
    streams: dict[Split, puppets.Stream] = {"train": "pairs", "val": "val_pairs"}
    for split, stream in streams.items():
        samples = ShardPairs([pairs], split, layers=["semantic"])
        for index, sample in enumerate(samples):
            scene = puppets.render(WORLD, stream, index)
            assert sample.clip == scene.sample.clip
            np.testing.assert_array_equal(sample.layers["semantic"], scene.semantic)
            assert np.abs(sample.image.astype(int) - scene.sample.image).mean() < 8  # JPEG
            # With a still camera whatever moves is an actor.
            moving = sample.valid & (np.hypot(*np.moveaxis(sample.flow, -1, 0)) > 0.1)
            assert (sample.layers["semantic"][moving] > 0).all()
    assert LayerSet(ShardSet(pairs), "semantic").fingerprint == result.fingerprint


def test_motion_masks_are_those_of_the_stored_pairs(pairs: Path) -> None:
    result = make_layer(pairs, "masks", {"min_foreground": 0.02}, processes=2)
    stored, kept = ShardPairs([pairs], "train"), ShardPairs([pairs], "train", layers=["masks"])
    assert 0 < len(kept) == result.kept["train"] == 8 - sum(result.dropped["train"].values())
    for number, sample in enumerate(kept):
        expected = make_mask(stored[kept.place(number)], MaskSettings(min_foreground=0.02))
        np.testing.assert_array_equal(sample.layers["masks"], expected.layer)


def test_pairs_in_another_order_than_the_world_has_them_are_refused(pairs: Path) -> None:
    write_shard(pairs / shard_name("train", 0), (puppets.render(WORLD, "pairs", number).sample for number in (1, 0, 2)))
    info = json.loads((pairs / "index.json").read_text())
    write_dataset_index(
        pairs, name="n", flow_estimator="puppets", flow_version=str(puppets.GENERATOR_VERSION),
        flow_supervision="exact flow", extra=info["extra"],
    )  # fmt: skip
    with pytest.raises(DataError, match="pair 0 of the train split is puppets-still-0-pairs-000001"):
        make_layer(pairs, "semantic")


def test_data_that_are_no_puppets_have_no_classes(pairs: Path) -> None:
    write_dataset_index(pairs, name="n", flow_estimator="dis", flow_version="1", flow_supervision="none", extra={})
    with pytest.raises(UsageError, match="not of the built-in world"):
        make_layer(pairs, "semantic")
    with pytest.raises(UsageError, match=r"nothing makes a layer 'depth'; there are .*semantic"):
        make_layer(pairs, "depth")


def test_repeating_reuses_and_touches_nothing(pairs: Path, bright: type[Bright]) -> None:
    first = make_layer(pairs, "bright", {"least": 0.4})
    assert not first.cached
    assert first.dropped["train"] == {"too dark": 8 - first.kept["train"]}
    assert 0 < first.kept["train"] < 8
    before, made = hashes(pairs, "bright"), bright.made
    stamps = {path: path.stat().st_mtime_ns for path in pairs.iterdir()}
    again = make_layer(pairs, "bright", {"least": 0.4})
    assert again.cached
    assert (again.made, again.reused) == (0, 4)
    assert (again.kept, again.fingerprint) == (first.kept, first.fingerprint)
    assert (hashes(pairs, "bright"), bright.made) == (before, made)
    assert {path: path.stat().st_mtime_ns for path in pairs.iterdir()} == stamps
    assert describe_layer(pairs, "bright", {"least": 0.4})["cached"]


def test_interrupted_work_is_continued_and_ends_in_the_same_bytes(pairs: Path, bright: type[Bright]) -> None:
    bright.fail_at = 4
    with pytest.raises(RunError, match="disk is full"):
        make_layer(pairs, "bright")
    assert not (pairs / "bright.index.json").exists()
    assert not list(pairs.glob(".*part"))
    plan = describe_layer(pairs, "bright")
    assert (plan["cached"], plan["started"], plan["pairs_to_do"]) == (False, True, 8)
    (pairs / ".train-000001.bright.tar.99.part").write_bytes(b"half")
    bright.fail_at, bright.made = -1, 0
    result = make_layer(pairs, "bright")
    assert (result.made, result.reused, bright.made) == (3, 1, 8)
    assert not list(pairs.glob(".*part"))
    continued = hashes(pairs, "bright")
    for path in pairs.glob("*bright*"):
        path.unlink()
    make_layer(pairs, "bright")
    assert hashes(pairs, "bright") == continued


@pytest.mark.parametrize("damage", ["truncate", "tar", "sidecar", "index"])
def test_what_is_damaged_alone_is_made_again(pairs: Path, bright: type[Bright], damage: str) -> None:
    make_layer(pairs, "bright")
    before = hashes(pairs, "bright")
    tar = pairs / "train-000001.bright.tar"
    if damage == "truncate":
        tar.write_bytes(tar.read_bytes()[:1000])
    elif damage == "tar":
        tar.unlink()
    else:
        (pairs / ("train-000001.bright.index.json" if damage == "sidecar" else "bright.index.json")).write_text("{")
    assert make_layer(pairs, "bright").made == (0 if damage == "index" else 1)
    assert hashes(pairs, "bright") == before


def test_other_settings_and_versions_are_never_written_over(pairs: Path, bright: type[Bright]) -> None:
    make_layer(pairs, "bright")
    before = hashes(pairs, "bright")
    with pytest.raises(UsageError, match=r"threshold was 100, is now 90.*copy the data set"):
        make_layer(pairs, "bright", {"threshold": 90})
    bright.version = 2
    with pytest.raises(UsageError, match="version was 1, is now 2"):
        make_layer(pairs, "bright")
    assert hashes(pairs, "bright") == before
    with pytest.raises(UsageError, match="threshhold"):
        make_layer(pairs, "bright", {"threshhold": 1})


def test_a_layer_of_shards_that_changed_is_refused(pairs: Path, bright: type[Bright]) -> None:
    make_layer(pairs, "bright")
    write_shard(pairs / shard_name("train", 2), (puppets.render(WORLD, "pairs", number).sample for number in (9, 10)))
    write_dataset_index(pairs, name="n", flow_estimator="e", flow_version="1", flow_supervision="none", extra={})
    with pytest.raises(UsageError, match=r"another train-000002\.tar"):
        make_layer(pairs, "bright")


def test_layers_of_the_built_in_world_have_an_identity_before_they_exist(
    tmp_path: Path, make_plan_of: Callable[..., Any]
) -> None:
    first = make_plan_of(tmp_path)
    ensure_puppets(WORLD, tmp_path / "runs" / "data", ["semantic"])
    again = make_plan_of(tmp_path)
    assert again.folder.identity == first.folder.identity
    source = puppets.fingerprint(WORLD, ("pairs", "val_pairs"))
    assert first.data.fingerprint != source
    assert layers.default_layer("semantic").settings == {}
    assert layer_fingerprint(source, layers.default_layer("semantic")) != source
    assert make_plan_of(tmp_path, method="cmp").data.fingerprint == source


@pytest.fixture
def make_plan_of() -> Callable[..., Any]:
    from ssl_motion.engine.plan import make_plan
    from ssl_motion.spec import PretrainSpec
    from ssl_motion.spec_text import parse_spec
    from ssl_motion.store import Store

    def make(root: Path, method: str = "supervised", **data: Any) -> Any:
        content = {
            "method": method,
            "backbone": {"arch": "alexnet_mini", "width": 6},
            "data": data or {"puppets": WORLD.model_dump()},
            "iterations": 3,
            "batch_size": 4,
        }
        return make_plan(parse_spec(PretrainSpec, content, "test"), Store(root / "runs"))

    return make


def test_shards_without_the_layer_are_refused_with_advice(
    pairs: Path, tmp_path: Path, make_plan_of: Callable[..., Any]
) -> None:
    with pytest.raises(UsageError, match=r"reads the layer 'semantic', which .*pairs does not have; .*data\.puppets"):
        make_plan_of(tmp_path, shards=[str(pairs)])
    make_layer(pairs, "semantic")
    plan = make_plan_of(tmp_path, shards=[str(pairs)])
    assert (plan.data.pairs, plan.layers) == (8, ("semantic",))
    assert make_plan_of(tmp_path, shards=[str(pairs)], max_pairs=5).data.pairs == 5

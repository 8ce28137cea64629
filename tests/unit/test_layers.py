"""Layers beside shards: what is written is read, and whatever does not belong together is refused."""

import json
import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_motion.data.layer_shards import LayerMap, LayerSpec, layer_path, read_layer_index, read_map, write_layer_shard
from ssl_motion.data.layers import LayerSet, finished_layers, layer_fingerprint, layer_index_path, write_layer_index
from ssl_motion.data.sample import FlowSample, UInt8Array
from ssl_motion.data.shard_index import SPLITS, Split, read_pair, read_shard_index, sidecar_path
from ssl_motion.data.shard_pairs import ShardPairs, kept_pairs
from ssl_motion.data.shards import ShardSet, shard_name, write_dataset_index, write_shard
from ssl_motion.errors import DataError, UsageError

LAYER = LayerSpec("masks", {"threshold": 0.7}, 1)
HEIGHT, WIDTH = 20, 28


def pair(number: int) -> FlowSample:
    rng = np.random.default_rng([5, number])
    flow = np.zeros((HEIGHT, WIDTH, 2), np.float32)
    image = rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    return FlowSample(image, flow, np.ones((HEIGHT, WIDTH), bool), "clip", number, 1)


def labels(number: int) -> UInt8Array:
    return np.random.default_rng([6, number]).choice(np.array([0, 1, 255], np.uint8), (HEIGHT, WIDTH))


def write_pairs(folder: Path, train: Sequence[int] = (5, 4), val: Sequence[int] = (3,), first: int = 0) -> ShardSet:
    """Pairs are numbered on through the shards, from `first`; those of the val split from 100 on."""
    for split, counts, number in (("train", train, first), ("val", val, 100 + first)):
        for shard, count in enumerate(counts):
            write_shard(folder / shard_name(split, shard), map(pair, range(number, number + count)))
            number += count
    write_dataset_index(folder, name="t", flow_estimator="e", flow_version="1", flow_supervision="none", extra={})
    return ShardSet(folder)


def write_layer(data: ShardSet, dropped: set[int], layer: LayerSpec = LAYER) -> LayerSet:
    for split in SPLITS:
        for shard, _ in data.shards(split):
            index = read_shard_index(shard)
            numbers = [read_pair(shard, index, number).frame for number in range(index.pairs)]
            write_layer_shard(shard, layer, (_map(number, number in dropped) for number in numbers))
    write_layer_index(data, layer)
    return LayerSet(data, layer.name)


def _map(number: int, dropped: bool) -> LayerMap:
    facts: dict[str, float | bool | str] = {"kept": False, "reason": "no motion"} if dropped else {"share": number / 7}
    return LayerMap(labels(number), facts)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("with layer")
    write_layer(write_pairs(folder), dropped={1, 5, 6, 101})
    return folder


@pytest.fixture
def copied(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "copy"))


def test_kept_pairs_alone_are_there_and_carry_their_own_maps(written: Path) -> None:
    expected_of: dict[Split, list[int]] = {"train": [0, 2, 3, 4, 7, 8], "val": [100, 102]}
    for split, expected in expected_of.items():
        pairs = ShardPairs([written], split, layers=["masks"])
        assert [sample.frame for sample in pairs] == expected
        for sample in pairs:
            np.testing.assert_array_equal(sample.layers["masks"], labels(sample.frame))
    assert ShardPairs([written], "train").place(3) == 3
    assert len(ShardPairs([written], "train")) == 9
    assert not ShardPairs([written], "train")[0].layers


def test_max_pairs_counts_what_is_kept(written: Path) -> None:
    chosen = ShardPairs([written], "train", max_pairs=3, layers=["masks"])
    assert [sample.frame for sample in chosen] == [0, 3, 7]
    assert [chosen.place(number) for number in range(3)] == [0, 3, 7]


def test_several_data_sets_and_several_layers(written: Path, tmp_path: Path) -> None:
    other = write_pairs(tmp_path / "other", train=(4,), val=(), first=20)
    write_layer(other, dropped={21})
    for data, gone in ((ShardSet(written), {0, 8}), (other, {23})):
        if data.folder == written:
            data = ShardSet(shutil.copytree(written, tmp_path / "first"))
        write_layer(data, gone, LayerSpec("classes", {}, 3))
    pairs = ShardPairs([tmp_path / "first", tmp_path / "other"], "train", layers=["masks", "classes"])
    assert [sample.frame for sample in pairs] == [2, 3, 4, 7, 20, 22]
    assert set(pairs[-1].layers) == {"masks", "classes"}
    assert finished_layers(other) == ["classes", "masks"]


@settings(max_examples=40, deadline=None)
@given(kept=st.sets(st.integers(0, 60), min_size=1), wanted=st.integers(1, 70))
def test_max_pairs_takes_kept_pairs_once_each_in_order(kept: set[int], wanted: int) -> None:
    pairs = object.__new__(ShardPairs)
    pairs._chosen = np.array(sorted(kept))
    pairs._total, pairs._length = len(kept), min(len(kept), wanted)
    places = [pairs.place(number) for number in range(len(pairs))]
    assert places == sorted(set(places))
    assert set(places) <= kept
    assert len(places) == min(len(kept), wanted)


def test_counts_and_reasons_stand_in_the_index(written: Path) -> None:
    info = LayerSet(ShardSet(written), "masks").summary()
    assert info["kept"] == {"train": 6, "val": 2}
    assert info["dropped"] == {"train": {"no motion": 3}, "val": {"no motion": 1}}


def test_the_fingerprint_needs_no_maps_and_tells_everything_apart(written: Path) -> None:
    data = ShardSet(written)
    assert LayerSet(data, "masks").fingerprint == layer_fingerprint(data.fingerprint, LAYER)
    others = [
        layer_fingerprint("0" * 16, LAYER),
        layer_fingerprint(data.fingerprint, LayerSpec("masks", {"threshold": 0.6}, 1)),
        layer_fingerprint(data.fingerprint, LayerSpec("masks", {"threshold": 0.7}, 2)),
        layer_fingerprint(data.fingerprint, LayerSpec("classes", {"threshold": 0.7}, 1)),
    ]
    assert len({layer_fingerprint(data.fingerprint, LAYER), *others}) == 5


def test_the_tar_is_plain_and_says_what_is_known_of_each_map(written: Path) -> None:
    with tarfile.open(written / "train-000000.masks.tar") as tar:
        names = tar.getnames()
        assert names[:2] == ["train-000000-000000.png", "train-000000-000000.json"]
        picture = tar.extractfile(names[6]).read()  # type: ignore[union-attr]
        assert np.array_equal(cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_UNCHANGED), labels(3))
        facts = json.loads(tar.extractfile(names[3]).read())  # type: ignore[union-attr]
    assert facts == {"kept": False, "reason": "no motion"}
    shard = written / "train-000000.tar"
    assert read_map(shard, read_layer_index(shard, "masks"), 3).facts == {"kept": True, "share": 3 / 7}


def test_layers_do_not_get_in_the_way_of_the_pairs(copied: Path) -> None:
    before = ShardSet(copied).fingerprint
    write_dataset_index(copied, name="t", flow_estimator="e", flow_version="1", flow_supervision="none", extra={})
    assert ShardSet(copied).fingerprint == before
    assert list(ShardSet(copied).verify()) == []


def test_a_truncated_or_altered_layer_is_named(copied: Path) -> None:
    tar = copied / "train-000001.masks.tar"
    content = tar.read_bytes()
    tar.write_bytes(content[:-600])
    with pytest.raises(DataError, match=r"train-000001\.masks\.tar is truncated.*repeat what wrote"):
        ShardPairs([copied], "train", layers=["masks"])
    assert len(ShardPairs([copied], "val", layers=["masks"])) == 2
    broken = bytearray(content)
    shard = copied / "train-000001.tar"
    tar.write_bytes(content)
    broken[int(read_layer_index(shard, "masks").offset[2]) + 600] ^= 1
    tar.write_bytes(bytes(broken))
    pairs = ShardPairs([copied], "train", layers=["masks"])
    assert pairs[0].frame == 0
    with pytest.raises(DataError, match=r"train-000001\.masks\.tar.*altered"):
        list(pairs)
    tar.unlink()
    with pytest.raises(DataError, match=r"train-000001\.masks\.tar cannot be read"):
        ShardPairs([copied], "train", layers=["masks"])


def test_a_layer_of_other_pairs_is_refused(written: Path, tmp_path: Path) -> None:
    other = write_pairs(tmp_path / "other", first=40)
    for path in written.glob("*masks*"):
        shutil.copy(path, other.folder)
    with pytest.raises(UsageError, match="made from other pairs"):
        ShardPairs([other.folder], "train", layers=["masks"])
    # The index alone renewed: the shards' own sidecars still tell.
    with pytest.raises(DataError, match="not what was just made"):
        write_layer_index(other, LAYER)


@pytest.mark.parametrize("key", ["settings", "version", "fingerprint", "shards"])
def test_a_damaged_or_altered_index_is_named(copied: Path, key: str) -> None:
    path = layer_index_path(copied, "masks")
    content = json.loads(path.read_text())
    path.write_text(json.dumps({name: value for name, value in content.items() if name != key}))
    with pytest.raises(DataError, match=r"masks\.index\.json is damaged"):
        LayerSet(ShardSet(copied), "masks")
    changed = {"settings": {"threshold": 0.1}, "version": 9, "fingerprint": "f" * 16}.get(key)
    if changed is not None:
        path.write_text(json.dumps({**content, key: changed}))
        with pytest.raises(DataError, match="was altered"):
            LayerSet(ShardSet(copied), "masks")


def test_a_sidecar_that_is_damaged_is_named(copied: Path) -> None:
    side = sidecar_path(layer_path(copied / "train-000000.tar", "masks"))
    side.write_text("{")
    with pytest.raises(DataError, match=r"train-000000\.masks\.index\.json is damaged"):
        ShardPairs([copied], "train", layers=["masks"])[0]


def test_no_kept_pair_is_an_error_with_the_reasons(tmp_path: Path) -> None:
    write_layer(write_pairs(tmp_path), dropped=set(range(9)))
    with pytest.raises(UsageError, match=r"no train pair is kept by the layers masks .*no motion 9"):
        ShardPairs([tmp_path], "train", layers=["masks"])
    assert kept_pairs([ShardSet(tmp_path)], "train", ["masks"]).size == 0
    assert kept_pairs([ShardSet(tmp_path)], "val", ["masks"]).tolist() == [0, 1, 2]


def test_a_missing_layer_is_named(tmp_path: Path) -> None:
    write_pairs(tmp_path)
    with pytest.raises(UsageError, match="no finished layer 'masks'"):
        ShardPairs([tmp_path], "train", layers=["masks"])


def test_as_many_maps_as_pairs_or_nothing(tmp_path: Path) -> None:
    shard = write_pairs(tmp_path).shards("train")[0][0]
    for count in (4, 6):
        with pytest.raises(DataError, match=rf"{count} maps were made for the 5 pairs"):
            write_layer_shard(shard, LAYER, (_map(number, False) for number in range(count)))
        assert not list(tmp_path.glob("*masks*"))
        assert not list(tmp_path.glob(".*part"))


def test_a_map_of_another_size_than_its_image_is_named(tmp_path: Path) -> None:
    data = write_pairs(tmp_path, train=(1,), val=())
    write_layer_shard(data.shards("train")[0][0], LAYER, [LayerMap(np.zeros((HEIGHT, WIDTH + 1), np.uint8), {})])
    write_layer_index(data, LAYER)
    with pytest.raises(DataError, match="layer 'masks' has shape"):
        ShardPairs([tmp_path], "train", layers=["masks"])[0]


@pytest.mark.parametrize("name", ["", "Masks", "a-b", "a.b", "../x"])
def test_names_that_would_not_make_files_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="layer name"):
        LayerSpec(name, {}, 1)

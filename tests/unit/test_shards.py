"""Shards: what is written comes back, damage is named, and any pair can be read alone."""

import hashlib
import io
import json
import multiprocessing
import os
import pickle
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_motion.data import shards
from ssl_motion.data.codec import decode_flow
from ssl_motion.data.sample import FlowSample
from ssl_motion.data.shard_pairs import ShardPairs
from ssl_motion.errors import DataError, RunError, UsageError

FACTS = {
    "name": "toy",
    "flow_estimator": "planted",
    "flow_version": "1",
    "flow_supervision": "none",
    "extra": {"clips": ["ü \udcff"]},
}


def make_sample(number: int, height: int = 24, width: int = 33) -> FlowSample:
    """A sample whose flow is exact in 1/64 px and differs from every other number's."""
    rng = np.random.default_rng(number)
    valid = rng.random((height, width)) > 0.2
    flow = (rng.integers(-640, 640, (height, width, 2)) / 64).astype(np.float32)
    flow[~valid] = 0
    image = np.full((height, width, 3), number % 256, np.uint8)
    return FlowSample(image, flow, valid, f"clip {number} \udcff ü", number, 1 + number % 3)


def assert_same(found: FlowSample, wanted: FlowSample) -> None:
    np.testing.assert_array_equal(found.flow, wanted.flow)
    np.testing.assert_array_equal(found.valid, wanted.valid)
    assert np.abs(found.image.astype(int) - wanted.image).max() <= 2
    assert (found.clip, found.frame, found.gap) == (wanted.clip, wanted.frame, wanted.gap)


def make_set(folder: Path, train: tuple[int, ...] = (4, 0, 5), val: int = 2) -> Path:
    number = 0
    for place, pairs in enumerate(train):
        shards.write_shard(
            folder / shards.shard_name("train", place), (make_sample(number + offset) for offset in range(pairs))
        )
        number += pairs
    shards.write_shard(folder / "val-000000.tar", (make_sample(number + offset) for offset in range(val)))
    shards.write_dataset_index(folder, **FACTS)
    return folder


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_set(tmp_path_factory.mktemp("data set"))


@pytest.fixture
def copied(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "copy"))


def test_every_pair_comes_back_in_any_order(written: Path) -> None:
    train, val = ShardPairs([written], "train"), ShardPairs([written], "val")
    assert (len(train), len(val)) == (9, 2)
    for number in (8, 0, 4, 3, 5, -1):
        assert_same(train[number], make_sample(number % 9))
    for number, sample in enumerate(val):
        assert_same(sample, make_sample(9 + number))
    assert [sample.frame for sample in train[2:5]] == [2, 3, 4]
    with pytest.raises(IndexError):
        train[9]


def test_a_plain_tar_reader_sees_the_webdataset_layout(written: Path) -> None:
    with tarfile.open(written / "train-000000.tar") as tar:
        members = tar.getmembers()
        meta = json.load(tar.extractfile("train-000000-000002.json") or io.BytesIO())
        flow, _ = decode_flow((tar.extractfile("train-000000-000002.flow.png") or io.BytesIO()).read())
    assert [member.name for member in members[:4]] == [
        "train-000000-000000.jpg",
        "train-000000-000000.flow.png",
        "train-000000-000000.json",
        "train-000000-000001.jpg",
    ]
    assert len(members) == 12
    assert {(member.mtime, member.uid, member.uname) for member in members} == {(0, 0, "")}
    assert meta == {"clip": "clip 2 \udcff ü", "frame": 2, "gap": 3, "height": 24, "width": 33}
    np.testing.assert_array_equal(flow, make_sample(2).flow)


def test_bytes_and_fingerprint_depend_on_content_alone(written: Path, tmp_path: Path) -> None:
    again = make_set(tmp_path / "elsewhere" / "again")
    for name in ("train-000000.tar", "train-000002.index.json", "index.json"):
        assert (again / name).read_bytes() == (written / name).read_bytes()
    assert shards.ShardSet(again).fingerprint == shards.ShardSet(written).fingerprint
    other = make_set(tmp_path / "other", train=(4, 0, 6))
    assert shards.ShardSet(other).fingerprint != shards.ShardSet(written).fingerprint


def test_index_says_what_is_there(written: Path) -> None:
    data = shards.ShardSet(written)
    assert (data.count("train"), data.count("val")) == (9, 2)
    assert {key: data.info[key] for key in FACTS} == FACTS
    sha256 = hashlib.sha256((written / "train-000002.tar").read_bytes()).hexdigest()
    assert data.info["shards"]["train"][2]["sha256"] == sha256
    assert list(data.verify()) == []


@settings(max_examples=60, deadline=None)
@given(total=st.integers(1, 5000), wanted=st.integers(1, 6000))
def test_max_pairs_is_spread_evenly(total: int, wanted: int) -> None:
    pairs = object.__new__(ShardPairs)
    pairs._total, pairs._length, pairs._chosen = total, min(total, wanted), None
    places = np.array([pairs.place(number) for number in range(len(pairs))])
    assert places[0] == 0
    assert places[-1] < total
    steps = np.diff([*places, total])
    assert steps.min() >= 1
    assert steps.max() - steps.min() <= 1


def test_max_pairs_reads_the_chosen_pairs(written: Path) -> None:
    chosen = ShardPairs([written], "train", max_pairs=3)
    assert [sample.frame for sample in chosen] == [0, 3, 6]
    assert len(ShardPairs([written], "train", max_pairs=100)) == 9


def test_data_sets_are_joined_in_order(written: Path, tmp_path: Path) -> None:
    other = make_set(tmp_path / "other", train=(2,))
    joined = ShardPairs([other, written], "train")
    assert [joined[number].frame for number in (0, 1, 2, 10)] == [0, 1, 0, 8]


def _frames(pairs: ShardPairs) -> list[int]:
    return [sample.frame for sample in pairs]


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_other_processes_read_too(written: Path, start: str) -> None:
    pairs = ShardPairs([written], "train")
    assert pairs[5].frame == 5
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0
    if start == "spawn":
        # A spawned process gets a pickled copy; unpickling it here is the same without starting an interpreter.
        assert _frames(pickle.loads(pickle.dumps(pairs))) == list(range(9))
    else:
        with multiprocessing.get_context(start).Pool(2) as pool:
            assert pool.map(_frames, [pairs, pairs]) == [list(range(9))] * 2
    if before and start == "spawn":
        assert len(os.listdir("/proc/self/fd")) == before


def test_truncated_shard_is_named(copied: Path) -> None:
    shard = copied / "train-000002.tar"
    pairs = ShardPairs([copied], "train")
    assert pairs[8].frame == 8
    shard.write_bytes(shard.read_bytes()[:9000])
    with pytest.raises(
        DataError, match=r"train-000002\.tar, pair train-000002-000004: the shard is truncated.*[Cc]opy"
    ):
        pairs[8]
    with pytest.raises(DataError, match=r"train-000002\.tar is truncated: 9000 bytes.*ssl-bench prepare"):
        ShardPairs([copied], "train")
    assert not shards.is_finished(shard)
    assert shards.is_finished(copied / "train-000000.tar")


def test_altered_byte_is_noticed(copied: Path) -> None:
    shard = copied / "train-000000.tar"
    data = bytearray(shard.read_bytes())
    data[len(data) // 3] ^= 1
    shard.write_bytes(data)
    pairs = ShardPairs([copied], "train")
    damaged = []
    for number in range(4):
        try:
            pairs[number]
        except DataError as error:
            damaged.append(str(error))
    assert len(damaged) == 1
    assert "train-000000.tar, pair train-000000-00000" in damaged[0]
    assert "was altered" in damaged[0]
    assert [line.split(": ")[1] for line in shards.ShardSet(copied).verify()] == [
        "altered or damaged (its hash differs)"
    ]


def test_missing_parts_are_named(copied: Path, tmp_path: Path) -> None:
    shards.sidecar_path(copied / "train-000000.tar").unlink()
    with pytest.raises(DataError, match=r"train-000000\.index\.json: No such file"):
        ShardPairs([copied], "train")[0]
    with pytest.raises(DataError, match=r"train-000000\.index\.json"):
        shards.write_dataset_index(copied, **FACTS)
    (copied / "val-000000.tar").unlink()
    with pytest.raises(DataError, match=r"val-000000\.tar cannot be read"):
        ShardPairs([copied], "val")
    (copied / "index.json").unlink()
    with pytest.raises(UsageError, match=r"has no index\.json"):
        shards.ShardSet(copied)
    with pytest.raises(UsageError, match="no folder"):
        shards.ShardSet(tmp_path / "nothing")
    with pytest.raises(UsageError, match="no shards"):
        shards.write_dataset_index(tmp_path, **FACTS)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("index.json", b"{", "not JSON"),
        ("index.json", b'{"schema_version": 99}', "schema version 99"),
        ("index.json", b'{"schema_version": 1}', "damaged"),
        ("train-000000.index.json", b'{"schema_version": 1, "pairs": 4}', "damaged"),
        ("train-000000.index.json", b"\xff\xfe", "not JSON"),
    ],
)
def test_damaged_indexes_are_named(copied: Path, name: str, content: bytes, message: str) -> None:
    (copied / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        ShardPairs([copied], "train")[0]
    assert name in str(caught.value)


def test_an_index_that_was_edited_is_refused(copied: Path) -> None:
    path = copied / "index.json"
    path.write_text(path.read_text().replace('"fingerprint": "', '"fingerprint": "0'))
    with pytest.raises(DataError, match="altered"):
        shards.ShardSet(copied)


def test_a_bad_sample_leaves_no_shard_behind(tmp_path: Path) -> None:
    good = make_sample(0)
    bad = FlowSample(good.image, good.flow + np.float32(np.nan), good.valid, "the clip", 7, 1)
    path = tmp_path / "train-000000.tar"
    with pytest.raises(DataError, match="'the clip', frame 7"):
        shards.write_shard(path, [good, bad])
    assert list(tmp_path.iterdir()) == []


def test_an_empty_image_is_refused(tmp_path: Path) -> None:
    empty = FlowSample(
        np.zeros((0, 5, 3), np.uint8), np.zeros((0, 5, 2), np.float32), np.zeros((0, 5), bool), "c", 0, 1
    )
    with pytest.raises(DataError, match="expected \\[H, W, 2\\]"):
        shards.write_shard(tmp_path / "train-000000.tar", [empty])


def test_rewriting_drops_the_old_index_first(tmp_path: Path) -> None:
    path = tmp_path / "train-000000.tar"
    shards.write_shard(path, [make_sample(0)])

    def interrupted() -> "list[FlowSample]":
        raise KeyboardInterrupt

    def samples():  # type: ignore[no-untyped-def]  # a generator that dies half-way
        yield make_sample(1)
        yield from interrupted()

    with pytest.raises(KeyboardInterrupt):
        shards.write_shard(path, samples())
    assert not shards.is_finished(path)
    assert [file.name for file in tmp_path.iterdir()] == ["train-000000.tar"]


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/proc").is_dir(), reason="needs a place nobody can write to")
def test_unwritable_folder_is_a_run_error() -> None:
    with pytest.raises(RunError, match="cannot write"):
        shards.write_shard(Path("/proc/ssl-motion/train-000000.tar"), [make_sample(0)])


def test_no_pairs_at_all_is_said(tmp_path: Path) -> None:
    empty = make_set(tmp_path, train=(0,), val=1)
    with pytest.raises(UsageError, match="no train pairs"):
        ShardPairs([empty], "train")
    with pytest.raises(UsageError, match="at least 1"):
        ShardPairs([empty], "val", max_pairs=0)

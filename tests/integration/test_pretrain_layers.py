"""Pretraining with a method that reads a layer: the supervised upper line, from shards and from the built-in world."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ssl_motion import puppets
from ssl_motion.data.layer_shards import LayerMap, LayerSpec, write_layer_shard
from ssl_motion.data.layers import write_layer_index
from ssl_motion.data.sample import FlowSample
from ssl_motion.data.shards import SPLITS, ShardSet, shard_name, write_dataset_index, write_shard
from ssl_motion.engine.pretrain import pretrain
from ssl_motion.errors import DataError, UsageError
from ssl_motion.prepare import makers
from ssl_motion.spec import PretrainSpec, PuppetsSpec, RuntimeSpec
from ssl_motion.spec_text import parse_spec
from ssl_motion.store import RunFolder, Store
from ssl_motion.weights import read_weights

CPU = RuntimeSpec(device="cpu", threads=1)
WORLD = PuppetsSpec(size=32, pairs=6, val_pairs=3)


def tinted(number: int) -> tuple[FlowSample, LayerMap]:
    """A picture whose left part, class 1, is red; the rest, class 0, is blue."""
    rng = np.random.default_rng([3, number])
    border = int(rng.integers(8, 24))
    image = rng.integers(0, 60, (32, 32, 3)).astype(np.uint8)
    image[:, :border, 0] += 180
    image[:, border:, 2] += 180
    labels = np.zeros((32, 32), np.uint8)
    labels[:, :border] = 1
    labels[:, border] = 255
    flow = np.zeros((32, 32, 2), np.float32)
    return FlowSample(image, flow, np.ones((32, 32), bool), "clip", number, 1), LayerMap(labels, {})


def write_labelled(folder: Path, dropped: Sequence[int] = (), shift: int = 0) -> Path:
    """12 training pairs and, from number 100 on, 4 for validation."""
    for split, first, count in (("train", 0, 12), ("val", 100, 4)):
        write_shard(folder / f"{split}-000000.tar", (tinted(number)[0] for number in range(first, first + count)))
    write_dataset_index(folder, name="t", flow_estimator="e", flow_version="1", flow_supervision="none", extra={})
    layer, data = LayerSpec("semantic", {}, 1), ShardSet(folder)
    for split in SPLITS:
        first, count = (0, 12) if split == "train" else (100, 4)
        maps = []
        for number in range(first, first + count):
            labels = tinted(number)[1].labels
            labels[labels != 255] += shift
            maps.append(LayerMap(labels, {"kept": number not in dropped}))
        write_layer_shard(folder / shard_name(split, 0), layer, maps)
    write_layer_index(data, layer)
    return folder


def run(root: Path, data: dict[str, Any], **changes: Any) -> RunFolder:
    content: dict[str, Any] = {
        "method": "supervised",
        "method_config": {"classes": 2, "width": 8},
        "backbone": {"arch": "alexnet_mini", "width": 6},
        "data": data,
        "optimizer": {"type": "adamw", "lr": 0.02},
        "schedule": {"type": "constant"},
        "iterations": 3,
        "batch_size": 4,
    }
    return pretrain(parse_spec(PretrainSpec, {**content, **changes}, "test"), CPU, Store(root / "runs"))


def test_labels_are_learned_and_only_kept_pairs_are_used(tmp_path: Path) -> None:
    folder = write_labelled(tmp_path / "pairs", dropped=[2, 3, 101])
    done = run(tmp_path, {"shards": [str(folder)]}, iterations=40)
    figures = done.summary["figures"]
    assert figures["val/acc"] > 0.9
    assert figures["val/batch_iou"] > 0.8
    assert figures["val/loss_blind"] > figures["val/loss"] + 0.1
    assert done.summary["data"]["pairs"] == 10
    assert list((done.path / "previews").iterdir())
    pretraining = read_weights(done.path)[0].pretraining
    assert pretraining is not None
    assert pretraining.pairs == 10
    assert pretraining.data_fingerprint != ShardSet(folder).fingerprint


def test_other_maps_make_another_run(tmp_path: Path) -> None:
    folder = write_labelled(tmp_path / "pairs")
    first = run(tmp_path, {"shards": [str(folder)]})
    moved = shutil.copytree(folder, tmp_path / "moved")
    assert run(tmp_path, {"shards": [str(moved)]}).path == first.path
    data = ShardSet(moved)
    layer = LayerSpec("semantic", {"by": "another hand"}, 1)
    for split in SPLITS:
        for shard, count in data.shards(split):
            write_layer_shard(shard, layer, [LayerMap(np.zeros((32, 32), np.uint8), {})] * count)
    write_layer_index(data, layer)
    assert run(tmp_path, {"shards": [str(moved)]}).path != first.path


def test_no_kept_pair_to_validate_on_is_said_and_none_to_train_on_is_an_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = write_labelled(tmp_path / "no_val", dropped=range(100, 104))
    done = run(tmp_path, {"shards": [str(folder)]})
    assert done.summary["figures"] == {}
    assert "no validation pairs that the layers semantic keep" in capfd.readouterr().err
    folder = write_labelled(tmp_path / "no_train", dropped=range(12))
    with pytest.raises(UsageError, match="no train pair is kept by the layers semantic"):
        run(tmp_path, {"shards": [str(folder)]})


def test_labels_beyond_the_classes_are_named(tmp_path: Path) -> None:
    folder = write_labelled(tmp_path / "pairs", shift=4)
    with pytest.raises(DataError, match=r"layer 'semantic' holds label 4; expected 0 to 1.*method_config\.classes"):
        run(tmp_path, {"shards": [str(folder)]})


def test_the_built_in_world_gets_its_layer_by_itself(tmp_path: Path) -> None:
    done = run(tmp_path, {"puppets": WORLD.model_dump()}, method_config={"width": 8})
    assert done.summary["data"]["pairs"] == 6
    shards = puppets.dataset_folder(WORLD, tmp_path / "runs" / "data") / "shards"
    assert (shards / "semantic.index.json").is_file()


def test_pairs_that_its_layers_drop_are_not_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Picky(makers.PuppetsClasses):
        def maps(self, *arguments: Any) -> Any:
            for number, each in enumerate(super().maps(*arguments)):
                yield LayerMap(each.labels, {"kept": number % 3 > 0})

    monkeypatch.setattr(makers, "LAYER_MAKERS", {"semantic": Picky()})
    done = run(tmp_path, {"puppets": WORLD.model_dump()}, method_config={"width": 8})
    assert done.summary["data"]["pairs"] == 4

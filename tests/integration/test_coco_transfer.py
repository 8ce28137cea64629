"""Detection from spec to record: COCO's layout and the built-in world, exact resuming, damaged images."""

import json
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from ssl_motion.backbones import build_backbone
from ssl_motion.engine.loop import ResumableTrainLoop
from ssl_motion.errors import RunError, SSLMotionError
from ssl_motion.per_image.coco_detections import figures, read_per_image_detections
from ssl_motion.record import read_record
from ssl_motion.spec import BackboneSpec, PuppetsSpec, RuntimeSpec, TransferSpec
from ssl_motion.store import RunFolder, Store
from ssl_motion.transfer import make_plan, transfer
from ssl_motion.weights import save_weights
from ssl_motion_benchmarks.coco_mask_rcnn.annotations import CLASSES

make_coco = runpy.run_path(str(Path(__file__).parents[1] / "coco_folder.py"))["make_coco"]
TRUNK = {"arch": "alexnet_mini", "width": 6}
CPU = RuntimeSpec(device="cpu")
WORLD = PuppetsSpec(size=64, train_images=8, val_images=2, test_images=6)
SMALL = {
    "train_dataloader.dataset.dataset.pipeline.2.scale": [80, 64],
    "test_dataloader.dataset.pipeline.1.scale": [80, 64],
    "model.train_cfg.rpn_proposal.max_per_img": 30,
    "model.test_cfg.rcnn.max_per_img": 10,
}


def puppets(**settings: Any) -> TransferSpec:
    config = {"preset": "puppets_coco", "backbone": TRUNK, "iterations": 6, "batch_size": 2, **settings}
    return TransferSpec(task="coco", task_config=config, puppets=WORLD, recipe_overrides={"checkpoint_every": 2})


def state(folder: RunFolder) -> dict[str, torch.Tensor]:
    last = sorted((folder.path / "checkpoints").glob("iter_*.pth"))[-1]
    content: dict[str, torch.Tensor] = torch.load(last, weights_only=True)["state_dict"]
    return content


def same(first: RunFolder, second: RunFolder) -> bool:
    one, two = state(first), state(second)
    assert one.keys() == two.keys()
    return all(torch.equal(one[name], two[name]) for name in one)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums over threads are rounded differently from sums in one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def finished(store: Store) -> RunFolder:
    torch.set_num_threads(1)
    return transfer(puppets(), CPU, store)


def test_a_run_leaves_a_record_that_its_files_confirm(finished: RunFolder) -> None:
    record = read_record(finished.path / "record.json")
    assert (record.task, record.scale, record.protocol_name) == ("coco", "builtin", "puppets_coco (changed)")
    assert record.primary.name == "bbox_AP"
    kept = read_per_image_detections(finished.path / "per_image.npz")
    assert len(kept.names) == 6
    values = {metric.name: metric.value for metric in record.metrics}
    for kind in ("bbox", "segm"):
        again = figures(kept.precision(kind), kept.thresholds, kept.areas)
        for name in ("AP", "AP50", "AP75"):
            assert values[f"{kind}_{name}"] == pytest.approx(again[name])
        assert record.details[f"{kind}_AP by area"]["small"] == pytest.approx(again["APS"])
    lines = [json.loads(line) for line in (finished.path / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert any("train/loss_mask" in line for line in lines)
    assert lines[-1]["test/bbox_AP"] == pytest.approx(values["bbox_AP"])


def test_an_interrupted_run_ends_as_if_it_had_not_been(
    tmp_path: Path, store: Store, finished: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Store(tmp_path)
    (tmp_path / "data").symlink_to(store.root / "data")
    original = ResumableTrainLoop.run_iter

    def breaks(self: ResumableTrainLoop, batches: Iterator[Any]) -> None:
        if self._iter == 3:
            raise KeyboardInterrupt
        original(self, batches)

    monkeypatch.setattr(ResumableTrainLoop, "run_iter", breaks)
    with pytest.raises((KeyboardInterrupt, SSLMotionError)):
        transfer(puppets(), CPU, other)
    monkeypatch.undo()
    # By another number of loader processes: what is drawn must not depend on it.
    resumed = transfer(puppets(), RuntimeSpec(device="cpu", workers=2), other)
    assert resumed.identity == finished.identity
    assert same(resumed, finished)
    metrics = [read_record(folder.path / "record.json").metrics for folder in (resumed, finished)]
    assert metrics[0] == metrics[1]


def test_weights_arrive_and_a_frozen_trunk_stays(tmp_path: Path, store: Store) -> None:
    spec = BackboneSpec.model_validate(TRUNK)
    torch.manual_seed(3)
    trunk = build_backbone(spec)
    save_weights(tmp_path / "w", trunk, spec=spec, method="cmp", run=None, pretraining=None, source="a test")
    what = puppets(freeze_to="conv5", iterations=2).model_copy(update={"init": str(tmp_path / "w")})
    done = transfer(what, CPU, store)
    assert read_record(done.path / "record.json").method == "cmp"
    final = state(done)
    for name, tensor in trunk.state_dict().items():
        assert torch.equal(final[f"backbone.trunk.{name}"], tensor), name


def test_the_real_layout_with_polygons_crowds_and_empty_images(tmp_path: Path) -> None:
    data = Path(make_coco(tmp_path / "data", CLASSES))
    what = TransferSpec(
        task="coco",
        task_config={"preset": "coco_small", "backbone": TRUNK, "iterations": 2, "batch_size": 2},
        recipe_overrides=SMALL,
    )
    done = transfer(what, CPU, Store(tmp_path / "runs"), data)
    record = read_record(done.path / "record.json")
    assert record.scale == "reduced"
    kept = read_per_image_detections(done.path / "per_image.npz")
    assert kept.classes == list(CLASSES)
    assert kept.object_count[0].sum() == 8, "four images with two objects; the crowd does not count"
    assert make_plan(what, Store(tmp_path / "runs"), data).folder == done
    image = data / "val2017" / "000000000002.jpg"
    image.write_bytes(image.read_bytes()[:640])
    with pytest.raises(RunError, match=r"000000000002\.jpg or its annotations cannot be used"):
        transfer(what, CPU, Store(tmp_path / "runs"), data)


@pytest.mark.long
def test_it_learns(tmp_path: Path) -> None:
    data = Path(make_coco(tmp_path / "data", CLASSES, train=24, val=12))
    values = []
    for iterations in (2, 150):
        config = {"preset": "coco_small", "backbone": TRUNK, "iterations": iterations, "batch_size": 4, "lr": 3e-3}
        what = TransferSpec(task="coco", task_config=config, recipe_overrides=SMALL)
        done = transfer(what, CPU, Store(tmp_path / "runs"), data)
        values.append({metric.name: metric.value for metric in read_record(done.path / "record.json").metrics})
    assert values[0]["bbox_AP50"] < 5
    assert values[1]["bbox_AP50"] > 30
    assert values[1]["segm_AP50"] > 30

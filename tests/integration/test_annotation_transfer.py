"""Annotation as a transfer run: baselines and published models become records, and stand in one leaderboard."""

from pathlib import Path

import pytest

from ssl_motion.contribution.checks import check_record
from ssl_motion.engine.pretrain import pretrain
from ssl_motion.errors import UsageError
from ssl_motion.record import ResultRecord, read_record
from ssl_motion.spec import PretrainSpec, PuppetsSpec, RuntimeSpec, TransferSpec
from ssl_motion.store import Store
from ssl_motion.transfer import transfer
from ssl_motion_reports.board import build_board
from ssl_motion_reports.leaderboard import as_data

WORLD = PuppetsSpec(size=64, pairs=8, val_pairs=4, train_images=2, val_images=2, test_images=6)
TINY = {
    "method": "cmp",
    "method_config": {"bins": 5, "boundary": 10.0, "decoder_width": 8, "guidance": {"strategies": ["grid"]}},
    "backbone": {"arch": "alexnet_mini", "width": 6},
    "data": {"puppets": WORLD.model_dump()},
    "optimizer": {"type": "adamw", "lr": 0.01},
    "schedule": {"type": "onecycle"},
    "iterations": 2,
    "batch_size": 4,
}


def record_of(init: str, store: Store) -> tuple[ResultRecord, Path]:
    spec = TransferSpec(task="annotation", task_config={"objects": 6}, init=init, puppets=WORLD)
    file = transfer(spec, RuntimeSpec(device="cpu"), store).path / "record.json"
    return read_record(file), file


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("runs"))


def test_models_and_baselines_are_ranked_together(store: Store, tmp_path: Path) -> None:
    run = pretrain(PretrainSpec.model_validate(TINY), RuntimeSpec(device="cpu"), store).path
    found = {init: record_of(init, store) for init in ("baseline:grabcut", str(run))}
    grabcut, cmp = (record for record, _ in found.values())
    assert (grabcut.method, grabcut.backbone, grabcut.pretraining) == ("grabcut", "whole model", None)
    assert (cmp.method, cmp.backbone) == ("cmp", "whole model")
    assert cmp.pretraining is not None
    assert cmp.pretraining.pairs == 8
    assert grabcut.protocol_fingerprint == cmp.protocol_fingerprint
    assert grabcut.primary.name == "NoC85"
    assert grabcut.details["processor seconds"]["median a click"] > 0
    assert sum(grabcut.details["objects"].values()) >= 6
    for record, file in found.values():
        faults = check_record(record, file)
        assert {fault.key for fault in faults} <= {"origin.provenance.dirty", "origin.provenance.commit"}, faults
    records = {record.identity: file for record, file in found.values()}
    board = as_data(build_board([grabcut, cmp], records, tmp_path / "draws"))
    (group,) = [each for each in board["groups"] if each["task"] == "annotation"]
    assert (group["backbone"], group["primary"], group["ranked"]) == ("whole model", "NoC85", True)
    assert sorted(entry["label"] for entry in group["entries"]) == ["cmp", "grabcut"]
    for entry in group["entries"]:
        assert entry["interval"] is not None, "over images alone, since there is one seed"


def test_starts_that_are_no_whole_model_are_refused(store: Store) -> None:
    with pytest.raises(UsageError, match=r"no baseline 'grabcutt'.*Did you mean 'grabcut'"):
        record_of("baseline:grabcutt", store)
    with pytest.raises(UsageError, match="judges whole models, and that is a backbone alone"):
        record_of("random", store)

"""Pictures of detections: a finished detector says of an image what it was scored on, and `report compare` draws it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ssl_motion.cli.reports.compare import _predictions
from ssl_motion.per_image.coco_detections import read_per_image_detections
from ssl_motion.predictions import predict
from ssl_motion.protocols import ObjectPrediction
from ssl_motion.spec import PuppetsSpec, RuntimeSpec, TransferSpec
from ssl_motion.store import RunFolder, Store
from ssl_motion.transfer import transfer
from ssl_motion_reports.compare import Difference, compare, find_sides
from ssl_motion_reports.leaderboard import collect_records

CPU = RuntimeSpec(device="cpu")
WORLD = PuppetsSpec(size=64, train_images=8, val_images=2, test_images=4)
TASK = {"preset": "puppets_coco", "backbone": {"arch": "alexnet_mini", "width": 6}, "iterations": 6, "batch_size": 2}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, list[RunFolder]]:
    """Two runs of one protocol: two seeds."""
    store = Store(tmp_path_factory.mktemp("runs"))
    specs = [TransferSpec(task="coco", task_config=TASK, puppets=WORLD, seed=seed) for seed in (0, 1)]
    return store, [transfer(spec, CPU, store) for spec in specs]


def test_detections_are_those_that_were_scored(runs: tuple[Store, list[RunFolder]]) -> None:
    store, (first, _) = runs
    kept = read_per_image_detections(first.path / "per_image.npz")
    names = kept.names[::-1]
    (found,) = predict([first.path], names, CPU, store)
    assert [each.name for each in found] == names
    for each in found:
        assert isinstance(each, ObjectPrediction)
        place = kept.names.index(each.name)
        mine = kept.image == place
        # What is scored at once and what is predicted alone are rounded differently.
        np.testing.assert_allclose(np.sort(each.prediction.scores), np.sort(kept.score[mine]), atol=1e-5)
        assert (
            np.bincount(each.prediction.labels, minlength=9).tolist()
            == np.bincount(kept.label[mine], minlength=9).tolist()
        )
        assert len(each.truth.labels) == kept.object_count[0][kept.object_image == place].sum()
        assert each.truth.masks is not None
        assert each.prediction.masks is not None
        assert each.prediction.masks.shape == (mine.sum(), *each.image.shape[:2])
        for box, mask in zip(each.truth.boxes, each.truth.masks, strict=True):
            rows, columns = np.nonzero(mask)
            around = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            np.testing.assert_allclose(box, around, atol=1.5)


def test_compare_draws_both_detections(runs: tuple[Store, list[RunFolder]], tmp_path: Path) -> None:
    store, folders = runs
    files = [folder.path / "record.json" for folder in folders]
    records, sources = collect_records(files)
    one, other, found = find_sides(*(folder.identity for folder in folders), records, sources)
    # So short a training detects nothing right, so that no image tells the two apart: two of them are named.
    names = read_per_image_detections(folders[0].path / "per_image.npz").names
    comparison = replace(compare(one, other, found), images=tuple(Difference(name, 1.0, 0.0) for name in names))
    (picture,) = _predictions(comparison, found, store, 2, None, tmp_path)
    assert picture.read_bytes().startswith(b"\x89PNG")

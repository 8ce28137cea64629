"""Pictures of predictions: a finished run's network says of an image what it was scored on."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from ssl_motion.cli import cli
from ssl_motion.errors import UsageError
from ssl_motion.per_image.confusion import confusion_cells, read_per_image
from ssl_motion.predictions import predict
from ssl_motion.spec import RuntimeSpec, TransferSpec
from ssl_motion.store import RunFolder, Store
from ssl_motion.transfer import transfer

make_devkit = runpy.run_path(str(Path(__file__).parents[1] / "voc_devkit.py"))["make_devkit"]
TRUNK = {"arch": "alexnet_mini", "width": 6}
TASK = {"preset": "voc12_fcn_small", "backbone": TRUNK, "iterations": 4, "batch_size": 4, "crop": 48, "lr": 0.01}
CPU = RuntimeSpec(device="cpu")


@pytest.fixture(scope="module")
def devkit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(make_devkit(tmp_path_factory.mktemp("data"), train=8, val=4))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, devkit: Path) -> tuple[Store, list[RunFolder]]:
    """Two runs of one protocol: two seeds."""
    store = Store(tmp_path_factory.mktemp("runs"))
    specs = [TransferSpec(task="voc_fcn", task_config=TASK, init="random", seed=seed) for seed in (0, 1)]
    return store, [transfer(spec, CPU, store, devkit) for spec in specs]


def test_predictions_are_those_that_were_scored(runs: tuple[Store, list[RunFolder]], devkit: Path) -> None:
    store, folders = runs
    matrices = [read_per_image(folder.path / "per_image.npz") for folder in folders]
    names = matrices[0].names[::-1]
    found = predict([folder.path for folder in folders], names, CPU, store)
    assert [[each.name for each in part] for part in found] == [names, names]
    for part, kept in zip(found, matrices, strict=True):
        for each in part:
            # The run's own file knows how many pixels of each class became which.
            cells, counts = confusion_cells(each.label, each.prediction, len(each.classes), each.name)
            flat = kept.of_image(kept.names.index(each.name)).ravel()
            assert list(np.flatnonzero(flat)) == list(cells)
            assert list(flat[cells]) == list(counts)
            image = devkit / "VOCdevkit/VOC2012/JPEGImages" / f"{each.name}.jpg"
            np.testing.assert_array_equal(each.image, np.asarray(Image.open(image).convert("RGB")))
            assert len(each.palette) == len(each.classes)
    assert any((one.prediction != other.prediction).any() for one, other in zip(*found, strict=True)), (
        "two seeds predict differently somewhere"
    )


def test_what_is_not_there_is_named(runs: tuple[Store, list[RunFolder]], tmp_path: Path) -> None:
    store, folders = runs
    with pytest.raises(UsageError, match="nowhere is not among the 4 images"):
        predict([folders[0].path], ["nowhere"], CPU, store)
    with pytest.raises(UsageError, match="missing"):
        predict([folders[0].path], ["nowhere"], CPU, store, tmp_path)


def test_compare_draws_both_predictions(runs: tuple[Store, list[RunFolder]], tmp_path: Path) -> None:
    store, folders = runs
    arguments = ["report", "compare", *(folder.identity for folder in folders), "--runs", store.root]
    for out in ("a", "b"):
        done = CliRunner().invoke(cli, [str(each) for each in [*arguments, "--images", "2", "--out", tmp_path / out]])
        assert done.exit_code == 0, done.output
    pictures = [(tmp_path / out / "predictions.png").read_bytes() for out in ("a", "b")]
    assert pictures[0].startswith(b"\x89PNG")
    assert pictures[0] == pictures[1]
    assert "predictions.png" in (tmp_path / "a" / "compare.md").read_text()

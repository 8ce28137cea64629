"""Faulty data and settings of a transfer are named."""

import os
import runpy
from pathlib import Path

import pytest
from click.testing import CliRunner

from ssl_motion.cli.transfer_verb import command
from ssl_motion.errors import RunError, UsageError
from ssl_motion.record import read_record
from ssl_motion.store import Store
from ssl_motion.transfer import transfer

make_devkit = runpy.run_path(str(Path(__file__).parents[1] / "voc_devkit.py"))["make_devkit"]
_runs = runpy.run_path(str(Path(__file__).parents[1] / "small_transfers.py"))
CPU, run, spec = (_runs[name] for name in ("CPU", "run", "spec"))


def test_missing_data_is_described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"missing: folder .*nowhere"):
        run(tmp_path, tmp_path / "nowhere", spec())
    monkeypatch.setenv("SSL_MOTION_DATA", str(tmp_path))
    with pytest.raises(UsageError, match="JPEGImages"):
        transfer(spec(), CPU, Store(tmp_path), None)


def test_odd_folder_names(tmp_path: Path) -> None:
    name = os.fsdecode(b"d\xe9pot de donn\xc3\xa9es")
    data = Path(make_devkit(tmp_path / name, train=4, val=2))
    done = run(tmp_path / f"runs {name}", data, spec(iterations=1))
    assert done.is_finished
    assert read_record(done.path / "record.json").primary.value >= 0


def test_wrong_labels_are_named(tmp_path: Path) -> None:
    data = Path(make_devkit(tmp_path, train=4, val=202))  # so many that `check_data` looks into every other one only
    from PIL import Image

    path = data / "VOCdevkit/VOC2012/SegmentationClass/val_001.png"
    Image.new("L", (80, 64), color=77).save(path)
    with pytest.raises(RunError, match=r"val_001\.png: label value 77, but there are 21 classes"):
        run(tmp_path, data, spec(iterations=1))


@pytest.mark.parametrize("name", ["train_001", "val_001"])
def test_images_cut_short_are_named(tmp_path: Path, name: str) -> None:
    data = Path(make_devkit(tmp_path, train=4, val=2))
    path = data / f"VOCdevkit/VOC2012/JPEGImages/{name}.jpg"
    path.write_bytes(path.read_bytes()[:640])
    with pytest.raises(RunError, match=rf"{name}\.jpg"):
        run(tmp_path, data, spec(iterations=2))


def test_wrong_training_labels_are_named(tmp_path: Path) -> None:
    from PIL import Image

    data = Path(make_devkit(tmp_path, train=202, val=2))  # as above
    for path in (data / "VOCdevkit/VOC2012/SegmentationClass").glob("train_*[13579].png"):
        Image.new("L", (80, 64), color=77).save(path)
    with pytest.raises(RunError, match=r"train_\d\d[13579]\.png: label value 77, but there are 21 classes"):
        run(tmp_path, data, spec(iterations=6))


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("optim_wrapper.optimizer.type", "Nope", "callable"),
        ("optim_wrapper.optimizer.nope", 1, "nope"),
        ("model.decode_head.type", "Nope", "Nope"),
        ("test_evaluator.nope", 1, "nope"),
    ],
)
def test_overrides_that_the_libraries_refuse_are_wrong_usage(
    tmp_path: Path, devkit: Path, key: str, value: object, words: str
) -> None:
    wrong = spec(iterations=1).model_copy(update={"recipe_overrides": {key: value}})
    with pytest.raises(UsageError, match=rf"--cfg-options {key}={value}: .*{words}"):
        run(tmp_path, devkit, wrong)


def test_overrides_in_a_spec_have_to_be_a_mapping(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text("recipe_overrides: 3\n", encoding="utf-8")
    result = CliRunner().invoke(command, ["--cfg-options", "a.b=3", str(tmp_path / "spec.yaml")])
    assert isinstance(result.exception, UsageError)
    assert "recipe_overrides: expected dotted keys" in str(result.exception)

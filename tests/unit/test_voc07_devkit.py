"""VOC 2007's devkit: what is read from it, and what is said of one that is damaged."""

import runpy
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ssl_motion.errors import DataError
from ssl_motion_benchmarks.voc07.devkit import CLASSES, read_labels, read_objects, voc_root
from ssl_motion_benchmarks.voc07.inspection import inspect_labels, inspect_objects

HELP = runpy.run_path(str(Path(__file__).parents[1] / "voc07_devkit.py"))
make_voc07, SIDE = HELP["make_voc07"], HELP["SIDE"]
SPLITS = ("trainval", "test")


@pytest.fixture(scope="module")
def devkit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(make_voc07(tmp_path_factory.mktemp("data")))


def copied(devkit: Path, tmp_path: Path) -> Path:
    """A copy to damage; returns its VOC2007 folder."""
    shutil.copytree(devkit, tmp_path / "copy")
    return tmp_path / "copy" / "VOCdevkit" / "VOC2007"


def test_labels_and_boxes_say_the_same(devkit: Path) -> None:
    folder = voc_root(devkit)
    known = read_labels(folder, "trainval", CLASSES)
    assert known.labels.shape == (40, 20)
    assert known.names[:2] == ["train_000", "train_001"]
    for name, row in zip(known.names, known.labels, strict=True):
        objects = read_objects(folder, name, CLASSES)
        sides = objects.boxes[:, 2:] - objects.boxes[:, :2]
        assert (sides == SIDE).all(), "both ends are inside"
        expected = np.full(20, -1)
        expected[objects.labels[objects.difficult]] = 0
        expected[objects.labels[~objects.difficult]] = 1
        assert row.tolist() == expected.tolist()
    assert (known.labels == 0).sum() == 8
    assert objects.size == (72, 96)


def test_a_box_over_all_of_an_image(devkit: Path, tmp_path: Path) -> None:
    folder = copied(devkit, tmp_path)
    text = (
        "<annotation><size><width>96</width><height>72</height></size><object><name>dog</name><bndbox><xmin>1</xmin>"
        "<ymin>1</ymin><xmax>96</xmax><ymax>72</ymax></bndbox><part><name>head</name><bndbox><xmin>3</xmin></bndbox>"
        "</part></object></annotation>"
    )
    path = folder / "Annotations" / "train_000.xml"
    path.write_text(text, encoding="utf-8")
    objects = read_objects(folder, "train_000", CLASSES)
    assert objects.boxes.tolist() == [[0, 0, 96, 72]]
    assert (objects.labels.tolist(), objects.difficult.tolist()) == ([11], [False])
    path.write_text(text.replace("dog", "unicorn"), encoding="utf-8")
    with pytest.raises(DataError, match=r"train_000\.xml: .*'unicorn' is none of the 20 classes"):
        read_objects(folder, "train_000", CLASSES)


@pytest.mark.parametrize("where", ["", "VOCdevkit", "VOCdevkit/VOC2007"])
@pytest.mark.parametrize("inspect", [inspect_labels, inspect_objects])
def test_a_sound_devkit(devkit: Path, where: str, inspect: Callable[..., object]) -> None:
    report = inspect(devkit / where, SPLITS, CLASSES)
    assert not report.missing  # type: ignore[attr-defined]
    assert report.fingerprint == inspect(devkit, SPLITS, CLASSES).fingerprint  # type: ignore[attr-defined]
    assert [line.split(":")[0] for line in report.found] == list(SPLITS)  # type: ignore[attr-defined]


def edit(path: str, old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = (folder / path).read_text(encoding="utf-8")
        assert old in text
        (folder / path).write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


def remove(path: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        target = folder / path
        shutil.rmtree(target) if target.is_dir() else target.unlink()

    return change


def truncate(path: str) -> Callable[[Path], None]:
    return lambda folder: (folder / path).write_bytes(b"not an image")  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (remove("JPEGImages"), "folder .*JPEGImages"),
        (remove("JPEGImages/train_003.jpg"), r"1 of 40 images of trainval in .*: train_003\.jpg"),
        (truncate("JPEGImages/test_003.jpg"), r"1 of 20 readable images of test .*: test_003\.jpg"),
        (remove("ImageSets/Main/test.txt"), r"Main/test\.txt: cannot be read"),
        (edit("ImageSets/Main/test.txt", "test_000\ntest_001", "test_000\ntest_000"), "test_000 is listed twice"),
        (remove("ImageSets/Main/dog_test.txt"), r"1 of 20 files CLASS_test\.txt .*: dog"),
        (edit("ImageSets/Main/dog_test.txt", "test_002", "test_777"), r"dog_test\.txt, line 3: image test_777 is not"),
        (edit("ImageSets/Main/dog_test.txt", "test_002 -1\n", ""), r"dog_test\.txt: says nothing on image test_002"),
        (edit("ImageSets/Main/dog_test.txt", "test_002 -1", "test_002 2"), r"line 3: expected a name and -1, 0 or 1"),
    ],
)
def test_faults_of_labels(devkit: Path, tmp_path: Path, damage: Callable[[Path], None], message: str) -> None:
    folder = copied(devkit, tmp_path)
    damage(folder)
    report = inspect_labels(folder.parents[1], SPLITS, CLASSES)
    assert report.fingerprint == ""
    with pytest.raises(AssertionError, match=message):
        raise AssertionError("\n".join(report.missing))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (remove("Annotations/test_004.xml"), r"1 of 20 annotations of test .*: test_004"),
        (edit("Annotations/test_004.xml", "</annotation>", ""), r"test_004\.xml: not a VOC annotation"),
        (
            edit("Annotations/test_004.xml", "<height>72", "<height>"),
            "no size/height|could not convert|invalid literal",
        ),
        (edit("Annotations/test_004.xml", "<width>96", "<width>95"), r"test_004\.jpg \(96 x 72, annotated 95 x 72\)"),
        (edit("Annotations/test_004.xml", "<xmax>", "<xmax>9"), r"the box .* is not inside the image of 96 x 72"),
        (edit("Annotations/test_004.xml", "<ymin>", "<ymin>-"), "is not inside"),
    ],
)
def test_faults_of_boxes(devkit: Path, tmp_path: Path, damage: Callable[[Path], None], message: str) -> None:
    folder = copied(devkit, tmp_path)
    damage(folder)
    report = inspect_objects(folder.parents[1], SPLITS, CLASSES)
    assert report.fingerprint == ""
    with pytest.raises(AssertionError, match=message):
        raise AssertionError("\n".join(report.missing))


def test_labels_and_boxes_move_the_fingerprint(devkit: Path, tmp_path: Path) -> None:
    before = [inspect(devkit, SPLITS, CLASSES).fingerprint for inspect in (inspect_labels, inspect_objects)]
    folder = copied(devkit, tmp_path)
    edit("ImageSets/Main/dog_test.txt", "test_002 -1", "test_002  0")(folder)
    edit("Annotations/test_004.xml", "<difficult>0", "<difficult>1")(folder)
    after = [inspect(folder, SPLITS, CLASSES).fingerprint for inspect in (inspect_labels, inspect_objects)]
    assert before[0] != after[0]
    assert before[1] != after[1]


def test_reading_without_a_check_is_clear_too(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"trainval\.txt: cannot be read.*VOCtrainval_06-Nov-2007\.tar"):
        read_labels(tmp_path, "trainval", CLASSES)
    with pytest.raises(DataError, match=r"000005\.xml"):
        read_objects(tmp_path, "000005", CLASSES)

"""`check_data` says exactly what of a VOC devkit is missing, and what to do."""

import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ssl_motion.protocols import DataReport
from ssl_motion.transfer import remarks_on
from ssl_motion_benchmarks.voc07_cls import Voc07Cls
from ssl_motion_benchmarks.voc_fcn import VocFCN
from ssl_motion_benchmarks.voc_fcn.devkit import CLASS_NAMES

make_devkit = runpy.run_path(str(Path(__file__).parents[1] / "voc_devkit.py"))["make_devkit"]


def check(root: Path, preset: str = "voc12_fcn_small") -> DataReport:
    return VocFCN(VocFCN.Config.model_validate({"preset": preset})).check_data(root)


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    return Path(make_devkit(tmp_path / "with a space", train=3, val=2)) / "VOCdevkit" / "VOC2012"


def test_complete_devkit_is_found_from_any_of_its_folders(voc: Path) -> None:
    reports = [check(root) for root in (voc, voc.parent, voc.parents[1])]
    assert [report.missing for report in reports] == [[], [], []]
    assert len({report.fingerprint for report in reports}) == 1
    assert reports[0].fingerprint
    assert "train: 3 images" in reports[0].found[0]
    assert "val: 2 images" in reports[0].found[1]


def test_fingerprint_follows_lists_labels_and_images(voc: Path) -> None:
    seen = {check(voc).fingerprint}
    image = voc / "JPEGImages" / "train_000.jpg"
    image.write_bytes(image.read_bytes() + b" ")
    seen.add(check(voc).fingerprint)
    label = voc / "SegmentationClass" / "val_001.png"
    pixels = np.array(Image.open(label))
    pixels[0, 0] = 6 - pixels[0, 0]
    Image.fromarray(pixels).save(label)
    seen.add(check(voc).fingerprint)
    (voc / "ImageSets/Segmentation/train.txt").write_text("train_001\ntrain_000\ntrain_002\n", encoding="utf-8")
    seen.add(check(voc).fingerprint)
    assert len(seen) == 4
    (voc / "JPEGImages" / "unlisted.jpg").write_bytes(b"")
    assert check(voc).fingerprint in seen


def test_nothing_there(tmp_path: Path) -> None:
    report = check(tmp_path)
    assert [line.split()[0] for line in report.missing] == ["folder", "folder", "list", "list"]
    assert "VOCtrainval_11-May-2012.tar" in report.how_to_get
    assert not report.fingerprint


def test_missing_files_are_counted_and_named(voc: Path) -> None:
    (voc / "JPEGImages" / "train_001.jpg").unlink()
    (voc / "SegmentationClass" / "val_000.png").unlink()
    report = check(voc)
    assert len(report.missing) == 2
    assert "1 of 3 images of train.txt" in report.missing[0]
    assert "train_001.jpg" in report.missing[0]
    assert "1 of 2 labels of val.txt" in report.missing[1]
    assert "val_000.png" in report.missing[1]


def test_labels_saved_as_rgb_are_noticed(voc: Path) -> None:
    path = voc / "SegmentationClass" / "train_002.png"
    Image.open(path).convert("RGB").save(path)
    (voc / "SegmentationClass" / "train_000.png").write_bytes(b"not a picture")
    report = check(voc)
    assert "train_000.png (not a PNG), train_002.png (saved as RGB)" in report.missing[0]
    assert "palette" in report.how_to_get


def test_images_that_do_not_fit_their_labels_are_noticed(voc: Path) -> None:
    path = voc / "SegmentationClass" / "train_002.png"
    Image.open(path).resize((40, 30), Image.Resampling.NEAREST).save(path)
    (voc / "JPEGImages" / "train_000.jpg").write_bytes(b"")
    report = check(voc)
    assert "train_000.jpg (not an image), train_002.jpg (" in report.missing[0]
    assert "its label 40 x 30" in report.missing[0]


def test_labels_of_other_numbers_are_noticed(voc: Path) -> None:
    path = voc / "SegmentationClass" / "val_001.png"
    Image.new("L", (80, 64), color=77).save(path)
    report = check(voc)
    assert "val_001.png (value 77, but there are 21 classes" in report.missing[0]
    assert "class numbers" in report.how_to_get


def test_empty_list_is_noticed(voc: Path) -> None:
    (voc / "ImageSets/Segmentation/val.txt").write_text("\n", encoding="utf-8")
    assert "val.txt is empty" in check(voc).missing[0]


def test_augmented_presets_say_how_to_get_sbd_and_take_both_layouts(voc: Path) -> None:
    report = check(voc, "voc12_fcn_r50_mmseg")
    assert report.missing[0].endswith("SegmentationClassAug")
    assert report.missing[1].endswith("aug.txt (there: train.txt, val.txt)")
    assert "voc_aug.py" in report.how_to_get
    assert "trainaug.txt" in report.how_to_get
    shutil.copytree(voc / "SegmentationClass", voc / "SegmentationClassAug")
    lists = voc / "ImageSets" / "Segmentation"
    (lists / "aug.txt").write_text("train_000\n", encoding="utf-8")
    first = check(voc, "voc12_fcn_r50_mmseg")
    assert not first.missing
    (lists / "trainaug.txt").write_text((lists / "train.txt").read_text(encoding="utf-8"), encoding="utf-8")
    second = check(voc, "voc12_fcn_r50_mmseg")
    assert not second.missing
    assert first.fingerprint != second.fingerprint
    assert "trainaug" in second.found[0]


def test_sample_data(sample_data: Path) -> None:
    report = check(sample_data)
    assert not report.missing
    assert "train: 110 images" in report.found[0]
    assert "val: 50 images" in report.found[1]


def few(root: Path, **settings: float) -> DataReport:
    return VocFCN(VocFCN.Config.model_validate({"preset": "voc12_fcn_small", **settings})).check_data(root)


def test_few_labels_are_counted_and_classes_without_one_are_named(voc: Path) -> None:
    shown = {}
    for name in ("train_000", "train_001", "train_002"):
        pixels = np.array(Image.open(voc / "SegmentationClass" / f"{name}.png"))
        shown[name] = set(pixels[(pixels > 0) & (pixels < 255)].tolist())
    assert check(voc).remarks == []
    report = few(voc, label_fraction=0.34)
    assert report.remarks[0].startswith("1 of 3 labelled images are trained on; none of them shows: ")
    (path,) = report.training_images
    unseen = report.remarks[0].partition("shows: ")[2].split(", ")
    assert unseen == [name for number, name in enumerate(CLASS_NAMES) if number and number not in shown[path.stem]]
    every = few(voc, shots=2)
    assert len(every.training_images) == int(every.remarks[0].split()[0])
    assert few(voc, train_images=2).training_images == check(voc).training_images[:2]


def test_labels_so_few_that_nothing_can_be_learned_are_refused(voc: Path) -> None:
    report = few(voc, label_fraction=0.1)
    assert report.missing == ["label_fraction: 0.1 of 3 images is not one image; the smallest share is 0.33"]
    assert not report.fingerprint
    assert few(voc, train_images=4).missing == ["train_images: 4 asked for, but the list has 3 images"]
    for path in (voc / "SegmentationClass").glob("train_*.png"):
        Image.fromarray(np.zeros((64, 80), np.uint8)).save(path)
    assert "none of the 1 chosen images shows any class" in few(voc, label_fraction=0.34).missing[0]
    assert "shows any class but the background" in few(voc, shots=1).missing[0]


def test_images_in_both_lists_can_be_seen(voc: Path) -> None:
    lists = voc / "ImageSets/Segmentation"
    assert remarks_on(check(voc)) == []
    (lists / "val.txt").write_text("val_000\ntrain_001\n", encoding="utf-8")
    (remark,) = remarks_on(check(voc))
    assert remark.startswith("1 of the 2 test images are training images too (train_001.jpg)")


def test_the_classes_are_those_of_mmsegmentation() -> None:
    from mmseg.datasets import PascalVOCDataset

    assert tuple(PascalVOCDataset.METAINFO["classes"]) == CLASS_NAMES


def test_a_folder_without_a_devkit_is_told_where_one_may_be(tmp_path: Path) -> None:
    first = check(tmp_path).missing[0]
    assert first == f"folder JPEGImages in {tmp_path} (or {tmp_path}/VOC2012 or {tmp_path}/VOCdevkit/VOC2012)"
    with_labels = Voc07Cls(Voc07Cls.Config.model_validate({"preset": "voc07_svm"})).check_data(tmp_path)
    assert with_labels.missing[0].endswith(f"in {tmp_path} (or {tmp_path}/VOC2007 or {tmp_path}/VOCdevkit/VOC2007)")

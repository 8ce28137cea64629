"""`check_data` says exactly what of LIP or CIHP is missing, and what to do."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ssl_motion.protocols import DataReport
from ssl_motion.transfer import remarks_on
from ssl_motion_benchmarks.lip import LIP


def check(root: Path, preset: str = "lip_fcn_small") -> DataReport:
    return LIP(LIP.Config.model_validate({"preset": preset})).check_data(root)


def write(image: Path, label: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for path in (image, label):
        path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rng.integers(0, 255, (30, 20, 3), dtype=np.uint8)).save(image)
    Image.fromarray(rng.integers(0, 20, (30, 20), dtype=np.uint8)).save(label)


@pytest.fixture
def lip(tmp_path: Path) -> Path:
    root = tmp_path / "a folder" / "LIP"
    for split in ("train", "val"):
        for number in range(3):
            name = f"{split}_{number}"
            write(root / f"{split}_images" / f"{name}.jpg", root / f"{split}_segmentations" / f"{name}.png", number)
        (root / f"{split}_id.txt").write_text("".join(f"{split}_{number}\n" for number in range(3)))
    return root


@pytest.fixture
def published_cihp(tmp_path: Path) -> Path:
    root = tmp_path / "instance-level_human_parsing"
    for split, folder in (("train", "Training"), ("val", "Validation")):
        for number in range(2):
            name = f"{number:07d}"
            write(root / folder / "Images" / f"{name}.jpg", root / folder / "Category_ids" / f"{name}.png", number)
        (root / folder / f"{split}_id.txt").write_text("0000000\n0000001\n")
    return root


def test_complete_data_are_found_from_above_and_from_within(lip: Path) -> None:
    reports = [check(root) for root in (lip, lip.parent)]
    assert [report.missing for report in reports] == [[], []]
    assert reports[0].fingerprint == reports[1].fingerprint != ""
    assert "train: 3 images" in reports[0].found[0]


def test_both_layouts_of_cihp_are_the_same_data(published_cihp: Path, tmp_path: Path) -> None:
    published = check(published_cihp.parent, "cihp_fcn_small")
    assert published.missing == []
    other = tmp_path / "other"
    for split, folder in (("train", "Training"), ("val", "Validation")):
        for old, new in (("Images", "images"), ("Category_ids", "labels")):
            shutil.copytree(published_cihp / folder / old, other / new, dirs_exist_ok=True)
        (other / "list").mkdir(exist_ok=True)
        shutil.copy(published_cihp / folder / f"{split}_id.txt", other / "list")
    assert check(other, "cihp_fcn_small").fingerprint == published.fingerprint


def test_nothing_there(tmp_path: Path) -> None:
    for preset, words in (("lip_fcn_r50", "TrainVal_images"), ("cihp_fcn_r50", "instance-level_human_parsing")):
        report = check(tmp_path, preset)
        assert len(report.missing) == 6 if preset.startswith("lip") else 4
        assert words in report.how_to_get
        assert not report.fingerprint


def test_lost_files_are_counted_and_named(lip: Path) -> None:
    (lip / "train_images" / "train_1.jpg").unlink()
    (lip / "val_segmentations" / "val_2.png").unlink()
    first, second = check(lip).missing
    assert first.startswith("1 of 3 images in")
    assert "train_id.txt: train_1.jpg" in first
    assert second.startswith("1 of 3 labels in")
    assert "val_2.png" in second


def test_labels_that_are_no_part_numbers_are_named(lip: Path) -> None:
    folder = lip / "train_segmentations"
    Image.open(folder / "train_0.png").convert("RGB").save(folder / "train_0.png")
    pixels = np.array(Image.open(folder / "train_1.png"))
    pixels[3, 4] = 20
    Image.fromarray(pixels).save(folder / "train_1.png")
    (folder / "train_2.png").write_bytes(b"no picture")
    report = check(lip)
    assert "3 of 3 files" in report.missing[0]
    for words in ("train_0.png (saved as RGB)", "train_1.png (value 20", "train_2.png (not an image)"):
        assert words in report.missing[0]
    assert "Category_ids" in report.how_to_get
    assert "TrainVal_images" not in report.how_to_get


def test_255_is_unknown_and_pictures_must_fit(lip: Path) -> None:
    path = lip / "val_segmentations" / "val_0.png"
    pixels = np.array(Image.open(path))
    before = check(lip).fingerprint
    pixels[0, 0] = 255
    Image.fromarray(pixels).save(path)
    after = check(lip)
    assert after.missing == []
    assert after.fingerprint != before
    Image.fromarray(pixels[:-1]).save(path)
    assert "val_0.jpg (20 x 30, its label 20 x 29)" in check(lip).missing[0]


def test_wrong_lists(lip: Path) -> None:
    (lip / "val_id.txt").unlink()
    (lip / "train_id.txt").write_text("\n")
    report = check(lip)
    assert f"list {lip / 'val_id.txt'}" in report.missing
    assert f"{lip / 'train_id.txt'} is empty" in report.missing
    (lip / "train_id.txt").write_bytes(b"\xff\xfe")
    assert f"{lip / 'train_id.txt'} is no list of names" in check(lip).missing


def test_sample_data(sample_data: Path) -> None:
    report = check(sample_data, "cihp_fcn_small")
    assert report.missing == []
    assert "train: 5 images" in report.found[0]
    assert "val: 5 images" in report.found[1]


def test_a_sample_whose_lists_name_the_same_images_is_remarked(tmp_path: Path) -> None:
    root = tmp_path / "CIHP"
    for number in range(3):
        write(root / "images" / f"{number}.jpg", root / "labels" / f"{number}.png", number)
    for split, names in (("train", "0\n1\n2\n"), ("val", "1\n2\n")):
        (root / "list").mkdir(exist_ok=True)
        (root / "list" / f"{split}_id.txt").write_text(names)
    report = check(tmp_path, "cihp_fcn_small")
    assert report.missing == []
    (remark,) = remarks_on(report)
    assert remark.startswith("2 of the 2 test images are training images too (1.jpg, 2.jpg)")

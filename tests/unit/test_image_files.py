"""What image files tell before a run: shared between lists, cut short."""

import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ssl_motion.data.image_files import check_images, evenly, shared_images
from ssl_motion.data.label_images import value_problem
from ssl_motion.errors import DataError
from ssl_motion.frozen.views import opened_image


def picture(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (24, 30, 3), dtype=np.uint8)).save(path)
    return path


def pictures(folder: Path, numbers: range, suffix: str = ".jpg") -> list[Path]:
    return [picture(folder / f"{number:03d}{suffix}", number) for number in numbers]


def test_files_of_both_lists_are_found(tmp_path: Path) -> None:
    files = pictures(tmp_path, range(8))
    assert shared_images(files[:5], files[5:]) == ""
    said = shared_images(files[:5], files[3:])
    assert said.startswith("2 of the 5 test images are training images too (003.jpg, 004.jpg)")
    assert shared_images(files, files).startswith("8 of the 8 test images")


def test_copies_under_the_same_name_are_found_and_namesakes_are_not(tmp_path: Path) -> None:
    training = pictures(tmp_path / "train/cat", range(6)) + pictures(tmp_path / "train/dog", range(10, 13))
    namesakes = [picture(tmp_path / "val/cat" / path.name, 100 + number) for number, path in enumerate(training)]
    assert shared_images(training, namesakes) == ""
    shutil.copy(training[2], namesakes[2])
    said = shared_images(training, namesakes)
    assert said.startswith("1 of the 9 test images are copies of training images (002.jpg)")
    (tmp_path / "again").symlink_to(tmp_path / "train", target_is_directory=True)
    again = [tmp_path / "again" / path.relative_to(tmp_path / "train") for path in training]
    assert shared_images(training, again).startswith("9 of the 9 test images are copies")


def test_of_many_namesakes_a_hundred_are_compared(tmp_path: Path) -> None:
    training = pictures(tmp_path / "train", range(250))
    test = [Path(shutil.copy(path, picture(tmp_path / "val" / path.name, 0))) for path in training]
    assert shared_images(training, test).startswith("100 of the 100 (of 250) compared test images are copies")


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("number", [0, 123, 399])
def test_a_file_cut_short_is_found_among_many(tmp_path: Path, suffix: str, number: int) -> None:
    first = picture(tmp_path / f"000{suffix}", 0)
    files = [first] + [Path(shutil.copy(first, tmp_path / f"{each:03d}{suffix}")) for each in range(1, 400)]
    assert check_images(files).damaged == ()
    files[number].write_bytes(first.read_bytes()[:-40])
    found = check_images(files)
    assert found.ends == 400
    assert found.decoded < 400
    assert [each.split(" (")[0] for each in found.damaged] == [str(files[number])]


def test_whole_files_with_something_behind_their_end_are_no_fault(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.jpg", 1)
    path.write_bytes(path.read_bytes() + b"maker's note" * 40)
    assert check_images([path]).damaged == ()
    (tmp_path / "b.jpg").write_text("no image at all")
    found = check_images([path, tmp_path / "b.jpg", tmp_path / "gone.jpg"])
    assert [each.split(" (")[0] for each in found.damaged] == [str(tmp_path / "gone.jpg"), str(tmp_path / "b.jpg")]


def test_a_header_that_claims_more_pixels_than_any_image_has_is_a_fault(tmp_path: Path) -> None:
    whole = picture(tmp_path / "a.png", 1).read_bytes()
    header = b"IHDR" + struct.pack(">II", 60_000, 60_000) + whole[24:29]
    claiming = whole[:12] + header + struct.pack(">I", zlib.crc32(header)) + whole[33:]
    (tmp_path / "b.png").write_bytes(claiming)
    (fault,) = check_images([tmp_path / "a.png", tmp_path / "b.png"]).damaged
    assert fault.startswith(f"{tmp_path / 'b.png'} (")
    assert "3600000000 pixels" in fault
    # Nor is it a bug where it is met later, or among labels.
    assert value_problem(claiming, 3) == "not readable"
    with (
        pytest.raises(DataError, match=r"b\.png: cannot be read as an image.*3600000000 pixels"),
        opened_image(tmp_path / "b.png"),
    ):
        pass


def test_a_spread_sample_is_even_and_of_its_size() -> None:
    files = [Path(str(number)) for number in range(1000)]
    assert [int(path.name) for path in evenly(files, 10)] == list(range(0, 1000, 100))
    assert evenly(files[:7], 10) == files[:7]

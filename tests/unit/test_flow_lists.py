"""The original CMP list files, in both modes."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from ssl_motion.errors import DataError, UsageError
from ssl_motion.flow import formats, lists


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """A folder with two frames of 24x16 and their flow, (2, -3) px everywhere, in every form."""
    folder = tmp_path / "clip 1"
    folder.mkdir()
    image = np.zeros((16, 24, 3), np.uint8)
    image[..., 2] = 200  # cv2's red
    for name in ("f_003.png", "f_005.png", "other.png"):
        cv2.imwrite(str(folder / name), image)
    cv2.imwrite(str(folder / "wide_4.png"), np.zeros((16, 30, 3), np.uint8))
    flow = np.full((16, 24, 2), (2, -3), np.float32)
    formats.write_jpeg_pair(folder / "x.jpg", folder / "y.jpg", flow)
    formats.write_flo(folder / "f.flo", flow)
    formats.write_kitti(folder / "k.png", flow)
    return tmp_path


def write_list(folder: Path, *lines: str) -> Path:
    path = folder / "train.txt"
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))
    return path


def test_both_modes_give_the_same_sample(frames: Path) -> None:
    clip = "clip 1/"
    columns = [
        [f"{clip}f_003.png", f"{clip}f_005.png", f"{clip}x.jpg", f"{clip}y.jpg"],
        [f"{clip}f_003.png", f"{clip}f_005.png", f"{clip}f.flo"],
        [f"{clip}f_003.png", f"{clip}f_005.png", f"{clip}k.png"],
    ]
    path = write_list(frames, "\t".join(columns[0]), "", "\t".join(columns[1]), "\t".join(columns[2]) + "\r")
    entries = list(lists.read_list(path, frames))
    assert [entry.where.rsplit(":", 1)[1] for entry in entries] == ["1", "3", "4"]
    for entry, exactness in zip(entries, (0.2, 0, 0), strict=True):
        sample = lists.load_entry(entry)
        assert (sample.clip, sample.frame, sample.gap) == ("clip 1", 3, 2)
        assert np.abs(sample.flow - (2, -3)).max() <= exactness + 1e-6
        assert sample.image[0, 0].tolist() == [200, 0, 0]


def test_columns_are_split_as_in_the_original(tmp_path: Path) -> None:
    path = write_list(tmp_path, "a/0001.jpg  a/0002.jpg\tb/fx.jpg b/fy.jpg", "c.jpg d.jpg e.flo")
    first, second = lists.read_list(path)
    assert first.flow == (Path("b/fx.jpg"), Path("b/fy.jpg"))
    assert (first.clip, first.frame, first.gap) == ("a", 1, 1)
    assert (second.clip, second.frame, second.gap) == (".", 1, 1)
    assert second.image0 == Path("c.jpg")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a.jpg b.jpg", "train.txt:2: 2 columns; expected"),
        ("my a.jpg my b.jpg x.jpg y.jpg", "train.txt:2: 6 columns; .*separate the columns by tabs"),
        ("a.jpg b.jpg c.txt", r"train.txt:2: 'c.txt' is no known kind of flow file"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, line: str, message: str) -> None:
    path = write_list(tmp_path, "a.jpg b.jpg c.flo", line)
    good, bad = lists.read_list(path)
    assert isinstance(good, lists.ListEntry)
    assert isinstance(bad, DataError)
    assert re.search(message, str(bad))


def test_missing_list_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read list"):
        list(lists.read_list(tmp_path / "none.txt"))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (("wide_4.png", "f_003.png", "f.flo"), r"must agree in size: .*wide_4.png is 30 x 16.*f.flo is 24 x 16"),
        (("f_003.png", "wide_4.png", "f.flo"), r"must agree in size: .*wide_4.png is 30 x 16"),
        (("none.png", "f_005.png", "f.flo"), r"cannot read .*none.png: No such file"),
        (("f_003.png", "none.png", "f.flo"), r"cannot read .*none.png"),
        (("f_003.png", "f_005.png", "none.flo"), r"cannot read .*none.flo"),
        (("f.flo", "f_005.png", "f.flo"), r"f.flo is no readable image"),
        (("f_003.png", "f.flo", "f.flo"), r"cannot read .*f.flo"),
    ],
)
def test_files_that_do_not_fit_name_the_line(frames: Path, columns: tuple[str, ...], message: str) -> None:
    path = write_list(frames, "\t".join(f"clip 1/{column}" for column in columns))
    (entry,) = lists.read_list(path, frames)
    with pytest.raises(DataError, match=message) as caught:
        lists.load_entry(entry)
    assert str(caught.value).startswith(f"{path}:1: ")


def test_names_that_are_no_utf8_are_found(frames: Path) -> None:
    odd = "clip 1/\udcff_7.png"
    try:
        (frames / odd).write_bytes((frames / "clip 1" / "f_003.png").read_bytes())
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    path = write_list(frames, f"{odd}\tclip 1/f_005.png\tclip 1/f.flo")
    (entry,) = lists.read_list(path, frames)
    assert lists.load_entry(entry).frame == 7

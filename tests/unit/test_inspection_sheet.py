"""Contact sheets: what is pasted where, rings, captions, and the text that their files carry."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ssl_motion.inspection.sheet import Cell, Row, Sheet
from ssl_motion.lettering import font, wrapped

RNG = np.random.default_rng(2)


def picture(height: int, width: int) -> np.ndarray:
    return RNG.integers(0, 256, (height, width, 3)).astype(np.uint8)


def places(sheet: np.ndarray, part: np.ndarray) -> list[tuple[int, int]]:
    """Upper left corners of a part in a sheet, whose outermost pixels a rim may cover."""
    inner = part[1:-1, 1:-1]
    rows, columns = sheet.shape[0] - part.shape[0], sheet.shape[1] - part.shape[1]
    return [
        (row, column)
        for row, column in np.argwhere((sheet[1 : rows + 2, 1 : columns + 2] == inner[0, 0]).all(axis=-1))
        if np.array_equal(sheet[row + 1 : row + 1 + inner.shape[0], column + 1 : column + 1 + inner.shape[1]], inner)
    ]


def test_pictures_stand_side_by_side_enlarged_by_whole_numbers() -> None:
    first, second = picture(50, 40), picture(160, 200)
    sheet = Sheet("title", "", [Row([Cell(first), Cell(second)], "heading")]).draw()
    ((top, left),) = places(sheet, first.repeat(3, axis=0).repeat(3, axis=1))
    ((other_top, other_left),) = places(sheet, second)
    assert (other_top, other_left) == (top, left + 120 + 8)


def test_large_pictures_are_reduced_in_proportion() -> None:
    flat = np.full((640, 1000, 3), 77, np.uint8)
    sheet = Sheet("title", "", [Row([Cell(flat)])]).draw()
    rows, columns = np.nonzero((sheet == 77).all(axis=-1))
    assert (np.ptp(rows) + 3, np.ptp(columns) + 3) == (320, 500)  # a rim of one pixel around it


@pytest.mark.parametrize("height", [48, 150, 640])
def test_a_ring_is_drawn_around_the_pixel_and_the_picture_given_stays_as_it_is(height: int) -> None:
    given_picture = np.full((height, height, 3), 100, np.uint8)
    mark = (0.25 * height, 0.5 * height)
    sheets = [Sheet("t", "", [Row([Cell(given_picture, mark=each)])]).draw() for each in (None, mark)]
    assert (given_picture == 100).all()
    rows, columns = np.nonzero((sheets[0] != sheets[1]).any(axis=-1))
    inside_rows, inside_columns = np.nonzero((sheets[0] == 100).all(axis=-1))
    drawn = {48: 144, 150: 150, 640: 320}[height]
    middle = (rows.min() + rows.max()) / 2 - inside_rows.min() + 1, (columns.min() + columns.max()) / 2
    assert middle[0] == pytest.approx(drawn / 2, abs=2.5)
    assert middle[1] - inside_columns.min() + 1 == pytest.approx(drawn / 4, abs=2.5)
    assert 14 <= np.ptp(rows) <= 18


def test_the_file_carries_its_text_and_is_the_same_every_time(tmp_path: Path) -> None:
    sheet = Sheet("Kernel rows", "Größe: 96 x 96 pixels", [Row([Cell(picture(60, 60), "a caption")])])
    for name in ("a.png", "b.png"):
        sheet.write(tmp_path / "new" / name)
    assert (tmp_path / "new" / "a.png").read_bytes() == (tmp_path / "new" / "b.png").read_bytes()
    with Image.open(tmp_path / "new" / "a.png") as image:
        assert image.text == {"Title": "Kernel rows", "Description": "Größe: 96 x 96 pixels"}
        assert np.array_equal(np.asarray(image), sheet.draw())


@given(st.lists(st.text("abcdefgh", min_size=1, max_size=12), max_size=30), st.integers(20, 300))
def test_lines_hold_all_words_and_are_no_wider_than_they_may_be(words: list[str], width: int) -> None:
    lines = wrapped(" ".join(words), font(12), width)
    assert " ".join(lines).split() == words
    for line in lines:
        assert font(12).getlength(line) <= width or " " not in line

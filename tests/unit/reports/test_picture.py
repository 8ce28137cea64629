"""The leaderboard's picture: every protocol, rows told apart, and the same words as in the tables."""

import dataclasses

import pytest

from ssl_motion_reports.board import build_board
from ssl_motion_reports.picture import MOST_PANELS, MOST_ROWS, draw
from ssl_motion_reports.texts import how_to_read_letters


@pytest.fixture
def make_protocols(make_record):
    """Make a board: boards(protocols, rows of each)."""

    def make(protocols, rows):
        return build_board(
            [
                make_record(
                    f"method{row}", 0, 20.0 + row, protocol={"v": number}, protocol_name=f"protocol{number:02d}"
                )
                for number in range(protocols)
                for row in range(rows)
            ]
        )

    return make


def test_every_protocol_has_a_panel_and_rows_that_are_left_out_are_counted(make_protocols, tmp_path, drawn_axes):
    draw(make_protocols(MOST_PANELS, 9), tmp_path / "a.png", dpi=30)
    axes = drawn_axes()
    assert len(axes) == MOST_PANELS
    rows = [len(each.get_yticks()) for each in axes]
    assert sum(rows) <= MOST_ROWS
    most = MOST_ROWS // MOST_PANELS
    assert set(rows) == {most}
    for each in axes:
        words = [text.get_text() for text in each.texts]
        assert any(f"the best {most} of 9 rows: all are in leaderboard.html" in text for text in words)
    draw(make_protocols(3, 9), tmp_path / "a.png", dpi=30)
    assert [len(each.get_yticks()) for each in drawn_axes()] == [9, 9, 9]


def test_protocols_without_a_panel_are_named(make_protocols, tmp_path, drawn_texts):
    draw(make_protocols(MOST_PANELS + 2, 1), tmp_path / "a.png", dpi=30)
    (note,) = [text for text in drawn_texts if "Not drawn" in text]
    note = " ".join(note.split())
    for number in range(MOST_PANELS, MOST_PANELS + 2):
        assert f"protocol{number:02}" in note
    assert "leaderboard.html" in note


def test_rows_with_long_names_are_told_apart(make_record, tmp_path, drawn_axes):
    long = [
        {"a_setting_with_a_long_name": 1, "another_setting_with_a_long_name": 1, "one_more_of_them": n} for n in "xyz"
    ]
    records = [make_record("cmp", 0, 30.0)] + [make_record("cmp", 0, 31.0, spec=each) for each in long]
    records += [make_record("cmp", 0, 32.0, spec={"grid_stride": n, "kernel_size": 3}) for n in (11, 16)]
    draw(build_board(records), tmp_path / "a.png", dpi=30)
    names = [text.get_text() for text in drawn_axes()[0].get_yticklabels()]
    assert len(set(names)) == len(names) == 6
    whole = {name.replace("\n", " ") for name in names}
    assert {"cmp (grid_stride=11, kernel_size=3)", "cmp (grid_stride=16, kernel_size=3)"} <= whole
    assert all(name.count("\n") <= 2 for name in names)


def test_the_test_and_the_number_of_images_are_those_of_the_tables(make_record, tmp_path, drawn_texts):
    spec = {"puppets": {"world": "still", "size": 96, "train_images": 400, "test_images": 500}}
    records = [
        make_record(method, seed, mean + seed, spec_of_task=spec)
        for method, mean in (("cmp", 40.0), ("walker", 30.0))
        for seed in (0, 1)
    ]
    board = build_board(records)
    (group,) = board.groups
    entries = tuple(
        dataclasses.replace(
            entry, interval=dataclasses.replace(entry.interval, sources=("seeds", "images"), images=435)
        )
        for entry in group.entries
    )
    judged = dataclasses.replace(group, entries=entries, differences=dataclasses.replace(group.differences, images=435))
    for each, test in ((group, "Tukey's HSD over seeds, family-wise 95 %"),
                       (judged, "over seeds and test images, family-wise 95 %")):  # fmt: skip
        assert test in how_to_read_letters(each)
        task = dataclasses.replace(board.tasks[0], groups=(each,))
        draw(dataclasses.replace(board, tasks=(task,)), tmp_path / "a.png", dpi=30)
        assert any(f"not told apart ({test})" in text for text in drawn_texts)
    assert any("435 test images" in text for text in drawn_texts)
    assert not any("500 test images" in text for text in drawn_texts)

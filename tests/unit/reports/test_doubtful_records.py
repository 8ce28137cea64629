"""Records that cannot both be true, or not be true beside their per-image statistics, are named."""

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ssl_motion.cli import cli
from ssl_motion.fileio import write_json
from ssl_motion_reports.board import build_board
from ssl_motion_reports.leaderboard import collect_records
from ssl_motion_reports.statistics import images

_runs = runpy.run_path(str(Path(__file__).parents[2] / "contributed_runs.py"))
COMMITTED, FROM, change, content_of, make_run, put = (
    _runs[name] for name in ("COMMITTED", "FROM", "change", "content_of", "make_run", "put")
)
Edit = Callable[[dict[str, Any]], None]
FIGURE: Edit = change("metrics", 0, "value", to=99.9)
LATER: Edit = change(*FROM, "finished", to="2999-01-01T00:00:00+00:00")


def edited(folder: Path, *edits: Edit) -> Path:
    content = content_of()
    for edit in edits:
        edit(content)
    folder.mkdir()
    file: Path = put(folder, content)
    return file


def test_an_edited_copy_of_a_committed_record_is_named_in_reports(tmp_path: Path) -> None:
    file = edited(tmp_path / "mine", FIGURE)
    true = content_of()["metrics"][0]["value"]
    folders = ["--runs", str(tmp_path), "--records", str(file.parent), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(cli, ["report", "paper", *folders])
    assert done.exit_code == 0, done.output
    (said,) = [line for line in done.stderr.splitlines() if "drawing test images" not in line]
    committed = COMMITTED / file.name
    assert f"mIoU ({true} and 99.9): {committed} and {file}. Taken is {file}, which comes first" in said
    assert "two records" not in done.stdout


@pytest.mark.parametrize(
    ("edits", "first", "said"),
    [
        ((FIGURE,), True, "mIoU ({true} and 99.9): {committed} and {mine}. Taken is {mine}, which comes first"),
        ((FIGURE,), False, "mIoU (99.9 and {true}): {mine} and {committed}. Taken is {committed}, which comes first"),
        (
            (FIGURE, LATER),
            False,
            "mIoU ({true} and 99.9): {committed} and {mine}. Taken is {mine}, which was finished later",
        ),
        ((change("details", "IoU", "person", to=1.5),), True, "IoU person ("),
        ((), True, ""),
        ((LATER,), False, ""),
    ],
)
def test_two_records_of_one_run_are_named_where_their_figures_differ(
    edits: tuple[Edit, ...], first: bool, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = edited(tmp_path / "mine", *edits)
    committed = COMMITTED / mine.name
    (record,), sources = collect_records([mine, committed] if first else [committed, mine])
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == bool(said)
    true = content_of()["metrics"][0]["value"]
    assert said.format(true=true, committed=committed, mine=mine) in "".join(lines)
    kept = json.loads(sources[record.identity].read_bytes())
    assert record.primary.value == kept["metrics"][0]["value"]


@pytest.mark.parametrize("place", [0, 1])
def test_a_figure_that_the_images_do_not_give_is_named_in_every_report_once(
    place: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, cache = make_run(tmp_path / "runs", content_of(), with_images=True), tmp_path / "draws"
    file = run.path / "record.json"
    records, sources = collect_records([file])
    build_board(records, sources)  # keeps nothing: what a report learned of the true record does not help
    assert capsys.readouterr().err == ""
    content = json.loads(file.read_bytes())
    metric = content["metrics"][place]
    true, metric["value"] = metric["value"], metric["value"] + 0.01
    write_json(file, content)
    for _ in range(2):
        images._say_once.cache_clear()  # as in a process of its own
        records, sources = collect_records([file])
        build_board(records, sources, cache)
        build_board(records, sources, cache)
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"{file}: {metric['name']} is {metric['value']}, the per-image statistics give ")
        assert str(true)[:12] in line

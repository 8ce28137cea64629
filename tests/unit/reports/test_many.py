"""Leaderboards of many records: broken files among them, pictures that stop, no time that grows with the square."""

import json
import random
import runpy
import time
from pathlib import Path
from typing import Any

import matplotlib.image
import pytest
from click.testing import CliRunner

from ssl_motion.cli import cli
from ssl_motion.errors import DataError
from ssl_motion.record import read_record
from ssl_motion_reports import page
from ssl_motion_reports.board import build_board
from ssl_motion_reports.leaderboard import collect_records, folder_records
from ssl_motion_reports.picture import MOST_ROWS, draw

ROOT = Path(__file__).resolve().parents[3]
many = runpy.run_path(str(ROOT / "tests" / "many_records.py"))
WHOLE = (ROOT / "reports" / "records" / "puppets_fcn-cmp-s0-3ec3aa79fbe59108.json").read_bytes()
BROKEN: dict[str, bytes] = {
    "empty": b"",
    "half": WHOLE[:3000],
    "nan-in-protocol": WHOLE.replace(b'"protocol": {', b'"protocol": {"x": NaN,', 1),
    "infinity-in-protocol": WHOLE.replace(b'"protocol": {', b'"protocol": {"x": -Infinity,', 1),
    "list": b"[]",
    "binary": bytes(range(256)),
    "no-number": b'{"schema_version": 1, "seed": NaN}',
    "too-large": b'{"schema_version": 1, "seed": 1e999}',
    "deep": b"[" * 100_000,
    "later": b'{"schema_version": 99}',
}


def plant(folder: Path) -> None:
    for name, content in BROKEN.items():
        (folder / f"{name}.json").write_bytes(content)
    (folder / "folder.json").mkdir()


def report(records: Path, out: Path, runs: Path) -> Any:
    options = ["--records", str(records), "--out", str(out), "--runs", str(runs), "--no-published"]
    return CliRunner().invoke(cli, ["report", "leaderboard", *options])


def test_broken_files_hide_no_other(tmp_path: Path) -> None:
    many["write_records"](tmp_path / "records", 12)
    assert report(tmp_path / "records", tmp_path / "out", tmp_path).exit_code == 0
    clean = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    plant(tmp_path / "records")
    done = report(tmp_path / "records", tmp_path / "out", tmp_path)
    assert done.exit_code == 0
    for name in (*BROKEN, "folder"):
        assert f"left out: {tmp_path / 'records' / name}.json: not a result record" in done.stderr, name
    assert done.stderr.count("left out") == len(BROKEN) + 1
    assert "left out" not in done.stdout
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == clean


def damage(content: bytes, how: str, rng: random.Random) -> bytes:
    """A file as a full disk, a crash or a bad transfer leaves it; the record in it is lost for certain."""
    place = rng.randrange(1, len(content) - 2)  # the last two are the brace and the end of its line
    return {
        "cut off": content[:place],
        "filled with zeros": content[:place] + bytes(len(content) - place),
        "without its beginning": content[place + 1 :],
        "twice in one": content[:place] + content,
        "of another kind": json.dumps({"data": list(content[:50])}).encode(),
    }[how]


DAMAGES = ("cut off", "filled with zeros", "without its beginning", "twice in one", "of another kind")


def test_damaged_files_among_thousands_are_named_and_cost_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    many["write_records"](tmp_path, 3000)
    files = folder_records(tmp_path)
    rng = random.Random(3)
    broken = {file: DAMAGES[place % len(DAMAGES)] for place, file in enumerate(rng.sample(files, 150))}
    for file, how in broken.items():
        file.write_bytes(damage(file.read_bytes(), how, rng))
    records, sources = collect_records(files)
    assert {sources[record.identity] for record in records} == set(files) - set(broken)
    assert all(path.stem.endswith(identity) for identity, path in sources.items())
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(broken)
    for file, how in broken.items():
        assert sum(f"left out: {file}: not a result record" in line for line in lines) == 1, how


@pytest.mark.parametrize("content", [b'"metrics": []', b'"metrics": [{"name": "mIoU", "value": 1e999}]'])
def test_records_that_no_table_could_hold_are_refused(content: bytes, tmp_path: Path) -> None:
    good = WHOLE
    start, end = good.index(b'"metrics"'), good.index(b'"details"')
    path = tmp_path / "a.json"
    path.write_bytes(good[:start] + content + b", " + good[end:])
    records, _ = collect_records([path])
    assert records == []
    path.write_bytes(good)
    assert collect_records([path])[0] == [read_record(path)]


@pytest.mark.parametrize(
    "number",
    [
        "NaN",
        "-Infinity",
        "1e999",
        "2.5E+400",
        "1e0400",
        "9E999",
        "1" * 400 + ".0",
        "9" * 250 + "e99",
        "9" * 250 + "E99",
    ],
    ids=lambda number: number[:9],
)
def test_numbers_that_are_not_finite_are_refused_where_anything_may_stand(number: str, tmp_path: Path) -> None:
    def read(odd: str) -> Any:
        path = tmp_path / "a.json"
        path.write_bytes(WHOLE.replace(b'"protocol": {', b'"protocol": {"odd": [' + odd.encode() + b"], ", 1))
        return read_record(path).protocol["odd"]

    assert read("7.5") == [7.5]
    with pytest.raises(DataError, match="not a result record"):
        read(number)


def test_a_page_of_very_many_records_leaves_their_settings_to_their_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many["write_records"](tmp_path, 3)
    board = build_board(collect_records(folder_records(tmp_path))[0])
    whole = [record for _, panel in page.details(board, {}) for record in panel["records"]]
    assert all({"spec", "pretraining"} <= {name for name, _ in record["folds"]} for record in whole)
    monkeypatch.setattr(page, "MOST_WHOLE", 2)
    short = [record for _, panel in page.details(board, {}) for record in panel["records"]]
    assert len(short) == len(whole) == 3
    for one, other in zip(short, whole, strict=True):
        assert one["folds"] == []
        assert [each for each in one["facts"] if each[0] != "settings and details"] == other["facts"]
        assert "in the record's file" in dict(one["facts"])["settings and details"]


def test_a_record_under_the_identity_of_another_is_left_out_and_breaks_no_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    many["write_records"](tmp_path, 3)
    files = folder_records(tmp_path)
    (clean,) = build_board(collect_records(files)[0]).tasks[0].groups[0].entries
    assert capsys.readouterr().err == ""
    content = json.loads(files[0].read_bytes())
    planted = tmp_path / "planted.json"
    planted.write_text(json.dumps({**content, "identity": "0" * 16}))
    records, sources = collect_records([*files, planted])
    assert set(sources.values()) == set(files)
    (line,) = build_board(records).tasks[0].groups[0].entries
    assert (line.seeds, line.values) == (clean.seeds, clean.values)
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"left out: {planted}: its identity is not that of its content")
    assert content["identity"] in said


def test_of_equal_copies_the_first_file_is_linked_to(tmp_path: Path) -> None:
    many["write_records"](tmp_path / "a", 6)
    many["write_records"](tmp_path / "b", 6)
    files = folder_records(tmp_path / "a") + folder_records(tmp_path / "b")
    records, sources = collect_records(files)
    assert len(records) == 6
    assert {path.parent.name for path in sources.values()} == {"a"}
    assert all(read_record(path).identity == identity for identity, path in sources.items())


def test_a_picture_stops_where_nobody_could_look_at_it(tmp_path: Path) -> None:
    many["write_records"](tmp_path / "records", 600)
    records, _ = collect_records(folder_records(tmp_path / "records"))
    board = build_board(records)
    assert sum(len(group.entries) for group in board.groups) > MOST_ROWS
    assert draw(board, tmp_path / "many.png", dpi=40)
    # Matplotlib refuses 65,536 pixels, at the usual 160 to an inch.
    height, width, _ = matplotlib.image.imread(tmp_path / "many.png").shape
    assert width * 2 < height < 65_536 / 4


def test_reading_takes_time_in_proportion(tmp_path: Path) -> None:
    many["write_records"](tmp_path / "records", 1600)
    files = folder_records(tmp_path / "records")

    def seconds(count: int) -> float:
        start = time.process_time()
        collect_records(files[:count])
        return time.process_time() - start

    seconds(100)
    few, all_ = min(seconds(200) for _ in range(3)), seconds(1600)
    assert all_ < 8 * few * 4, "eight times as many take eight times as long, not 64 times"

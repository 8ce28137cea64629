"""Parts of the site: logs, pictures, descriptions, and how to run a result again."""

import json
import re
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ssl_motion.cli import cli
from ssl_motion.errors import DataError, UsageError
from ssl_motion.plugins import METHODS, Plugin, available
from ssl_motion_reports.site import Picture, describe_methods, write_site
from ssl_motion_reports.site.addresses import file_name
from ssl_motion_reports.site.describe import describe_plugin, introduction
from ssl_motion_reports.site.logs import Log, draw_logs, read_log, thinned


def _content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_report_that_fails_leaves_the_old_site(make_record, tmp_path, monkeypatch):
    site = write_site([make_record("cmp", seed, 30.0 + seed) for seed in (0, 1)], tmp_path / "site").parent
    before = _content(site)
    monkeypatch.setattr("ssl_motion_reports.site.build.pretraining_pages", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_site([make_record("walker")], site)
    assert _content(site) == before


def test_a_folder_of_something_else_is_left_alone(make_record, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(UsageError, match="was not written by this report"):
        write_site([make_record()], tmp_path)
    assert set(_content(tmp_path)) == {"thesis.tex"}


def test_file_names_are_safe_and_differ():
    names = [
        "cmp",
        "CMP",
        "Cmp",
        "cmp, x",
        "cmp; x",
        "index",
        "..",
        "",
        "a" * 300,
        "a" * 301,
        "ü",
        ".hidden",
        "x/y",
        "x\\y",
    ]
    files = [file_name(name) for name in names]
    assert len({file.lower() for file in files}) == len(names)
    assert all(re.fullmatch(r"[a-z0-9][A-Za-z0-9_.-]{0,80}", file) and file != "index" for file in files)


def test_a_log_is_drawn_as_it_was_written(tmp_path):
    path = tmp_path / "log.jsonl"
    lines = [json.dumps({"iteration": step, "train/loss": 100.0 / step}) for step in range(10, 2010, 10)]
    lines += ["not json", '{"iteration": 5, "train/loss": null}', "[]", '{"train/loss": 3}', '{"iteration": 1e400}']
    lines.append(json.dumps({"iteration": 2000, "val/loss": 0.5}))
    path.write_text("\n".join(lines) + '\n{"iteration": 20')
    log = read_log(path)
    assert len(log.train) == 200
    assert log.validation == [(2000.0, 0.5)]
    few = thinned(log.train)
    assert few[-1] == (2000.0, 0.05)
    assert len(few) <= 60
    assert few[0] == (40.0, pytest.approx(sum(100 / step for step in (10, 20, 30, 40)) / 4))
    drawing = ElementTree.fromstring(draw_logs([log]))
    (line,) = [part for part in drawing if part.get("class") == "line"]
    steps = [int(part) for part in re.findall(r"-?\d+", line.get("d"))]
    xs, ys = np.cumsum(steps[::2]), np.cumsum(steps[1::2])
    assert (np.diff(xs) > 0).all()
    assert (np.diff(ys) >= 0).all()  # the loss falls, so the line goes down
    assert 46 <= xs[0] < xs[-1] <= 600
    assert 0 < ys[0] < ys[-1] < 180
    (point,) = [part for part in drawing if part.tag == "circle"]
    assert int(point.get("cx")) == xs[-1]
    assert ys[0] < int(point.get("cy")) < ys[-1]
    assert [part.text for part in drawing if part.tag == "text"] == ["5.21", "0.05", "2000 iterations"]


@pytest.mark.parametrize("points", [[(1.0, 2.0)], [(0.0, 0.0), (0.0, 0.0)], [(1.0, 3.0), (2.0, 3.0)]])
def test_logs_of_one_value_are_drawn_too(points):
    ElementTree.fromstring(draw_logs([Log(points, [])]))


def test_missing_and_empty_logs_are_none(tmp_path):
    assert read_log(tmp_path / "log.jsonl") is None
    (tmp_path / "log.jsonl").write_text('{"iteration": 3, "train/lr": 0.1}\n')
    assert read_log(tmp_path / "log.jsonl") is None


@pytest.fixture
def runs(make_record, tmp_path):
    """A runs folder with three transfers, their pretrainings, logs and previews; returns (records, sources)."""
    records, sources = [make_record("cmp", seed, 40.0 + seed) for seed in (0, 1, 2)], {}
    for record in records:
        folder = tmp_path / "runs" / "transfer" / f"cmp-{record.identity}"
        folder.mkdir(parents=True)
        (folder / "record.json").write_text(record.model_dump_json())
        (folder / "log.jsonl").write_text('{"iteration": 1, "train/loss": 2}\n{"iteration": 777, "train/loss": 1}\n')
        sources[record.identity] = folder / "record.json"
        before = tmp_path / "runs" / "pretrain" / f"cmp-{record.pretraining.run}"
        (before / "previews").mkdir(parents=True)
        (before / "done.json").write_text("{}")
        (before / "log.jsonl").write_text('{"iteration": 888, "train/loss": 1, "val/loss": 2}\n')
        for step in (100, 200):
            Image.new("RGB", (step, 50), "red").save(before / "previews" / f"iter_{step:08d}.png")
    return records, sources


def test_logs_and_previews_of_run_folders_are_shown(runs, tmp_path):
    records, sources = runs
    out = write_site(records, tmp_path / "site", sources=sources).parent
    (run,) = [path.read_text() for path in (out / "runs").glob("*.html") if path.name != "index.html"]
    assert "777 iterations" in run
    assert run.count('class="line"') == 3
    (before,) = [path.read_text() for path in (out / "pretraining").glob("*.html") if path.name != "index.html"]
    assert "888 iterations" in before
    assert "points: validation loss" in before
    (picture,) = (out / "pictures").iterdir()
    with Image.open(picture) as image:
        assert image.size == (200, 50)  # the last preview
    assert f"../pictures/{picture.name}" in (out / "methods" / "cmp.html").read_text()


def _with_a_broken_part(png: bytes) -> bytes:
    """A picture whose data go on in a part that has lost its name: Pillow calls that a SyntaxError."""
    start = png.index(b"IDAT") - 4
    length = int.from_bytes(png[start : start + 4], "big")
    first = png[start + 8 : start + 8 + length // 2]
    part = struct.pack(">I", len(first)) + b"IDAT" + first + struct.pack(">I", zlib.crc32(b"IDAT" + first))
    return png[:start] + part + struct.pack(">I", length - len(first)) + bytes(4) + png[start + 8 + len(first) :]


@pytest.mark.parametrize("damage", [lambda png: b"no picture", lambda png: png[: len(png) // 2], _with_a_broken_part])
def test_a_damaged_preview_does_not_cost_the_site(runs, tmp_path, damage):
    records, sources = runs
    for preview in tmp_path.rglob("iter_*200.png"):
        preview.write_bytes(damage(preview.read_bytes()))
    out = write_site(records, tmp_path / "site", sources=sources).parent
    assert "<img" not in (out / "methods" / "cmp.html").read_text()


def test_contact_sheets_of_run_folders_are_shown_with_what_they_say(runs, tmp_path):
    records, sources = runs
    sheets = tmp_path / "runs" / "pretrain" / f"cmp-{records[1].pretraining.run}" / "visualised"
    sheets.mkdir()
    notes = PngInfo()
    notes.add_itxt("Description", "Features <as> colours")
    Image.new("RGB", (90, 70), "blue").save(sheets / "pca-conv5.png", pnginfo=notes)
    Image.new("RGB", (80, 70), "blue").save(sheets / "silent.png")
    (sheets / "damaged.png").write_bytes((sheets / "silent.png").read_bytes()[:60])
    (sheets / "notes.txt").write_text("no sheet")
    out = write_site(records, tmp_path / "site", sources=sources).parent
    page = (out / "methods" / "cmp.html").read_text()
    assert page.index("What it predicts") < page.index("Looking inside")
    assert "Features &lt;as&gt; colours</figcaption>" in page
    assert 'width="90" height="70"' in page
    assert 'width="80" height="70"' in page
    names = [path.name for path in (out / "pictures").iterdir() if "pca-conv5" in path.name]
    assert len(names) == 1
    assert f"../pictures/{names[0]}" in page
    assert len(list((out / "pictures").iterdir())) == 3  # the last preview and two sheets
    assert "Looking inside" not in (out / "index.html").read_text()


def test_pictures_of_curves_stand_where_they_belong(make_record, tmp_path):
    Image.new("RGB", (64, 32)).save(tmp_path / "curve.png")
    (tmp_path / "all.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    pictures = [Picture(tmp_path / "curve.png", "guidance", ("cmp",)), Picture(tmp_path / "all.svg", "everything")]
    records = [make_record("cmp"), make_record("walker")]
    out = write_site(records, tmp_path / "site", pictures=pictures).parent
    shown = {path.stem: path.read_text() for path in [*(out / "methods").iterdir(), out / "index.html"]}
    assert {"cmp"} == {name for name, text in shown.items() if "curve-0.png" in text}
    assert 'alt="guidance"' in shown["cmp"]
    assert 'width="64" height="32"' in shown["cmp"]
    assert (out / "pictures" / "curve-0.png").read_bytes() == (tmp_path / "curve.png").read_bytes()
    home = (out / "index.html").read_text()
    assert "pictures/curve-1.svg" in home
    (tmp_path / "curve.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="not a picture"):
        write_site(records, out, pictures=pictures)


def test_every_installed_method_says_what_it_is_without_being_imported():
    code = (
        "import sys; from ssl_motion_reports.site import describe_methods; found = describe_methods()\n"
        "assert not {'torch', 'mmengine'} & set(sys.modules), 'imported'\n"
        "print({name: [each.title, str(each.text)] for name, each in found.items()})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = describe_methods()
    assert set(found) == {plugin.name for plugin in available(METHODS)}
    for name in ("cmp", "walker", "walker2015", "pathak", "mahendran", "mahendran_direct", "supervised"):
        assert len(found[name].text) > 200, name
        assert "ssl-bench" not in found[name].text
    assert found["cmp"].title == "CMP: conditional motion propagation"
    assert "<em>Self-Supervised Learning via Conditional Motion" in found["cmp"].text


def test_an_introduction_ends_where_the_details_begin_and_runs_nothing():
    readme = "# A [title](x.md)\n\nOne *two* [three](four.md) <b onclick='x'>five</b>.\n\n- six\n\n## More\n\nseven\n"
    found = introduction(readme, "name")
    assert found.title == "A [title](x.md)"
    assert "<a" not in found.text
    assert "<b" not in found.text
    assert "<em>two</em>" in found.text
    assert "six" in found.text
    assert "seven" not in found.text
    assert introduction("", "name").title == "name"


def test_a_method_without_a_readme_is_described_by_its_docstring(tmp_path, monkeypatch):
    (tmp_path / "outside.py").write_text(
        '"""A module."""\nraise RuntimeError("imported")\nclass Method:\n    """Learns <nothing>.\n\n    At all."""\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    text = describe_plugin(Plugin("other", "a-package", "outside:Method")).text
    assert text == "<p>Learns &lt;nothing&gt;.</p><p>At all.</p>"
    assert describe_plugin(Plugin("other", "a-package", "outside:Missing")).text == "<p>A module.</p>"
    assert "a-package" in describe_plugin(Plugin("other", "a-package", "no.such.module:Method")).text


def test_the_command_writes_the_site_and_says_where(make_record, tmp_path):
    records = tmp_path / "records"
    records.mkdir()
    (records / "a.json").write_text(make_record("oddity", 0, 61.803).model_dump_json())
    arguments = ["report", "site", "--runs", str(tmp_path / "runs"), "--records", str(records)]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0, (done.output, done.exception)
    home = Path(done.stdout.strip())
    assert home == tmp_path / "runs" / "reports" / "site" / "index.html"
    assert "61.803" in "".join(path.read_text() for path in home.parent.rglob("runs/*.html"))
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    done = CliRunner().invoke(cli, [*arguments, "--out", str(tmp_path / "taken")])
    assert isinstance(done.exception, UsageError)

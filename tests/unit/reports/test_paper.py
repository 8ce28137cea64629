"""The papers' tables: every printed cell is there, own rows stand in their places, in every format alike."""

import csv
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner

from ssl_motion.cli import cli
from ssl_motion.curves import CurveSpec
from ssl_motion.fileio import write_json
from ssl_motion.record import MetricValue
from ssl_motion_reports.curves import Declared
from ssl_motion_reports.paper import build_tables, to_csv, to_html, to_latex, to_markdown, write_paper
from ssl_motion_reports.paper.curves import curve_tables
from ssl_motion_reports.paper.layout import layouts, printed_rows


def _rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def _table(tables, name):
    return next(table for table in tables if table.layout.name == name)


def _labels(table):
    return [(line.origin, line.label) for line in table.lines]


def test_the_tables_are_as_printed():
    # Written down from the papers, not from the files of this package.
    rows = printed_rows()
    counts = {each.name: len(rows[each.publication, each.table]) for each in layouts()}
    assert counts == {
        "cmp_table1": 16, "cmp_table2": 5, "cmp_table3": 6, "mahendran_table1": 28, "mahendran_table2": 17,
    }  # fmt: skip
    cmp, mahendran = "CMP (Zhan et al., CVPR 2019)", "Mahendran et al. (ACCV 2018)"

    def values(publication, table, label):
        row = next(row for row in rows[publication, table] if row.label == label)
        return {name: cell.value for name, cell in row.cells.items()}

    assert values(cmp, "Table 1", "Ours (CMP)") == {"Seg": 44.5}
    # Taken over from the other paper's table, where the number is kept once.
    assert values(cmp, "Table 1", "Mahendran et al. [20]") == {"Seg": 41.4}
    assert values(cmp, "Table 2", "Walker [31]") == {"Seg": 54.5, "COCO box": 31.5, "COCO mask": 29.2}
    assert values(cmp, "Table 3", "CMP* (ours)") == {"LIP single": 42.9, "LIP multi": 55.8}
    assert values(mahendran, "Table 1", "Krizhevsky et al. [35]") == {"Cls": 79.9, "Det": 56.8, "Seg": 48.0}
    assert values(mahendran, "Table 1", "Pathak et al. [2]") == {"Cls": 61.0, "Det": 50.2}
    assert values(mahendran, "Table 2", "Ours") == {
        "conv1": 15.0, "conv2": 24.8, "conv3": 28.9, "conv4": 29.4, "conv5": 28.0,
    }  # fmt: skip


def test_own_rows_stand_below_the_printed_row_of_their_method(make_record):
    records = [make_record("cmp", seed, value) for seed, value in enumerate((40.0, 42.0, 44.0))]
    records += [make_record("random", 0, 20.0), make_record("my own", 0, 33.0)]
    table = _table(build_tables(records), "cmp_table1")
    labels = _labels(table)
    assert labels[labels.index(("reported", "Ours (CMP)")) + 1] == ("reproduced", "cmp")
    assert labels[labels.index(("reported", "Random")) + 1] == ("reproduced", "random")
    assert [line.label for line in table.others] == ["my own"]
    own = next(line for line in table.lines if line.label == "cmp")
    assert own.figures["Seg"].text == "42.00 ± 2.00"
    assert own.figures["Seg"].interval.low == pytest.approx(42 - 4.302652729911275 * 2 / 3**0.5)
    assert "built-in world" in own.protocol
    assert not any("against the printed" in remark for remark in own.remarks)
    assert own.fingerprint == records[0].protocol_fingerprint


def test_two_protocols_are_two_rows_with_their_fingerprints(make_record):
    records = [make_record("cmp", 0, 40.0), make_record("cmp", 0, 50.0, protocol={"dataset": "other"})]
    table = _table(build_tables(records), "cmp_table1")
    own = [line for line in table.lines if line.origin == "reproduced"]
    assert len({line.fingerprint for line in own}) == 2
    assert sorted(line.figures["Seg"].value for line in own) == [40.0, 50.0]


def test_only_full_protocols_are_set_against_the_printed_number(make_record):
    full = make_record("pathak", 0, 41.2, scale="full", backbone="alexnet_32x")
    reduced = make_record("walker", 0, 30.0, scale="reduced", backbone="alexnet_8x")
    table = _table(build_tables([full, reduced]), "cmp_table1")
    by_label = {line.label: line for line in table.lines if line.origin == "reproduced"}
    (remark,) = [each for each in by_label["pathak"].remarks if "against the printed" in each]
    assert remark.startswith("+1.5 in Seg")
    assert "half the pretraining data" in remark, "a known confound stands beside the difference"
    assert not any("against the printed" in each for each in by_label["walker"].remarks)
    assert "scaled down" in by_label["walker"].protocol


def test_tables_hold_their_own_trunk_and_say_so(make_record):
    record = make_record("cmp", 0, 60.0, backbone="resnet50-os8")
    tables = build_tables([record, make_record("cmp", 0, 50.0, backbone="resnet18")])
    assert any(line.origin == "reproduced" for line in _table(tables, "cmp_table2").lines)
    first = _table(tables, "cmp_table1")
    assert not any(line.origin == "reproduced" for line in first.lines)
    assert any("resnet18" in remark and "resnet50-os8" in remark for remark in first.remarks)
    full = make_record("cmp", 0, 44.0, backbone="alexnet_32x", protocol_name="voc12_fcn32s_alexnet_zhan", scale="full")
    (own,) = [line for line in _table(build_tables([full]), "cmp_table1").lines if line.origin == "reproduced"]
    assert any("against the printed row" in remark for remark in own.remarks)


def test_columns_are_filled_by_task_dataset_and_detail(make_record):
    metrics = [MetricValue(name="bbox_AP", value=30.5, primary=True), MetricValue(name="segm_AP", value=28.5)]
    coco = make_record("cmp", 0, task="coco", backbone="resnet50", metrics=metrics)
    cihp = make_record("cmp", 0, 51.0, task="lip", backbone="resnet50", protocol={"dataset": "puppets (cihp)"})
    probe = make_record(
        "mahendran", 0, task="imagenet_linear", metrics=[MetricValue(name="top1", value=28.5, primary=True)],
        details={"top1": {"conv1": 15.5, "conv5": 28.5}},
    )  # fmt: skip
    tables = build_tables([coco, cihp, probe])

    def own(name):
        return next(line for line in _table(tables, name).lines if line.origin == "reproduced").figures

    assert {name: each.value for name, each in own("cmp_table2").items()} == {"COCO box": 30.5, "COCO mask": 28.5}
    assert {name: each.value for name, each in own("cmp_table3").items()} == {"LIP multi": 51.0}
    assert {name: each.value for name, each in own("mahendran_table2").items()} == {"conv1": 15.5, "conv5": 28.5}


def test_frozen_read_outs_stand_in_no_table_of_fine_tuning(make_record):
    frozen = {"dataset": "puppets", "frozen_stages": "all"}
    records = [
        make_record("cmp", 0, 20.0, protocol=frozen, protocol_name="puppets_linear"),
        make_record("cmp", 0, 40.0),
    ]
    svm = make_record(
        "cmp", 0, task="voc07_cls", protocol=frozen, metrics=[MetricValue(name="mAP", value=11.0, primary=True)]
    )
    probe = make_record(
        "mahendran", 0, task="imagenet_linear", protocol=frozen, details={"top1": {"conv1": 15.5}},
        metrics=[MetricValue(name="top1", value=28.5, primary=True)],
    )  # fmt: skip
    tables = build_tables([*records, svm, probe])
    shown = [
        (table.layout.name, line.label, figure.value)
        for table in tables
        for line in table.all_lines
        if line.origin == "reproduced"
        for figure in line.figures.values()
    ]
    assert shown == [
        ("cmp_table1", "cmp", 40.0), ("mahendran_table1", "cmp", 40.0), ("mahendran_table2", "mahendran", 15.5),
    ]  # fmt: skip


def test_methods_stand_in_their_base_settings_and_the_others_are_counted(make_record):
    records = [make_record("cmp", 0, 40.0), make_record("walker", 0, 35.0)]
    records += [make_record("cmp", 0, 45.0 + place, spec={name: 1}) for place, name in enumerate(("lr", "bins", "x"))]
    table = _table(build_tables(records), "cmp_table1")
    own = [(line.label, line.figures["Seg"].value) for line in table.all_lines if line.origin == "reproduced"]
    assert sorted(own) == [("cmp", 40.0), ("walker", 35.0)]
    assert any("3 rows of other settings" in remark for remark in table.remarks)


class _Cells(HTMLParser):
    """Text of all cells."""

    def __init__(self, text):
        super().__init__()
        self.cells, self.open = [], []
        self.feed(text)
        assert not self.open, "every element is closed"

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if {"td", "th"} & set(self.open):
            self.cells[-1] += data


def test_a_planted_figure_is_in_every_format(make_record, tmp_path):
    records = [make_record("cmp", seed, 61.37 + (seed - 1) * 0.42) for seed in (0, 1, 2)]
    records.append(make_record("<b>|evil & $", 0, 12.34))
    tables = build_tables(records)
    text = to_markdown(tables, tmp_path, {})
    assert "61.37 ± 0.42" in text
    assert r"\<b\>\|evil \& \$" in text
    assert "61.37 $\\pm$ 0.42" in to_latex(tables)
    page = to_html(tables, tmp_path, {})
    assert page.isascii()
    cells = _Cells(page).cells
    assert "61.37 ± 0.42" in cells
    assert any("<b>|evil & $" in cell for cell in cells)
    (row,) = [row for row in _rows(to_csv(tables)) if row["row"] == "cmp" and row["table"] == "Table 1"
              and row["publication"].startswith("CMP")]  # fmt: skip
    assert float(row["value"]) == pytest.approx(61.37)
    assert (row["n"], row["scale"], row["origin"]) == ("3", "builtin", "reproduced")
    for line in text.splitlines():
        if line.startswith("|"):
            bars = len(re.findall(r"(?<!\\)\|", line))
            assert bars in {7, 8, 9, 11}, line


def test_the_verb_writes_the_same_bytes_twice_and_links_records(make_record, tmp_path):
    for seed in (0, 1):
        write_json(tmp_path / "records" / f"{seed}.json", make_record("cmp", seed, 40.0 + seed).model_dump(mode="json"))
    for out in ("a", "b"):
        arguments = ["report", "paper", "--records", tmp_path / "records", "--runs", tmp_path / "none"]
        done = CliRunner().invoke(cli, [str(each) for each in [*arguments, "--out", tmp_path / out]])
        assert done.exit_code == 0, done.output
    names = {path.name for path in (tmp_path / "a").iterdir()}
    assert names == {"paper.md", "paper.csv", "paper.tex", "paper.html"}
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert "../records/0.json" in (tmp_path / "a" / "paper.md").read_text()
    assert 'href="../records/1.json"' in (tmp_path / "a" / "paper.html").read_text()


def test_without_results_the_printed_rows_are_written(tmp_path):
    files = write_paper([], tmp_path)
    rows = _rows(files[1].read_text())
    assert len(rows) == 196 + 2  # cells of the tables, and the two points of curves that are known
    assert {row["origin"] for row in rows} == {"reported"}


def test_curves_are_tables_of_what_is_known_with_own_points_below_the_nearest(make_record):
    spec = CurveSpec(
        title="Guidance", x="pretraining.figures.guidance_points", x_label="guidance points", published="cmp_guidance"
    )
    records = []
    for points, value in {0.0: 28.0, 6.4: 29.0, 13.3: 31.0, 104.0: 30.0}.items():
        for seed in (0, 1):
            record = make_record("cmp", seed, value + seed, spec={"kernel": points})
            before = record.pretraining.model_copy(update={"figures": {"guidance_points": points}})
            records.append(record.model_copy(update={"pretraining": before}))
    twice = {"a": Declared(spec), "b": Declared(spec)}
    tables = {table.layout.name: table for table in curve_tables(twice, records, {})}
    table = tables["cmp_guidance"]
    assert [
        (line.origin, line.label, line.figures["value"].value if line.figures else None) for line in table.lines
    ] == [
        ("reported", "0", 40.4),
        ("reproduced", "0.00", 28.5),
        ("reproduced", "6.40", 29.5),
        ("reported", "13.5", 44.5),
        ("reproduced", "13.30", 31.5),
        ("reported", "50", None),
        ("reported", "100", None),
        ("reproduced", "104.00", 30.5),
        ("reported", "150", None),
        ("reported", "200", None),
    ]
    assert "its value cannot be read off the figure" in table.lines[5].remarks
    assert table.lines[1].seeds == (0, 1)
    # Nothing of the curve over data is known but words; without own results they stand alone.
    assert not tables["cmp_data"].lines
    assert "a steady rise" in tables["cmp_data"].remarks[0]
    text = to_markdown(list(tables.values()), Path(), {})
    assert "28.50 ± 0.71" in text
    assert "44.5" in text
    rows = [row for row in _rows(to_csv(list(tables.values()))) if row["table"] == "Figure 4"]
    assert [row["value"] for row in rows if row["row"] == "13.30"] == ["31.5"]
    assert "Figure 5 right" in to_latex(list(tables.values()))


def test_a_point_of_categories_stands_below_the_same_one(make_record):
    spec = CurveSpec(
        title="Strides", x="pretraining.spec.strides", x_label="strides", x_scale="category", published="cmp_strides"
    )
    records = [make_record("cmp", 0, 30.0 + len(each), spec={"strides": each}) for each in ([1], [1, 2, 4], [2])]
    table = next(each for each in curve_tables({"s": Declared(spec)}, records, {}) if each.layout.name == "cmp_strides")
    labels = _labels(table)
    assert labels[labels.index(("reported", "{1,2,4}")) + 1] == ("reproduced", "{1,2,4}")
    assert [line.label for line in table.others] == ["{2}"]

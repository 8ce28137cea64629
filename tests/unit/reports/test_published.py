"""The published numbers: complete, readable, and comparable only where that is known."""

import csv
from collections import Counter
from importlib import resources

import pytest

from ssl_motion.errors import DataError
from ssl_motion_reports.board import build_board
from ssl_motion_reports.published import Protocol, published_records, read_cells

CELL = {
    "publication": "P", "table": "T", "row": "R", "method": "cmp", "supervision": "flow", "backbone": "alexnet",
    "protocol": "p", "metric": "mIoU", "value": "44.5", "unit": "%", "pairs": "", "pretraining_data": "",
    "flow_supervision": "", "head": "fcn32s", "val_split": "unknown", "confounds": "", "reimplemented_by": "",
    "also_in": "", "provenance": "typed in",
}  # fmt: skip
PROTOCOLS = {"p": Protocol(task="voc_fcn", name="p", primary="mIoU", facts={"setup": "one"})}


def _find(**wanted):
    found = [
        record
        for record in published_records()
        if all(getattr(record, name, record.protocol.get(name)) == value for name, value in wanted.items())
    ]
    assert found, wanted
    return found


def test_every_line_of_the_file_is_one_metric_of_one_record():
    file = resources.files("ssl_motion_reports.published") / "results.csv"
    lines = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    records = published_records()
    assert sum(len(record.metrics) for record in records) == len(lines) == 421
    assert Counter(float(line["value"]) for line in lines) == Counter(
        metric.value for record in records for metric in record.metrics
    )
    assert len({record.identity for record in records}) == len(records)
    for record in records:
        assert record.origin.kind == "reported"
        assert record.origin.publication
        assert record.origin.source
        assert sum(metric.primary for metric in record.metrics) == 1
        assert all(0 <= metric.value <= 100 for metric in record.metrics)
        assert {"head", "val_split", "setup"} <= set(record.protocol)
    for line in lines:
        assert all(text == text.strip() and "\n" not in text for text in line.values())


@pytest.mark.parametrize(
    ("wanted", "metric", "value"),
    [
        (
            {"protocol_name": "VOC 2012, run by the CMP authors", "backbone": "alexnet", "method": "walker"},
            "mIoU",
            40.4,
        ),
        ({"protocol_name": "VOC 2012, run by the CMP authors", "backbone": "resnet50", "method": "cmp"}, "mIoU", 59.0),
        ({"setup": "CMP 2019, Table 2", "task": "coco_mask_rcnn", "method": "random"}, "mask AP", 18.8),
        ({"task": "lip", "method": "imagenet"}, "mIoU", 42.5),
        ({"setup": "Mahendran 2018, Table 2", "method": "mahendran"}, "top-1 conv4", 29.4),
        ({"setup": "mmselfsup model zoo", "task": "voc_fcn", "method": "DenseCL, 200 epochs"}, "mIoU", 69.47),
        ({"setup": "MoCo repository", "method": "MoCo v2 800ep"}, "AP75", 64.0),
    ],
)
def test_known_cells_have_their_printed_value(wanted, metric, value):
    (record,) = _find(**wanted)
    assert {each.name: each.value for each in record.metrics}[metric] == value


def test_an_unknown_head_is_another_protocol_than_a_known_one():
    known, unknown = (read_cells([{**CELL, "head": head}], PROTOCOLS, "x")[0] for head in ("fcn32s", "unknown"))
    assert known.protocol_fingerprint != unknown.protocol_fingerprint
    hypercolumn = _find(task="voc_fcn", method="mahendran")
    fcn = _find(task="voc_fcn", method="cmp", backbone="alexnet")
    assert {record.protocol["head"] for record in hypercolumn} == {"hypercolumn"}
    assert {record.protocol["head"] for record in fcn} == {"fcn32s"}
    assert not {r.protocol_fingerprint for r in hypercolumn} & {r.protocol_fingerprint for r in fcn}


def test_data_amounts_and_reimplementations_are_kept():
    amounts = {(record.pretraining.pairs, record.primary.value) for record in _find(task="lip", method="cmp")}
    assert amounts == {(4_570_000, 40.2), (1_260_000, 36.9)}
    assert {record.origin.reimplemented_by for record in _find(setup="CMP 2019, Table 2", method="walker")} == {
        "CMP authors"
    }
    assert all(record.pretraining is None for record in _find(method="random"))


def test_what_comes_from_many_papers_is_not_ranked():
    groups = build_board(published_records()).groups
    mixed = [group for group in groups if group.facts["setup"] == "unknown"]
    assert len(mixed) == 5
    assert not any(group.ranked or entry.rank for group in mixed for entry in group.entries)
    assert any(group.ranked for group in groups)


def test_cells_of_one_row_become_one_record():
    cells = [CELL, {**CELL, "metric": "aAcc", "value": "80"}, {**CELL, "row": "S"}]
    first, second = read_cells(cells, PROTOCOLS, "x")
    assert [metric.name for metric in first.metrics] == ["mIoU", "aAcc"]
    assert first.primary.name == "mIoU"
    assert len(second.metrics) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"value": "fourty"}, "line 2"),
        ({"value": "nan"}, "finite"),
        ({"protocol": "q"}, "unknown protocol 'q'"),
        ({"pairs": "many"}, "invalid literal"),
    ],
)
def test_a_bad_line_is_named(change, message):
    with pytest.raises(DataError, match=message):
        read_cells([{**CELL, **change}], PROTOCOLS, "results.csv")
    with pytest.raises(DataError, match="'head' is missing"):
        read_cells([{name: text for name, text in CELL.items() if name != "head"}], PROTOCOLS, "results.csv")
    with pytest.raises(DataError, match="stands there twice"):
        read_cells([CELL, CELL], PROTOCOLS, "results.csv")

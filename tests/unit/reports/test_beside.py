"""Published numbers stand beside the results that repeat them, with the difference and what speaks against it."""

import csv
import io
import json

import pytest
from rich.console import Console

from ssl_motion.plugins import available, load
from ssl_motion.record import MetricValue
from ssl_motion_reports.board import build_board
from ssl_motion_reports.leaderboard import as_data, write_leaderboard
from ssl_motion_reports.published import published_records, repeated_by
from ssl_motion_reports.terminal import print_board


@pytest.fixture
def repeated(make_record):
    """Three seeds of CMP under the full preset that repeats Table 1 of its paper."""

    def make(method="cmp", **changes):
        setting = {"protocol_name": "voc12_fcn32s_alexnet_zhan", "backbone": "alexnet_32x", "scale": "full", **changes}
        return [make_record(method, seed, 42.0 + seed, pairs=1_000_000, **setting) for seed in (0, 1, 2)]

    return make


def _entry(records):
    board = build_board([*records, *published_records()])
    return next(entry for group in board.groups for entry in group.entries if entry.origin == "reproduced")


def test_the_printed_row_is_found_with_its_difference_and_its_confounds(repeated):
    own, *others = _entry(repeated()).reported
    assert not [each for each in others if "Table 1" in each.source and each.value == own.value]
    assert (own.value, own.difference) == (44.5, pytest.approx(43.0 - 44.5))
    assert own.source == "CMP (Zhan et al., CVPR 2019), Table 1"
    assert own.differs[0] == "its protocol is not wholly known (known: head fcn32s; unknown: val split)"
    assert "learned from YFCC + YouTube9K, 3.22M" in own.differs
    assert "flow supervision synthetic labels" in own.differs
    (half,) = _entry(repeated("pathak")).reported
    assert "run by CMP authors" in half.differs
    assert "half the pretraining data of the CMP row" in half.differs


@pytest.mark.parametrize(
    "changes",
    [
        {"scale": "reduced"},
        {"scale": "builtin"},
        {"backbone": "resnet50"},
        {"protocol_name": "voc12_fcn_small"},
        {"method": "cmp, shuffled flow"},
    ],
)
def test_nothing_else_is_compared(repeated, changes):
    assert _entry(repeated(**changes)).reported == ()


def test_metrics_are_matched_by_what_they_are_called_here(make_record):
    metrics = [MetricValue(name="bbox_AP", value=30.0, primary=True), MetricValue(name="segm_AP", value=20.0)]
    setting = {"protocol_name": "coco_cmp2019", "backbone": "resnet50", "scale": "full", "task": "coco"}
    found = _entry([make_record("random", 0, metrics=metrics, **setting)]).reported
    assert [(each.value, each.difference) for each in found] == [(19.7, pytest.approx(10.3))]


def test_it_is_said_in_every_format(repeated, tmp_path):
    records = [*repeated(), *published_records()]
    files = {path.suffix: path for path in write_leaderboard(records, tmp_path) if path.suffix != ".png"}
    for suffix in (".md", ".tex", ".html"):
        text = files[suffix].read_text(encoding="utf-8")
        assert "-1.5 from 44.5 in CMP" in text, suffix
        assert "its protocol is not wholly known" in text, suffix
    (row,) = [
        row
        for row in csv.DictReader(io.StringIO(files[".csv"].read_text(encoding="utf-8")))
        if row["origin"] == "reproduced" and row["metric"] == "mIoU"
    ]
    assert row["reported"].split()[0] == "44.5"
    assert float(row["less_reported"].split()[0]) == pytest.approx(-1.5)
    assert "not wholly known" in row["reported_differs"]
    terminal = Console(file=io.StringIO(), width=300)
    print_board(build_board(records), terminal)
    assert "-1.5 from 44.5" in " ".join(terminal.file.getvalue().split())
    first = json.loads(json.dumps(as_data(build_board(records))))["groups"][0]["entries"][0]["reported"][0]
    assert first["value"] == 44.5


def test_presets_that_repeat_a_published_protocol_exist_and_have_its_metrics():
    known = {}
    for record in published_records():
        presets, metrics = repeated_by(record)
        for preset in presets:
            known.setdefault(preset, set()).update(metrics.get(each.name, each.name) for each in record.metrics)
    found = {}
    for plugin in available("ssl_motion.benchmarks"):
        task = load("ssl_motion.benchmarks", plugin.name)
        for name, preset in getattr(task.Config, "table", {}).items():
            if preset.scale == "full":
                found[name] = {metric.name for metric in task.metrics}
    assert len(known) >= 8
    for preset, metrics in known.items():
        assert metrics <= found[preset], preset

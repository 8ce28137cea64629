"""Curves: planted points are found, averaged by seed alone, told apart by protocol, and drawn the same twice."""

import csv
import io
import math

import pytest
from click.testing import CliRunner

from ssl_motion.cli import cli
from ssl_motion.curves import CurveSpec
from ssl_motion.errors import DataError, UsageError
from ssl_motion.fileio import write_json
from ssl_motion.record import MetricValue
from ssl_motion_reports.curves import Declared, build_curve, declared_curves, draw_curve, to_csv, write_curves
from ssl_motion_reports.curves.overlay import shares_axis
from ssl_motion_reports.published.curves import published_curve, published_curves, read_curves

# Guidance points an image -> mean over three seeds; the seeds lie one below and one above it.
PLANTED = {0.0: 28.0, 13.5: 31.0, 50.0: 30.0, 200.0: 29.0}
GUIDANCE = CurveSpec(
    title="Guidance",
    x="pretraining.figures.guidance_points",
    x_label="guidance points an image",
    where={"method": "cmp"},
)


@pytest.fixture
def guidance(make_record):
    """Three seeds of CMP at four amounts of guidance, whose measured mean differs a little between seeds."""

    def make(planted=PLANTED, seeds=(0, 1, 2), **changes):
        made = []
        for points, mean in planted.items():
            for place, seed in enumerate(seeds):
                record = make_record(
                    "cmp", seed, mean + place - (len(seeds) - 1) / 2, spec={"kernel": points}, **changes
                )
                figures = {"guidance_points": points + (0.1 * (place - 1) if points else 0.0)}
                before = record.pretraining.model_copy(update={"figures": figures})
                made.append(record.model_copy(update={"pretraining": before}))
        return made

    return make


def _lines(curve, panel=0):
    return {line.label: [(point.x, point.mean) for point in line.points] for line in curve.panels[panel].lines}


def test_planted_points_are_found_with_their_intervals(guidance, make_record):
    references = [make_record("random", seed, value) for seed, value in enumerate((22.0, 23.0, 24.0))]
    curve = build_curve("guidance", GUIDANCE, guidance() + references)
    (panel,) = curve.panels
    line, level = panel.lines
    assert [point.x for point in line.points] == pytest.approx(list(PLANTED))
    assert [point.mean for point in line.points] == pytest.approx(list(PLANTED.values()))
    assert all(point.seeds == (0, 1, 2) for point in line.points)
    # Student's t with two degrees of freedom at 97.5 %, a spread of 1 and three seeds.
    half = 4.302652729911275 / math.sqrt(3)
    for point in line.points:
        assert (point.interval.low, point.interval.high) == pytest.approx((point.mean - half, point.mean + half))
    assert level.is_reference
    assert level.points[0].mean == pytest.approx(23.0)


def test_a_single_seed_has_no_interval_and_says_so(guidance, tmp_path, drawn_texts):
    curve = build_curve("guidance", GUIDANCE, guidance(seeds=(0,)))
    assert all(point.interval is None for point in curve.panels[0].points)
    draw_curve(curve, tmp_path / "one")
    assert any("one seed" in text for text in drawn_texts)
    assert "low" in next(csv.reader(io.StringIO(to_csv(curve))))
    assert {row["low"] for row in csv.DictReader(io.StringIO(to_csv(curve)))} == {""}


def test_a_missing_seed_is_a_point_of_fewer_seeds(guidance):
    records = [record for record in guidance() if record.seed != 2 or record.pretraining.spec["kernel"] != 50.0]
    points = build_curve("guidance", GUIDANCE, records).panels[0].points
    assert [len(point.values) for point in points] == [3, 3, 2, 3]
    assert points[2].mean == pytest.approx(29.5)
    assert points[2].interval.seeds == 2


def test_seeds_of_one_pretraining_have_no_interval(guidance):
    shared = [
        record.model_copy(update={"pretraining": record.pretraining.model_copy(update={"run": "r" * 16})})
        for record in guidance({13.5: 31.0})
    ]
    _, point = build_curve("guidance", GUIDANCE, shared + guidance({0.0: 28.0})).panels[0].points
    assert len(point.values) == 3
    assert point.interval is None


def test_protocols_never_share_a_panel(guidance):
    other = guidance({points: mean - 10 for points, mean in PLANTED.items()}, protocol={"dataset": "puppets", "v": 2})
    curve = build_curve("guidance", GUIDANCE, guidance() + other)
    assert len(curve.panels) == 2
    assert len({panel.detail for panel in curve.panels}) == 2, "two panels must not be called the same"
    assert sorted(panel.points[0].mean for panel in curve.panels) == pytest.approx([18.0, 28.0])
    # A reference of another protocol is no level line here.
    assert not any(line.is_reference for panel in curve.panels for line in panel.lines)


def test_a_protocol_with_one_place_is_left_out_and_said(guidance):
    lonely = guidance({13.5: 44.0}, protocol={"dataset": "puppets", "v": 2})
    curve = build_curve("guidance", GUIDANCE, guidance() + lonely)
    assert len(curve.panels) == 1
    assert any("one place" in remark for remark in curve.remarks)


def test_lines_are_by_their_places_and_no_two_settings_are_averaged(guidance):
    spec = GUIDANCE.model_copy(update={"lines": ["pretraining.spec.iterations"]})
    long = []
    for record in guidance({points: mean + 5 for points, mean in PLANTED.items()}):
        settings = {**record.pretraining.spec, "iterations": 1600}
        before = record.pretraining.model_copy(update={"spec": settings, "run": record.pretraining.run[::-1]})
        long.append(record.model_copy(update={"pretraining": before, "identity": "b" + record.identity[1:]}))
    curve = build_curve("guidance", spec, guidance() + long)
    assert list(_lines(curve)) == ["iterations 800", "iterations 1600"]
    # Not declared as lines, they are told apart by what they differ in all the same.
    curve = build_curve(
        "guidance", CurveSpec(**{**GUIDANCE.model_dump(), "x": "pretraining.spec.kernel"}), guidance() + long
    )
    lines = _lines(curve)
    assert len(lines) == 2
    assert [mean for _, mean in lines[next(name for name in lines if "1600" in name)]] == pytest.approx(
        [mean + 5 for mean in PLANTED.values()]
    )


def test_facts_of_the_protocol_that_go_with_x_are_named(make_record):
    spec = CurveSpec(
        title="Frozen layers", x="spec.task_config.freeze_to", x_label="layers kept", x_scale="category",
        lines=["method"], references=[],
    )  # fmt: skip
    records = []
    for method, start in (("cmp", 40.0), ("random", 30.0)):
        for place, stage in enumerate([None, "conv1", "conv5"]):
            for world in ("still", "weak_pan"):
                protocol = {"dataset_hash": world, "frozen_stages": place}
                own = {"task_config": {"freeze_to": stage}, "puppets": {"world": world}}
                value = start - 3 * place + (10 if world == "still" else 0)
                records.append(make_record(method, 0, value, protocol=protocol, spec_of_task=own))
    curve = build_curve("frozen", spec, records, listed=[None, "conv1", "conv5"])
    assert curve.categories == ("none", "conv1", "conv5")
    assert [panel.along_x for panel in curve.panels] == [("frozen_stages",)] * 2
    assert [len(panel.fingerprints) for panel in curve.panels] == [3, 3]
    assert _lines(curve)["cmp"] == [(0.0, 50.0), (1.0, 47.0), (2.0, 44.0)]
    assert "still camera" in curve.panels[0].detail
    other = [
        record.model_copy(
            update={"task": "lip", "identity": f"f{number:x}", "protocol": {**record.protocol, "head": "x"}}
        )
        for number, record in enumerate(records)
    ]
    both = build_curve("frozen", spec, records + other, listed=[None, "conv1", "conv5"])
    assert [panel.along_x for panel in both.panels] == [("frozen_stages",)] * 4  # and not in what tasks differ
    assert _lines(curve, 1)["random"] == [(0.0, 30.0), (1.0, 27.0), (2.0, 24.0)]


def test_categories_keep_the_order_of_the_suite(make_record):
    spec = CurveSpec(
        title="Strides", x="pretraining.spec.method_config.strides", x_label="strides", x_scale="category",
        published="cmp_strides",
    )  # fmt: skip
    strides = [[1, 2, 4, 8], [1], [1, 2, 4]]
    declared = {"pretrain": {"cmp": {"config": "c", "vary": {"method_config.strides": strides}}}, "transfer": []}
    order = declared_curves({"s": spec}, declared)["s"].listed
    records = [make_record("cmp", 0, 30.0 + len(each), spec={"method_config": {"strides": each}}) for each in strides]
    curve = build_curve("s", spec, records, order)
    assert curve.categories == ("{1,2,4,8}", "{1}", "{1,2,4}")
    assert [point.mean for point in curve.panels[0].points] == [34.0, 31.0, 33.0]


def test_published_points_are_what_the_text_says_and_nothing_else():
    guidance = published_curve("cmp_guidance")
    assert [(point.x, point.y) for point in guidance.of_kind("point")] == [(0, 40.4), (13.5, 44.5)]
    assert [point.x for point in guidance.of_kind("unread")] == [50, 100, 150, 200]
    for name in ("cmp_strides", "cmp_data"):
        assert not published_curve(name).of_kind("point")
    assert all(point.source for curve in published_curves().values() for point in curve.points)
    with pytest.raises(UsageError, match="Did you mean 'cmp_guidance'"):
        published_curve("cmp_guidence")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "guess"}, "kind 'guess'"),
        ({"y": ""}, "a point has x and y"),
        ({"kind": "unread"}, "a point has x and y"),
        ({"y": "high"}, "could not convert"),
    ],
)
def test_a_damaged_line_of_published_points_is_named(change, message):
    line = {"curve": "c", "kind": "point", "x": "1", "y": "2", "statement": "", "source": "s"}
    line |= {"task": "t", "metric": "m", "unit": "%", "publication": "p", "figure": "f"}
    with pytest.raises(DataError, match=f"curves.csv line 2: {message}"):
        read_curves([{**line, **change}], "curves.csv")


def test_the_papers_points_share_an_axis_only_with_the_papers_task(guidance, tmp_path, drawn_axes):
    spec = GUIDANCE.model_copy(update={"published": "cmp_guidance"})
    curve = build_curve("g", spec, guidance())
    assert not shares_axis(curve.panels[0], curve.published)
    draw_curve(curve, tmp_path / "own")
    left, right = drawn_axes()
    stars = [line for line in right.lines if line.get_marker() == "*"]
    assert [tuple(map(float, point)) for point in stars[0].get_xydata()] == [(0.0, 40.4), (13.5, 44.5)]
    assert "paper" in right.get_ylabel()
    # As many units an inch on both: slopes are comparable.
    assert right.get_ylim()[1] - right.get_ylim()[0] == pytest.approx(left.get_ylim()[1] - left.get_ylim()[0])
    full = build_curve("g", spec, guidance(scale="full"))
    draw_curve(full, tmp_path / "full")
    (only,) = drawn_axes()
    assert any(line.get_marker() == "*" for line in only.lines)


def test_the_same_records_give_the_same_bytes(guidance, make_record, tmp_path):
    spec = GUIDANCE.model_copy(update={"published": "cmp_guidance"})
    records = [*guidance(), make_record("random", 0, 22.0)]
    for folder, order in (("a", records), ("b", records[::-1])):
        files = write_curves({"g": Declared(spec)}, order, tmp_path / folder)["g"]
    assert [file.name for file in files] == ["g.png", "g.svg", "g.csv"]
    for name in ("g.png", "g.svg", "g.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert "22" in (tmp_path / "a" / "g.csv").read_text()
    # Without results, no picture of an earlier report stays behind.
    assert write_curves({"g": Declared(spec)}, [], tmp_path / "a") == {"g": []}
    assert not list((tmp_path / "a").iterdir())


def test_lines_differ_in_more_than_colour(make_record, tmp_path, drawn_axes):
    spec = CurveSpec(title="t", x="pretraining.pairs", x_label="pairs", x_scale="log2", lines=["method"])
    records = [
        make_record(f"method {letter}", 0, 30.0 + place, pairs=pairs)
        for place, letter in enumerate("abcdefghij")
        for pairs in (2000, 4000)
    ]
    draw_curve(build_curve("t", spec, records), tmp_path / "t")
    (axes,) = drawn_axes()
    (legend,) = axes.figure.legends
    looks = {(str(line._unscaled_dash_pattern), line.get_marker()) for line in legend.get_lines()}
    assert len(looks) == 10


def test_unknown_names_get_near_misses(guidance):
    spec = GUIDANCE.model_copy(update={"y": "mIou"})
    with pytest.raises(UsageError, match="Did you mean 'mIoU'"):
        build_curve("g", spec, guidance())
    result = CliRunner().invoke(cli, ["report", "curves", "quickstrat"])
    assert isinstance(result.exception, UsageError)
    assert "Did you mean 'quickstart'" in str(result.exception)
    result = CliRunner().invoke(cli, ["report", "curvs"])
    assert result.exit_code == 2
    assert "Did you mean 'curves'" in result.output


def test_places_that_lead_nowhere_are_counted(guidance):
    spec = GUIDANCE.model_copy(update={"x": "pretraining.figures.guidance_pints"})
    curve = build_curve("g", spec, guidance())
    assert not curve.panels
    assert any("12 results have no value" in remark for remark in curve.remarks)


def test_the_verb_draws_the_curves_of_a_suite_file(guidance, make_record, tmp_path):
    suite = tmp_path / "mine.yaml"
    suite.write_text(
        "title: t\ncurves:\n  g: {title: Guidance, x: pretraining.figures.guidance_points, x_label: points,\n"
        "      where: {method: cmp, backbone: planted}, published: cmp_guidance}\n"
        "  nothing: {title: n, x: seed, x_label: seed, where: {method: nobody}}\n"
    )
    for place, record in enumerate(guidance(backbone="planted")):
        write_json(tmp_path / "records" / f"{place}.json", record.model_dump(mode="json"))
    arguments = ["report", "curves", suite, "--runs", tmp_path / "runs", "--records", tmp_path / "records"]
    result = CliRunner().invoke(cli, [str(each) for each in arguments])
    assert result.exit_code == 0, result.output
    assert "mine-nothing: no results yet" in result.output
    rows = list(csv.DictReader((tmp_path / "runs" / "reports" / "curves" / "mine-g.csv").open()))
    assert [float(row["mean"]) for row in rows if row["kind"] == "result"] == pytest.approx(list(PLANTED.values()))
    assert [row["mean"] for row in rows if row["kind"] == "published point"] == ["40.4", "44.5"]
    bare = tmp_path / "bare.yaml"
    bare.write_text("title: t\n")
    result = CliRunner().invoke(cli, ["report", "curves", str(bare)])
    assert isinstance(result.exception, UsageError)
    assert "no suite among these declares a curve" in str(result.exception)


def test_metrics_other_than_the_primary_one_are_drawn(make_record):
    spec = CurveSpec(title="t", x="pretraining.pairs", x_label="pairs", y="aAcc")
    metrics = [MetricValue(name="mIoU", value=1.0, primary=True), MetricValue(name="aAcc", value=77.0)]
    curve = build_curve("t", spec, [make_record(metrics=metrics, pairs=pairs) for pairs in (2000, 4000)])
    assert curve.panels[0].metric.name == "aAcc"
    assert curve.panels[0].points[0].mean == 77.0

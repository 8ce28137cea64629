"""Curves of kind "scatter": every run is a point, and planted rank correlations are found as SciPy finds them."""

import csv
import io
from itertools import chain

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

from ssl_motion.curves import CurveSpec
from ssl_motion_reports.curves import Declared, build_curve, draw_curve, to_csv, write_curves
from ssl_motion_reports.curves.scatter import scatter_notes
from ssl_motion_reports.statistics.correlation import FEWEST, rank_correlation

GAP = CurveSpec(
    title="Does the gap predict transfer?",
    x="pretraining.figures.val/gap",
    x_label="gap (nats)",
    kind="scatter",
    lines=["pretraining.spec.iterations"],
    where={"method": "cmp"},
)


@pytest.fixture
def runs(make_record):
    """Runs of one length of training: runs({setting: [(gap, figure of seed 0), (gap, of seed 1), ...]}, length)."""

    def make(planted, iterations=125, **changes):
        made = []
        for setting, points in planted.items():
            for seed, (gap, value) in enumerate(points):
                spec = {"guidance": setting, "iterations": iterations}
                record = make_record("cmp", seed, value, spec=spec, **changes)
                before = record.pretraining.model_copy(update={"figures": {"val/gap": gap}})
                made.append(record.model_copy(update={"pretraining": before}))
        return made

    return make


SETTINGS = {
    0: [(0.91, 38.0), (0.93, 37.1), (0.90, 37.9)],
    1: [(0.84, 37.7), (0.80, 38.2), (0.85, 37.0)],
    5: [(0.52, 36.6), (0.55, 36.9), (0.55, 35.2)],
    9: [(0.28, 34.0), (0.31, 35.5), (0.26, 34.4)],
    20: [(0.26, 35.3), (0.22, 34.1), (0.24, 34.0)],
    50: [(0.20, 33.3), (0.21, 34.2), (0.19, 33.9)],
    200: [(0.15, 33.5), (0.14, 32.8), (0.16, 33.1)],
}


def test_every_run_is_a_point_and_the_correlation_is_scipys(runs, make_record):
    references = [make_record("random", seed, value) for seed, value in enumerate((22.0, 23.0, 24.0))]
    (panel,) = build_curve("g", GAP, runs(SETTINGS) + references).panels
    points, level = panel.lines
    planted = [point for seeds in SETTINGS.values() for point in seeds]
    assert [(point.x, point.mean) for point in points.points] == sorted(planted)
    assert all(point.interval is None for point in points.points)
    assert level.is_reference
    assert level.points[0].interval is not None
    (known,) = panel.correlations
    assert known.estimate == pytest.approx(stats.spearmanr(*zip(*planted, strict=True)).statistic)
    assert (known.points, known.clusters, known.strata) == (21, 7, 1)
    assert known.low <= known.estimate <= known.high
    assert known.is_resolved


def test_what_differs_between_groups_plays_no_part_within_them(runs):
    # Longer training has the larger gap and the lower figure; at either length the figure rises with the gap.
    short = {place: [(0.1 + 0.01 * place, 30.0 + place)] for place in range(6)}
    long = {place: [(0.5 + 0.01 * place, 20.0 + place)] for place in range(6)}
    (panel,) = build_curve("g", GAP, runs(short, 125) + runs(long, 500)).panels
    assert [line.label for line in panel.lines] == ["iterations 125", "iterations 500"]
    over_all, within = panel.correlations
    assert over_all.estimate < 0
    assert (within.estimate, within.low, within.high, within.strata) == (pytest.approx(1), *[pytest.approx(1)] * 2, 2)


@pytest.mark.parametrize("ties", [False, True])
def test_the_interval_is_that_of_drawing_settings_with_all_their_seeds(ties):
    rng = np.random.default_rng(3)
    drawn = [
        [tuple(each) for each in rng.normal(size=(seeds, 2)).round(0 if ties else 9)] for seeds in (3, 2, 1, 3, 4, 2, 3)
    ]
    found = rank_correlation([drawn], draws=4000)
    assert found.estimate == pytest.approx(stats.spearmanr(*zip(*chain(*drawn), strict=True)).statistic)
    values = []
    for _ in range(3000):
        chosen = [point for place in rng.integers(0, 7, 7) for point in drawn[place]]
        x, y = (np.array(each) for each in zip(*chosen, strict=True))
        if np.ptp(x) and np.ptp(y):
            values.append(np.corrcoef(stats.rankdata(x), stats.rankdata(y))[0, 1])
    assert (found.low, found.high) == pytest.approx(np.percentile(values, [2.5, 97.5]), abs=0.05)


def test_too_few_settings_have_no_interval_and_equal_values_no_correlation():
    few = [[(float(place), float(place))] for place in range(FEWEST - 1)]
    found = rank_correlation([few])
    assert (found.estimate, found.low, found.high, found.is_resolved) == (pytest.approx(1), None, None, False)
    assert rank_correlation([[[(1.0, 2.0)], [(1.0, 3.0)]]]) is None
    assert rank_correlation([]) is None


def test_the_picture_and_the_csv_say_what_was_found(runs, tmp_path, drawn_axes, drawn_texts):
    other = {place: [(0.1 * place, 30.0)] for place in range(3)}
    records = runs(SETTINGS) + runs(other, protocol={"dataset": "puppets", "v": 2})
    curve = build_curve("g", GAP, records)
    draw_curve(curve, tmp_path / "g")
    texts = list(drawn_texts)
    known = next(panel for panel in curve.panels if panel.correlations).correlations[0]
    shown = f"rank correlation over all runs {known.estimate:.2f} [{known.low:.2f}, {known.high:.2f}]"
    assert shown in texts
    assert "In sum, over all runs the interval lies above 0 in 1 of 1 panel and below it in 0." in scatter_notes(curve)
    assert any("Points: single runs." in text for text in texts)
    drawn = [line for axes in drawn_axes() for line in axes.lines if line.get_marker() not in ("", "None", None)]
    assert {line.get_linestyle() for line in drawn} == {"None"}, "points of a scatter are not joined"
    assert sum(len(line.get_xdata()) for line in drawn) == 24
    rows = [row for row in csv.DictReader(io.StringIO(to_csv(curve))) if row["kind"] == "correlation"]
    assert [(float(row["mean"]), float(row["low"]), int(row["n"])) for row in rows] == [(known.estimate, known.low, 21)]


def test_the_order_of_records_changes_no_byte(runs, tmp_path):
    records = runs(SETTINGS, 125) + runs(
        {place: [(x - 0.1, y + 1) for x, y in each] for place, each in SETTINGS.items()}, 500
    )
    for folder, order in (("a", records), ("b", records[::-1])):
        files = write_curves({"g": Declared(GAP)}, order, tmp_path / folder)["g"]
    for file in files:
        assert file.read_bytes() == (tmp_path / "a" / file.name).read_bytes()


def test_categories_have_no_ranks():
    with pytest.raises(ValidationError, match="scatter needs numbers"):
        CurveSpec(**{**GAP.model_dump(), "x_scale": "category"})

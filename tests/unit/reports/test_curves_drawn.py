"""Pictures of curves: only what is a curve is drawn, joined only where x has an order, and nothing is cut off."""

from ssl_motion.curves import CurveSpec
from ssl_motion_reports.curves import Declared, build_curve, draw_curve, write_curves


def test_a_suite_that_was_not_run_has_no_curve_of_whatever_results_match(make_record, tmp_path):
    """Lines with one place each draw no curve, be there as many as there will, at one x or at several."""
    spec = CurveSpec(title="Compute", x="pretraining.pairs", x_label="pairs", lines=["method"])
    records = [
        make_record(method, seed, 30.0 + seed, pairs=pairs)
        for method, pairs in (("cmp", 8000), ("walker", 8000), ("pathak", 4000))
        for seed in (0, 1)
    ]
    curve = build_curve("compute", spec, records)
    assert not curve.panels
    assert any("1 protocol where no line has more than one place" in remark for remark in curve.remarks)
    assert write_curves({"compute": Declared(spec)}, records, tmp_path) == {"compute": []}
    run = [*records, make_record("cmp", 0, 35.0, pairs=2000)]
    assert len(build_curve("compute", spec, run).panels[0].lines) == 3


def test_variants_of_other_curves_do_not_crowd_a_place(make_record):
    """CMP in base settings and four variants at one x, beside a method that runs along it: CMP has one point."""
    spec = CurveSpec(title="Compute", x="pretraining.spec.iterations", x_label="steps", lines=["method"])
    records = [make_record("walker", 0, 30.0 + steps / 100, spec={"iterations": steps}) for steps in (250, 500)]
    records += [make_record("cmp", 0, 31.0, spec={"iterations": 250})]
    records += [make_record("cmp", 0, 40.0 + n, spec={"iterations": 250, name: 1}) for n, name in enumerate("abcd")]
    (panel,) = build_curve("compute", spec, records).panels
    assert {line.label: [point.mean for point in line.points] for line in panel.lines} == {
        "cmp": [31.0],
        "walker": [32.5, 35.0],
    }
    # A variant that was run along x is a line; the base settings then are another, with what tells them apart.
    more = [make_record("cmp", 0, 50.0, spec={"iterations": 500, **extra}) for extra in ({}, {"a": 1})]
    (panel,) = build_curve("compute", spec, records + more).panels
    assert sorted([point.mean for point in line.points] for line in panel.lines) == [
        [31.0, 50.0], [32.5, 35.0], [40.0, 50.0],
    ]  # fmt: skip


def test_methods_that_share_a_line_and_a_place_are_all_drawn(make_record):
    spec = CurveSpec(title="Steps", x="pretraining.spec.iterations", x_label="steps", lines=["pretraining.pairs"])
    places = (("cmp", 8000, 250, 31.0), ("walker", 8000, 250, 32.0), ("cmp", 4000, 250, 33.0), ("cmp", 4000, 500, 34.0))
    records = [make_record(name, 0, mean, pairs=pairs, spec={"iterations": x}) for name, pairs, x, mean in places]
    (panel,) = build_curve("steps", spec, records).panels
    assert {line.label: [point.mean for point in line.points] for line in panel.lines} == {
        "pairs 4000": [33.0, 34.0],
        "pairs 8000, method cmp": [31.0],
        "pairs 8000, method walker": [32.0],
    }


def test_long_names_of_lines_and_titles_stay_inside_the_picture(make_record, tmp_path, drawn_axes):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    spec = CurveSpec(
        title="Matched data and matched compute of methods with many settings (Puppets, still camera)",
        x="pretraining.spec.iterations", x_label="images seen in pretraining", lines=["method"],
    )  # fmt: skip
    kinds = [{f"a_setting_with_a_long_name_{place}": place + kind for place in range(9)} for kind in range(3)]
    records = [
        make_record("mahendran_direct", 0, 30.0 + iterations / 100, spec={**kind, "iterations": iterations})
        for kind in kinds
        for iterations in (250, 500)
    ]
    draw_curve(build_curve("long", spec, records), tmp_path / "long")
    figure = drawn_axes()[0].figure
    renderer = FigureCanvasAgg(figure).get_renderer()
    whole = figure.bbox
    names = [text for text in figure.findobj(Text) if text.get_text()]
    assert sum("a_setting_with_a_long_name_8" in text.get_text().replace("\n", "") for text in names) >= 3
    for text in names:
        box = text.get_window_extent(renderer)
        assert whole.x0 <= box.x0, text.get_text()
        assert box.x1 <= whole.x1, text.get_text()
        assert whole.y0 <= box.y0, text.get_text()
        assert box.y1 <= whole.y1, text.get_text()
    (axes,) = drawn_axes()
    (legend,) = figure.legends
    assert not legend.get_window_extent(renderer).overlaps(axes.get_tightbbox(renderer))


def test_points_at_names_without_order_are_not_joined(make_record, tmp_path, drawn_axes):
    spec = CurveSpec(title="Seeds", x="method", x_label="start", x_scale="category", references=[])
    records = [make_record(method, 0, mean) for method, mean in (("cmp", 40.0), ("random", 20.0), ("walker", 35.0))]
    draw_curve(build_curve("seeds", spec, records), tmp_path / "seeds")
    (axes,) = drawn_axes()
    joined = [line for line in axes.lines if len(line.get_xdata()) > 1 and len(set(line.get_xdata())) > 1]
    assert all(line.get_linestyle() in ("None", "none") for line in joined)
    assert {float(line.get_ydata()[0]) for line in axes.lines if line.get_marker() == "o"} == {40.0, 20.0, 35.0}
    ordered = CurveSpec(title="Pairs", x="pretraining.pairs", x_label="pairs")
    draw_curve(build_curve("p", ordered, [make_record(pairs=2000), make_record(pairs=4000)]), tmp_path / "p")
    assert any(len(set(line.get_xdata())) > 1 and line.get_linestyle() == "-" for line in drawn_axes()[0].lines)

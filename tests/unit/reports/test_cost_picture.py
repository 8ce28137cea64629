"""Cost against accuracy: every timed entry is a labelled point; labels keep clear of each other and of the points."""

import itertools

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text

from ssl_motion_reports.board import build_board
from ssl_motion_reports.cost_picture import draw_costs
from ssl_motion_reports.leaderboard import write_leaderboard


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were saved."""
    figures = []
    save = Figure.savefig

    def spy(self, *args, **options):
        figures.append(self)
        return save(self, *args, **options)

    monkeypatch.setattr(Figure, "savefig", spy)
    return figures


def _diamonds(axes):
    """Point -> colour of its face."""
    lines = [line for line in axes.lines if line.get_marker() == "D"]
    return {tuple(map(float, point)): line.get_markerfacecolor() for line in lines for point in line.get_xydata()}


def _records(make_record, points):
    """`points`: method -> (mean, seconds); seconds None for no pretraining."""
    records = []
    for method, (mean, seconds) in points.items():
        for seed in (0, 1, 2):
            record = make_record(method, seed, mean + 0.3 * (seed - 1))
            if record.pretraining is not None:
                record = record.model_copy(
                    update={"pretraining": record.pretraining.model_copy(update={"wall_seconds": seconds})}
                )
            records.append(record)
    return records


def test_each_timed_entry_is_a_point_at_its_cost_and_mean(make_record, tmp_path, drawn):
    points = {"cmp": (28.0, 90.0), "pathak": (30.0, 50.0), "supervised": (42.0, 45.0), "random": (23.0, None)}
    files = draw_costs(build_board(_records(make_record, points)), tmp_path / "cost")
    assert [file.name for file in files] == ["cost.png", "cost.svg"]
    assert files[0].read_bytes().startswith(b"\x89PNG")
    assert files[1].read_text().lstrip().startswith("<?xml")
    (axes,) = drawn[0].axes
    assert sorted(_diamonds(axes)) == [pytest.approx(each) for each in ((45.0, 42.0), (50.0, 30.0), (90.0, 28.0))]
    assert axes.get_xscale() == "log"
    names = {text.get_text() for text in axes.texts if isinstance(text, Annotation)}
    assert names == set(points)
    (base,) = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert list(base.get_ydata()) == pytest.approx([23.0, 23.0])


@pytest.mark.parametrize("seed", range(4))
def test_labels_of_a_crowd_do_not_overlap(make_record, tmp_path, drawn, seed):
    random = np.random.default_rng(seed)
    names = ["cmp", "walker", "walker2015", "mahendran_direct", "cmp, shuffled flow", "cmp, reversed flow", "pathak"]
    points = {name: (28 + 2 * random.random(), 85 + 12 * random.random()) for name in names}
    draw_costs(
        build_board(_records(make_record, {**points, "random": (22.0, None), "far": (40.0, 40.0)})), tmp_path / "c"
    )
    (axes,) = drawn[0].axes
    labels = [text for text in axes.texts if isinstance(text, Annotation)]
    assert len(labels) == len(names) + 2
    boxes = [Text.get_window_extent(text) for text in labels]
    for one, other in itertools.combinations(boxes, 2):
        assert not one.overlaps(other)
    for point in _diamonds(axes):
        place = axes.transData.transform(point)
        assert not any(box.contains(*place) for box in boxes)


def test_each_name_that_is_far_has_a_line_even_where_points_are_the_same(make_record, tmp_path, drawn):
    names = [f"cmp (strides={number})" for number in range(8)]
    draw_costs(build_board(_records(make_record, dict.fromkeys(names, (30.0, 50.0)))), tmp_path / "cost")
    (axes,) = drawn[0].axes
    labels = [text for text in axes.texts if isinstance(text, Annotation)]
    far = [text.xyann for text in labels if np.hypot(*text.xyann) > 12]
    assert len(far) > 2
    (lines,) = [each for each in axes.collections if isinstance(each, LineCollection) and each.get_zorder() == 4]
    assert [tuple(place) for place in lines.get_offsets()] == [pytest.approx((50.0, 30.0))] * len(far)
    for line, place in zip(lines.get_segments(), far, strict=True):
        # In inches from the point, to within the height of a letter of the name's place.
        assert np.hypot(*(line[1] * 72 - place)) < 7


def test_a_crowd_is_numbered_by_rank(make_record, tmp_path, drawn):
    points = {f"cmp (lr={number})": (50.0 - number, 60.0 + number) for number in range(20)}
    draw_costs(build_board(_records(make_record, points)), tmp_path / "cost")
    (axes,) = drawn[0].axes
    labels = [text for text in axes.texts if isinstance(text, Annotation)]
    places = {int(text.get_text()): text.xy for text in labels}
    assert places == {number + 1: (60.0 + number, pytest.approx(50.0 - number)) for number in range(20)}


def test_entries_like_random_are_hollow(make_record, tmp_path, drawn):
    points = {"cmp": (40.0, 90.0), "cmp, shuffled flow": (20.1, 91.0), "random": (20.0, None)}
    draw_costs(build_board(_records(make_record, points)), tmp_path / "cost")
    faces = {round(mean, 1): face for (_, mean), face in _diamonds(drawn[0].axes[0]).items()}
    assert faces[20.1] == "white"
    assert faces[40.0] != "white"


def test_without_a_timed_entry_there_is_no_picture(make_record, make_reported, tmp_path):
    write_leaderboard([make_record()], tmp_path)
    assert (tmp_path / "cost.svg").is_file()
    write_leaderboard([make_record("random"), make_reported()], tmp_path)
    assert not list(tmp_path.glob("cost.*")), "those of an earlier report would not belong to the new one"

"""Comparisons: a planted difference is found by metric, class and image; what is not comparable is refused."""

import csv
import io

import numpy as np
import pytest
from click.testing import CliRunner

from ssl_motion.cli import cli
from ssl_motion.errors import DataError, UsageError
from ssl_motion.fileio import sha256_of, write_json
from ssl_motion.per_image.confusion import PerImageConfusion, scores
from ssl_motion.record import MetricValue, PerImage
from ssl_motion_reports.compare import (
    Predicted,
    compare,
    draw_predictions,
    find_sides,
    folder_name,
    to_csv,
    to_markdown,
    verdict,
    write_comparison,
)
from ssl_motion_reports.spread import interval_of
from ssl_motion_reports.statistics.images import compute_draws

CLASSES = ["ground", "thing"]
IMAGES = [f"image_{number:02d}" for number in range(40)]
WORST = "image_07"


@pytest.fixture
def runs(make_record, tmp_path):
    """Three seeds of two methods with per-image files: "good" has some more pixels right, far more in one image."""

    def write(method, seed, better):
        rng = np.random.default_rng(seed)
        images = {}
        for name in IMAGES:
            wrong = int(rng.integers(380, 420)) - better - (300 if better and name == WORST else 0)
            cells = {0: 2000, 2: wrong, 3: 1000 - wrong}
            images[name] = (np.array(list(cells), np.int32), np.array(list(cells.values()), np.int64))
        matrices = PerImageConfusion.collect(images, CLASSES)
        figures = scores(matrices.total())
        metrics = [
            MetricValue(name=name, value=value, primary=name == "mIoU") for name, value in figures.metrics.items()
        ]
        record = make_record(method, seed, metrics=metrics, details=figures.details(CLASSES))
        folder = tmp_path / "runs" / "transfer" / f"{method}-s{seed}-{record.identity}"
        folder.mkdir(parents=True)
        matrices.save(folder / "per_image.npz")
        record = record.model_copy(
            update={"per_image": PerImage(file="per_image.npz", sha256=sha256_of(folder / "per_image.npz"))}
        )
        write_json(folder / "record.json", record.model_dump(mode="json"))
        return record, folder / "record.json"

    made = [write(method, seed, better) for method, better in (("good", 40), ("plain", 0)) for seed in (0, 1, 2)]
    return [record for record, _ in made], {record.identity: path for record, path in made}


def _compare(runs, one="good", other="plain", **options):
    records, sources = runs
    first, second, files = find_sides(one, other, records, sources, **options)
    return compare(first, second, files)


def test_a_planted_difference_is_found(runs):
    found = _compare(runs)
    # Worked out from the pixels: 40 of 1000 more are right in every image, 300 more in one.
    by_seed = {
        method: [record.primary.value for record in runs[0] if record.method == method] for method in ("good", "plain")
    }
    expected = np.mean(by_seed["good"]) - np.mean(by_seed["plain"])
    first = found.differences[0]
    assert first.name == "mIoU"
    assert first.value == pytest.approx(expected)
    assert 2.5 < first.value < 5.0
    assert first.interval.low < expected < first.interval.high
    assert first.interval.low > 0
    assert first.interval.sources == ("seeds", "images")
    assert {row.name for row in found.differences} == {"mIoU", "aAcc", "mAcc"}
    thing = next(row for row in found.classes["IoU"] if row.name == "thing")
    assert thing.value > next(row for row in found.classes["IoU"] if row.name == "ground").value > 0
    assert "good is better than plain" in verdict(found)


def test_the_image_where_they_differ_most_comes_first(runs):
    found = _compare(runs)
    assert [row.name for row in found.images[:1]] == [WORST]
    assert len(found.images) == len(IMAGES)
    assert [abs(row.value) for row in found.images] == sorted((abs(row.value) for row in found.images), reverse=True)
    # The image's own figure, from its own pixels alone: 2000 right, w wrong of 1000.
    records, sources = runs
    ours = []
    for record in records:
        if record.method == "good":
            with np.load(sources[record.identity].parent / "per_image.npz") as content:
                place = list(content["names"]).index(WORST)
                counts = content["counts"][content["offsets"][place] : content["offsets"][place + 1]]
            _, wrong, right = counts
            ours.append((2000 / (2000 + wrong) + right / 1000) / 2 * 100)
    assert found.images[0].one == pytest.approx(np.mean(ours))


def test_two_runs_are_compared_over_their_images_alone(runs, tmp_path):
    records, sources = runs
    one, other = (next(record for record in records if record.method == method) for method in ("good", "plain"))
    named = [
        (one.identity, other.identity[:6]),
        (str(sources[one.identity].parent), str(sources[other.identity])),
        (sources[one.identity].parent.name, other.identity),
    ]
    results = {verdict(_compare(runs, *names)) for names in named}
    assert len(results) == 1
    found = _compare(runs, *named[0])
    assert found.differences[0].interval.sources == ("images",)
    assert found.one.label == "good seed 0"
    # Away from the runs folder, a record file brings its own images along.
    first, second, files = find_sides(*named[1], [], {})
    assert compare(first, second, files).images == found.images


def test_draws_that_were_kept_serve_without_the_files(runs, tmp_path):
    records, sources = runs
    first, second, files = find_sides("good", "plain", records, sources)
    kept = tmp_path / "kept"
    found = compare(first, second, files, kept).differences[0].interval
    assert len(list(kept.iterdir())) == len(records)
    for source in sources.values():
        (source.parent / "per_image.npz").unlink()
    assert compare(first, second, files, kept).differences[0].interval == found
    values = [record.primary.value for record in first.records]
    assert interval_of(first.records, values, sources, kept).sources == ("seeds", "images")
    assert interval_of(first.records, values, sources).sources == ("seeds",)


def test_long_computing_shows_its_progress_once(runs, tmp_path, capsys):
    records, sources = runs
    compute_draws(records, sources, tmp_path / "kept")
    said = capsys.readouterr().err
    assert "drawing test images anew" in said
    assert "6/6 results" in said
    assert len(list((tmp_path / "kept").iterdir())) == len(records)
    compute_draws(records, sources, tmp_path / "kept")
    assert capsys.readouterr().err == ""


def test_equal_sides_are_not_told_apart(runs):
    records, sources = runs
    changed = [
        record.model_copy(update={"method": "twin", "identity": f"{seed}" * 16})
        for seed, record in enumerate(record for record in records if record.method == "good")
    ]
    files = {
        **sources,
        **{twin.identity: sources[record.identity] for twin, record in zip(changed, records[:3], strict=True)},
    }
    found = _compare(([*records, *changed], files), "good", "twin")
    assert found.differences[0].value == 0
    assert "are not told apart" in verdict(found)
    assert not found.images
    assert any("does not tell the two apart" in remark for remark in found.remarks)


def test_without_images_and_with_one_seed_nothing_is_claimed(make_record):
    records = [make_record("a", 0, 40.0), make_record("b", 0, 30.0)]
    first, second, files = find_sides("a", "b", records, {})
    found = compare(first, second, files)
    assert found.differences[0].value == 10.0
    assert found.differences[0].interval is None
    assert "cannot be said" in verdict(found)
    assert any("no interval" in remark for remark in found.remarks)


def test_a_per_image_file_of_another_run_is_not_used(runs):
    records, sources = runs
    path = sources[records[0].identity].parent / "per_image.npz"
    path.write_bytes((sources[records[-1].identity].parent / "per_image.npz").read_bytes())
    found = _compare(runs)
    assert not found.images
    assert any(records[0].identity in remark for remark in found.remarks)
    assert found.differences[0].interval.sources == ("seeds",)


def test_two_protocols_are_refused_with_the_facts(make_record):
    one = make_record("a", 0, protocol={"iterations": 300, "head": {"type": "fcn", "channels": 64}})
    other = make_record("b", 0, protocol={"iterations": 600, "head": {"type": "fcn", "channels": 32}}, scale="full")
    with pytest.raises(UsageError) as caught:
        find_sides(one.identity, other.identity, [one, other], {})
    message = str(caught.value)
    for part in ("iterations: 300 | 600", "head.channels: 64 | 32", "scale: builtin | full"):
        assert part in message
    assert "head.type" not in message


def test_unknown_and_ambiguous_names_are_explained(make_record):
    records = [make_record("walker", 0, 40.0), make_record("random", 0, 30.0)]
    records += [
        make_record(method, 0, 20.0, protocol={"v": 2}, protocol_name="other") for method in ("walker", "random")
    ]
    records += [make_record("cmp", 0, 31.0 + lr, spec={"lr": lr}) for lr in (1, 2)]
    find = find_sides
    with pytest.raises(UsageError, match="Did you mean 'walker'"):
        find("waker", "random", records, {})
    with pytest.raises(UsageError, match="share 2 protocols") as caught:
        find("walker", "random", records, {})
    fingerprints = {record.protocol_fingerprint for record in records if record.method == "walker"}
    assert all(each in str(caught.value) for each in fingerprints)
    side, _, _ = find("walker", "random", records, {}, protocol="other")
    assert side.records[0].primary.value == 20.0
    side, _, _ = find("walker", "random", records, {}, protocol=records[0].protocol_fingerprint[:6])
    assert side.records[0].primary.value == 40.0
    with pytest.raises(UsageError, match="Did you mean 'voc_fcn'"):
        find("walker", "random", records, {}, task="voc_fnc")
    with pytest.raises(UsageError, match=r"share no protocol 'othr'\. Did you mean 'other'"):
        find("walker", "random", records, {}, protocol="othr")
    with pytest.raises(UsageError, match=r"2 entries .* 'cmp \(lr=1\)'"):
        find("cmp", "random", records, {}, protocol=records[0].protocol_fingerprint)
    side, _, _ = find("cmp (lr=2)", "random", records, {})
    assert side.records[0].primary.value == 33.0
    with pytest.raises(UsageError, match="two runs or two methods"):
        find("walker", records[1].identity, records, {})
    with pytest.raises(UsageError, match="same run"):
        find(records[0].identity, records[0].identity[:8], records, {})
    with pytest.raises(UsageError, match="give two methods"):
        find("walker", "walker", records, {})


def test_damaged_and_published_records_are_refused(make_reported, make_record, tmp_path):
    (tmp_path / "bad.json").write_text("{}")
    write_json(tmp_path / "published.json", make_reported().model_dump(mode="json"))
    with pytest.raises(DataError, match=r"bad\.json"):
        find_sides(str(tmp_path / "bad.json"), "x", [], {})
    with pytest.raises(UsageError, match="published number"):
        find_sides(str(tmp_path / "published.json"), "x", [], {})
    with pytest.raises(UsageError, match=r"holds no record\.json"):
        find_sides(str(tmp_path), "x", [], {})


def test_all_formats_say_the_same_and_are_the_same_twice(runs, tmp_path):
    found = _compare(runs)
    files = [write_comparison(found, tmp_path / name, []) for name in ("a", "b")]
    assert [path.name for path in files[0]] == ["compare.md", "compare.csv", "classes.png", "classes.svg"]
    for one, other in zip(*files, strict=True):
        assert one.read_bytes() == other.read_bytes()
    rows = list(csv.DictReader(io.StringIO(to_csv(found))))
    assert {kind: sum(row["kind"] == kind for row in rows) for kind in ("metric", "class", "image")} == {
        "metric": 3, "class": 4, "image": 40,
    }  # fmt: skip
    first = rows[0]
    assert float(first["difference"]) == pytest.approx(found.differences[0].value)
    assert float(first["low"]) == pytest.approx(found.differences[0].interval.low)
    text = to_markdown(found, ["classes.png"])
    assert f"{found.differences[0].value:+.2f}" in text
    assert WORST.replace("_", r"\_") in text
    assert "![classes.png](classes.png)" in text
    assert folder_name(found) == f"good-vs-plain-{found.fingerprint[:6]}"


def test_predictions_are_drawn_with_who_is_right(runs, tmp_path, drawn_axes, drawn_texts):
    from matplotlib.colors import to_rgb

    from ssl_motion_reports.compare.canvas import ONE, OTHER

    found = _compare(runs)
    label = np.array([[0, 1], [1, 255]])
    one, other = np.array([[0, 1], [0, 0]]), np.array([[0, 0], [1, 0]])
    picture = Predicted(WORST, np.zeros((2, 2, 3), np.uint8), label, one, other)
    palette = [(0, 0, 0), (128, 0, 0)]
    files = [
        draw_predictions(found, [picture], CLASSES, palette, tmp_path / name, "by runs") for name in ("a.png", "b.png")
    ]
    assert files[0][0].read_bytes() == files[1][0].read_bytes()
    images = [axes.images[0].get_array() for axes in drawn_axes()]
    assert len(images) == 5
    np.testing.assert_array_equal(images[1][0, 1], palette[1])
    np.testing.assert_array_equal(images[1][1, 1], [255, 255, 255])
    right = images[4]
    np.testing.assert_allclose(right[0, 1] / 255, to_rgb(ONE), atol=0.003)
    np.testing.assert_allclose(right[1, 0] / 255, to_rgb(OTHER), atol=0.003)
    np.testing.assert_array_equal(right[1, 1], [255, 255, 255])
    assert f"{found.images[0].one:.1f}" in list(drawn_texts)
    assert draw_predictions(found, [], CLASSES, palette, tmp_path / "a.png", "") == []
    assert not (tmp_path / "a.png").exists()


def test_the_verb_compares_and_says_why_there_are_no_pictures(runs, tmp_path):
    arguments = ["report", "compare", "good", "plain", "--runs", tmp_path / "runs"]
    done = CliRunner().invoke(cli, [str(each) for each in arguments])
    assert done.exit_code == 0, done.output
    assert "good is better than plain" in done.output
    assert "no pictures of predictions" in done.output
    assert "holds no network" in done.output
    (folder,) = (tmp_path / "runs" / "reports" / "compare").iterdir()
    assert {path.name for path in folder.iterdir()} == {"compare.md", "compare.csv", "classes.png", "classes.svg"}
    assert "no pictures of predictions" in (folder / "compare.md").read_text()

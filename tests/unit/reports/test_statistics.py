"""Intervals, ranks and what is kept of images: against SciPy, planted truths, and files that are not what they seem."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from ssl_motion.errors import DataError
from ssl_motion.fileio import sha256_of
from ssl_motion.per_image.confusion import PerImageConfusion, confusion_cells, scores
from ssl_motion.per_image.resampling import image_draws
from ssl_motion.record import MetricValue, PerImage
from ssl_motion_reports.board import build_board
from ssl_motion_reports.differences import differences
from ssl_motion_reports.leaderboard import as_data, write_leaderboard
from ssl_motion_reports.statistics.bootstrap import mean_interval, paired_difference, shared_covariance
from ssl_motion_reports.statistics.images import DRAWS, images_of
from ssl_motion_reports.statistics.ranks import rank_intervals
from ssl_motion_reports.statistics.replicates import Replicate, replicates_of
from ssl_motion_reports.terminal import print_board


class Images:
    """Statistics whose metric is the mean over the images."""

    def __init__(self, values, key="same"):
        self.values, self.key, self.images = np.asarray(values, dtype=float), key, len(values)

    def draws(self, draws, seed):
        return image_draws(self.images, draws, seed) @ self.values / self.images


def runs(values, images=None):
    images = images or [None] * len(values)
    return [Replicate(seed, value, each) for seed, (value, each) in enumerate(zip(values, images, strict=True))]


def test_over_seeds_alone_it_is_students_interval() -> None:
    values = [28.0, 29.0, 27.5]
    found = mean_interval(runs(values))
    low, high = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert (found.estimate, found.level, found.sources, found.seeds, found.images) == (
        pytest.approx(np.mean(values)),
        0.95,
        ("seeds",),
        3,
        0,
    )
    assert mean_interval(runs(values), level=0.5).high < found.high


def test_a_difference_over_seeds_alone_is_welchs() -> None:
    ours, theirs = [28.0, 29.0, 27.5], [23.0, 21.5, 23.6, 25.0]
    found = paired_difference(runs(ours), runs(theirs))
    reference = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval()
    assert (found.low, found.high) == pytest.approx((reference.low, reference.high))
    turned = paired_difference(runs(theirs), runs(ours))
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))


def test_one_seed_says_something_of_images_alone() -> None:
    assert mean_interval(runs([30.0])) is None
    values = np.random.default_rng(0).normal(30, 8, 400)
    found = mean_interval(runs([float(values.mean())], [Images(values)]), draws=4000)
    assert found.sources == ("images",)
    assert found.images == 400
    half = 1.96 * values.std() / 20
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.05 * half)


def test_images_are_paired() -> None:
    rng = np.random.default_rng(1)
    image, noise = rng.normal(0, 10, 300), rng.normal(0, 1, (2, 300))
    one, other = 40 + image + noise[0], 38 + image + noise[1]
    sides = [runs([float(each.mean())], [Images(each)]) for each in (one, other)]
    found = paired_difference(*sides, draws=4000)
    assert found.high - found.low == pytest.approx(2 * 1.96 * (one - other).std() / math.sqrt(300), rel=0.06)
    assert found.low > 0, "which neither alone would show:"
    alone = [mean_interval(side) for side in sides]
    assert alone[0].low < alone[1].high
    moved = runs([float(other.mean())], [Images(other, key="others")])
    assert paired_difference(sides[0], moved) is None, "not the same images"


def test_interaction_of_seeds_and_images_counts_once() -> None:
    """Seeds that agree in everything but noise an image: the noise is in the seeds' spread, the images bring theirs."""
    rng = np.random.default_rng(2)
    image = rng.normal(0, 3, 2000)
    values = 50 + image + rng.normal(0, 12, (40, 2000))
    moved = np.stack([Images(each).draws(3000, 0) for each in values], axis=1)
    assert shared_covariance([moved])[0, 0] == pytest.approx(image.var() / 2000, rel=0.35)
    naive = moved.mean(axis=1).var()
    assert naive > 1.3 * image.var() / 2000


def test_seeds_of_one_pretraining_say_nothing_of_others() -> None:
    same = [Replicate(seed, value, start="run") for seed, value in enumerate([1.0, 2.0, 3.0])]
    assert mean_interval(same) is None
    own = [Replicate(seed, value, start=f"run {seed}") for seed, value in enumerate([1.0, 2.0, 3.0])]
    assert mean_interval(own) == mean_interval(runs([1.0, 2.0, 3.0]))
    assert paired_difference(own, same) is None


def test_nothing_to_say_and_nothing_that_varies() -> None:
    assert mean_interval([]) is None
    assert paired_difference(runs([1.0, 2.0]), []) is None
    assert mean_interval(runs([1.0, math.nan])) is None
    still = mean_interval(runs([8.0, 8.0, 8.0]))
    assert (still.low, still.high) == (8.0, 8.0)


def test_draws_without_anything_to_judge_are_left_out() -> None:
    class Gaps(Images):
        def draws(self, draws, seed):
            moved = super().draws(draws, seed)
            moved[::10] = np.nan
            return moved

    values = np.random.default_rng(3).normal(30, 5, 200)
    whole, gaps = (mean_interval(runs([30.0], [kind(values)])) for kind in (Images, Gaps))
    assert gaps.high == pytest.approx(whole.high, rel=0.01)


def test_ranks_by_hand() -> None:
    badness = {"a": 1.0, "b": 2.0, "c": 3.0, "new": 2.5}
    resolved = frozenset({("a", "c"), ("c", "a")})
    found = rank_intervals(badness, resolved, {"a", "b", "c"})
    # Of the four, a is better than c; nothing is known of the last.
    assert found == {"a": (1, 3), "b": (1, 4), "c": (2, 4)}


def test_by_images_too_fewer_are_told_apart() -> None:
    values = {"a": [30.0, 30.2, 30.1], "b": [29.0, 29.2, 29.1], "c": [20.0, 20.2, 20.1]}
    alone = differences(values)
    assert alone.letters == {"a": ("a",), "b": ("b",), "c": ("c",)}
    assert alone.images == 0
    nothing = differences(values, shared=np.zeros((3, 3)), images=500)
    assert nothing.smallest == pytest.approx(alone.smallest, rel=0.03), "simulated against the table"
    same = differences(values, shared=np.full((3, 3), 4.0), images=500)
    assert same.smallest == pytest.approx(nothing.smallest), "images that move all alike move no difference"
    both = differences(values, shared=np.eye(3), images=500)
    assert both.letters == {"a": ("a",), "b": ("a",), "c": ("b",)}
    # The quantile of a difference of three independent means, nearly known spread: 3.31 / sqrt 2.
    assert both.smallest == pytest.approx(3.31 * math.sqrt(1 + 0.1**2 / 3), rel=0.04)
    assert both.images == 500


def matrices(seed: int, accuracy: float, images: int = 60) -> PerImageConfusion:
    """Matrices of random pictures; the same labels for every seed."""
    labels, rng = np.random.default_rng(0).integers(0, 3, (images, 6, 6)), np.random.default_rng([seed, 1])
    cells = {}
    for index, label in enumerate(labels):
        prediction = np.where(rng.random(label.shape) < accuracy, label, rng.integers(0, 3, label.shape))
        cells[f"{index:03d}"] = confusion_cells(label, prediction, 3, "")
    return PerImageConfusion.collect(cells, ["a", "b", "c"])


@pytest.fixture
def measured(make_record, tmp_path: Path):
    """Make records with their per-image files: measured(method, seed, accuracy) -> record, file."""

    def make(method: str, seed: int, accuracy: float, **changes):
        kept = matrices(seed, accuracy)
        folder = tmp_path / f"{method}-{seed}"
        folder.mkdir()
        kept.save(folder / "per_image.npz")
        statistics = PerImage(file="per_image.npz", sha256=sha256_of(folder / "per_image.npz"))
        metrics = [MetricValue(name="mIoU", value=scores(kept.total()).miou, primary=True)]
        record = make_record(method, seed, metrics=metrics, **changes)
        record = record.model_copy(update={"per_image": statistics})
        (folder / "record.json").write_text(record.model_dump_json(), encoding="utf-8")
        return record, folder / "record.json"

    return make


def test_images_of_a_record_are_found_kept_and_refused(measured, tmp_path: Path) -> None:
    record, file = measured("cmp", 0, 0.7)
    found = images_of(record, file, tmp_path / "cache")
    assert found.images == 60
    assert found.draws(DRAWS, 0).mean() == pytest.approx(record.primary.value, abs=0.5)
    direct = matrices(0, 0.7).of_draws("mIoU", image_draws(60, DRAWS, 0))[0]
    np.testing.assert_allclose(found.draws(DRAWS, 0), direct)
    np.testing.assert_allclose(found.draws(50, 3), matrices(0, 0.7).of_draws("mIoU", image_draws(60, 50, 3))[0])
    other = record.model_copy(update={"metrics": [record.primary.model_copy(update={"value": 99.0})]})
    assert images_of(other, file) is None, "the file does not give this record's metric"
    wrong = record.model_copy(update={"per_image": PerImage(file="per_image.npz", sha256="0" * 64)})
    assert images_of(wrong, file) is None, "another file of that name"
    (file.parent / "per_image.npz").unlink()
    again = images_of(record, file, tmp_path / "cache")
    np.testing.assert_array_equal(again.draws(DRAWS, 0), direct)
    assert again.key == found.key
    with pytest.raises((DataError, OSError)):
        again.draws(50, 3)
    assert images_of(record, file) is None
    (kept,) = (tmp_path / "cache").iterdir()
    for damage in (b"", b"{}\n", kept.read_bytes()[:-8]):
        kept.write_bytes(damage)
        assert images_of(record, file, tmp_path / "cache") is None


def test_a_board_over_seeds_and_images(measured, make_reported, tmp_path: Path) -> None:
    made = [measured(method, seed, level) for method, level in (("cmp", 0.8), ("random", 0.4)) for seed in range(3)]
    records, sources = [record for record, _ in made], {record.identity: file for record, file in made}
    protocol = records[0].protocol
    published = make_reported("walker", 50.0, protocol=protocol, scale="builtin")
    (group,) = build_board([*records, published], sources).groups
    first, _, last = group.entries
    assert (first.method, last.method) == ("cmp", "random")
    theirs = next(entry for entry in group.entries if entry.method == "walker")
    assert theirs.interval is None
    assert theirs.rank_interval is None
    assert (first.rank_interval, last.rank_interval) == ((1, 2), (2, 3)), "the published row can have any rank"
    assert first.interval == mean_interval(replicates_of(first.records, sources))
    assert first.interval.sources == ("seeds", "images")
    assert first.interval.images == 60
    assert "With 3 seeds this protocol separates differences above" in group.resolution
    assert "60 test images" in group.resolution
    (alone,) = build_board([*records, published]).groups
    assert alone.entries[0].interval.sources == ("seeds",)
    assert "on these test images" in alone.resolution
    missing = {key: file for key, file in sources.items() if key != records[0].identity}
    (mixed,) = build_board(records, missing).groups
    assert mixed.differences.images == 0, "one record's images are not at hand"
    assert {entry.interval.sources for entry in mixed.entries} == {("seeds",), ("seeds", "images")}


def test_every_format_prints_what_the_board_holds(measured, tmp_path: Path) -> None:
    levels = {"cmp": 0.8, "walker": 0.78, "random": 0.4}
    made = [measured(method, seed, level) for method, level in levels.items() for seed in (0, 1)]
    records, sources = [record for record, _ in made], {record.identity: file for record, file in made}
    (group,) = build_board(records, sources).groups
    best = group.entries[0]
    low, high = f"{best.interval.low:.2f}", f"{best.interval.high:.2f}"
    assert best.rank_interval[0] < best.rank_interval[1]
    ranks = f"1 ({best.rank_interval[0]}\N{EN DASH}{best.rank_interval[1]})"
    files = {path.suffix: path for path in write_leaderboard(records, tmp_path / "out", sources=sources)}
    terminal = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    print_board(build_board(records, sources), terminal)
    printed = terminal.export_text()
    for text in (files[".md"].read_text(encoding="utf-8"), printed):
        assert f"{low} to {high}" in text
        assert ranks in text
    page = files[".html"].read_text(encoding="utf-8")
    assert f"{low} to {high}" in page
    assert f'1<span class="std"> ({best.rank_interval[0]}\N{EN DASH}{best.rank_interval[1]})</span>' in page
    latex = files[".tex"].read_text(encoding="utf-8")
    assert f"{low} to {high}" in latex
    assert f"1 ({best.rank_interval[0]}--{best.rank_interval[1]})" in latex
    for text in (files[".md"].read_text(encoding="utf-8").replace("\\", ""), " ".join(printed.split()), page, latex):
        assert group.resolution.split(" (")[0] in text
    line = next(
        each for each in files[".csv"].read_text(encoding="utf-8").splitlines() if ",cmp,cmp,reproduced,mIoU" in each
    )
    assert f"{best.interval.low}" in line
    assert "seeds and images" in line
    (data,) = json.loads(json.dumps(as_data(build_board(records, sources))))["groups"]
    assert data["resolution"] == group.resolution
    assert data["entries"][0]["interval"]["low"] == best.interval.low
    assert data["entries"][0]["rank_interval"] == list(best.rank_interval)

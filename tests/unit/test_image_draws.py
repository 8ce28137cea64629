"""Metrics of images that count several times: equal to really repeating them, and to the record where each counts once.

Detections of COCO are compared with pycocotools on copies of the images, in test_average_precision.py.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from ssl_motion.errors import DataError
from ssl_motion.per_image.arrays import Float64Array
from ssl_motion.per_image.clicks import PerObjectClicks
from ssl_motion.per_image.confusion import PerImageConfusion, confusion_cells, scores
from ssl_motion.per_image.multilabel import PerImageScores, average_precisions, single
from ssl_motion.per_image.resampling import PerImageFile, image_draws, read_any, resampled
from ssl_motion.per_image.verdicts import Verdicts
from ssl_motion.per_image.voc_boxes import RULES, PerImageBoxes
from ssl_motion.ranking import Rule, average_precision, average_precision_of_draws, mean_present

IMAGES, CLASSES = 14, ["a", "b", "c"]


def times_of(seed: int, images: int = IMAGES) -> npt.NDArray[np.int32]:
    """Four draws, the last of one image alone."""
    times = np.random.default_rng([seed, 7]).integers(0, 4, (4, images)).astype(np.int32)
    times[3] = np.arange(images) == seed % images
    return times


def repeat(times: npt.NDArray[np.int32]) -> npt.NDArray[np.intp]:
    return np.repeat(np.arange(len(times)), times)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_confusion_matrices(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pictures = [(rng.choice([0, 1, 2, 255], (5, 6)), rng.integers(0, 2, (5, 6))) for _ in range(IMAGES)]
    cells = [confusion_cells(*each, 3, "x") for each in pictures]
    kept = PerImageConfusion.collect({f"{i:02d}": each for i, each in enumerate(cells)}, CLASSES)
    times = times_of(seed)
    found = {metric: kept.of_draws(metric, times)[0] for metric in ("mIoU", "aAcc", "mAcc")}
    for draw, often in enumerate(times):
        copies = {f"{n}": cells[i] for n, i in enumerate(repeat(often))}
        if not copies:
            continue
        for metric, value in scores(PerImageConfusion.collect(copies, CLASSES).total()).metrics.items():
            assert found[metric][draw] == pytest.approx(value, rel=1e-12, nan_ok=True)
    assert kept.of_draws("AP", times) == []


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["step", "envelope", "11-point"]), st.booleans())
def test_average_precision_of_repeated_items(seed: int, rule: Rule, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    right, values = rng.random(30) < 0.3, rng.random(30)
    values = np.round(values, 1) if ties else values
    counts = times_of(seed, 30)
    found = average_precision_of_draws(right, values, counts, rule)
    for draw, often in enumerate(counts):
        copies = repeat(often)
        assert found[draw] == pytest.approx(
            average_precision(right[copies], values[copies], rule), abs=1e-9, nan_ok=True
        )
        if rule == "step" and right[copies].any():
            theirs = average_precision_score(right, values, sample_weight=often)
            assert found[draw] == pytest.approx(100 * theirs, abs=1e-9)
    more = counts[:, right].sum(axis=1) + 3
    once = average_precision_of_draws(right, values, counts, rule, more)
    copies = repeat(counts[0])
    assert once[0] == pytest.approx(average_precision(right[copies], values[copies], rule, int(more[0])), abs=1e-9)


def test_nothing_detected_and_nothing_there() -> None:
    none, counts = np.empty(0), np.empty((2, 0), np.int32)
    assert average_precision_of_draws(none, none, counts, "envelope", np.array([3, 0])).tolist() == pytest.approx(
        [0.0, np.nan], nan_ok=True
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 2))
def test_multilabel_scores(seed: int, draws: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.choice([1, -1, -1, 0], (IMAGES, 3)).astype(np.int8)
    values = rng.random((draws, IMAGES, 3)).astype(np.float16)
    kept = PerImageScores([f"{i}" for i in range(IMAGES)], CLASSES, labels, [""] * draws, values)
    times = times_of(seed)
    envelope, step = kept.of_draws("mAP", times)
    (eleven,) = kept.of_draws("mAP07", times)
    rules: dict[Rule, Float64Array] = {"envelope": envelope, "step": step, "11-point": eleven}
    for rule, found in rules.items():
        for draw, often in enumerate(times):
            copies = repeat(often)
            expected = np.mean([mean_present(average_precisions(labels[copies], v[copies], rule)) for v in values])
            assert found[draw] == pytest.approx(expected, abs=1e-9, nan_ok=True)


def boxes_of(seed: int) -> PerImageBoxes:
    rng = np.random.default_rng(seed)
    number = 60
    pairs = np.argwhere(rng.random((IMAGES, 3)) < 0.4)
    return PerImageBoxes(
        names=[f"{i}" for i in range(IMAGES)],
        classes=CLASSES,
        image=np.sort(rng.integers(0, IMAGES, number)).astype(np.int32),
        label=rng.integers(0, 3, number).astype(np.int16),
        score=np.round(rng.random(number), 2).astype(np.float32),
        match=rng.choice([1, 0, -1], number).astype(np.int8),
        object_image=pairs[:, 0].astype(np.int32),
        object_label=pairs[:, 1].astype(np.int16),
        object_count=rng.integers(5, 9, len(pairs)).astype(np.int32),
    )


def repeated(kept: PerImageBoxes, copies: npt.NDArray[np.intp]) -> PerImageBoxes:
    """The same, with images really repeated."""
    found = [np.flatnonzero(kept.image == i) for i in copies]
    there = [np.flatnonzero(kept.object_image == i) for i in copies]
    rows, objects = np.concatenate(found), np.concatenate(there)
    return PerImageBoxes(
        [f"{n}" for n in range(len(copies))],
        kept.classes,
        np.repeat(np.arange(len(copies)), [len(each) for each in found]).astype(np.int32),
        kept.label[rows],
        kept.score[rows],
        kept.match[rows],
        np.repeat(np.arange(len(copies)), [len(each) for each in there]).astype(np.int32),
        kept.object_label[objects],
        kept.object_count[objects],
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_boxes(seed: int) -> None:
    kept, times = boxes_of(seed), times_of(seed)
    for metric, rule in RULES.items():
        (found,) = kept.of_draws(metric, times)
        for draw, often in enumerate(times):
            if often.any():
                expected = mean_present(repeated(kept, repeat(often)).average_precisions(rule))
                assert found[draw] == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_verdicts_of_the_stage_that_the_record_is_of(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 6, IMAGES).astype(np.int32)
    predicted = {stage: rng.permuted(np.tile(np.arange(6), (IMAGES, 1)), axis=1)[:, :5] for stage in ("one", "two")}
    kept = Verdicts([f"a/{i}" for i in range(IMAGES)], labels, predicted)
    times = times_of(3)
    for metric, top in (("top1", 1), ("top5", 5)):
        for found, stage in zip(kept.of_draws(metric, times), ("one", "two"), strict=True):
            hits = (predicted[stage][:, :top] == labels[:, None]).any(axis=1)
            assert found.tolist() == pytest.approx([100 * hits[repeat(often)].mean() for often in times])
    kept.save(tmp_path / "v.npz")
    again = read_any(tmp_path / "v.npz")
    accuracy = kept.accuracy("two", 5)
    assert accuracy != kept.accuracy("one", 5)
    moved = resampled(again, "top5", accuracy, 300, 0)
    assert moved is not None
    np.testing.assert_allclose(moved, kept.of_draws("top5", image_draws(IMAGES, 300, 0))[1])
    assert resampled(again, "top5", accuracy + 1, 300, 0) is None, "not the record's file"
    assert resampled(again, "mIoU", accuracy, 300, 0) is None


def clicks_of(seed: int) -> PerObjectClicks:
    rng = np.random.default_rng(seed)
    image = np.sort(rng.integers(0, IMAGES, 30)).astype(np.int32)
    iou = np.round(np.minimum(100, np.cumsum(rng.uniform(0, 30, (30, 8)), axis=1)), 1).astype(np.float32)
    pieces, holes = rng.integers(1, 3, 30).astype(np.int32), rng.integers(0, 2, 30).astype(np.int32)
    return PerObjectClicks([f"{i}" for i in range(IMAGES)], image, [f"{i}" for i in range(30)], pieces, holes, iou)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_clicks(seed: int) -> None:
    kept, times = clicks_of(seed), times_of(seed)
    for draw, often in enumerate(times):
        objects = [number for i in repeat(often) for number in np.flatnonzero(kept.image == i)]
        courses = [kept.click_iou[number].tolist() for number in objects]
        counts = [next((n for n, iou in enumerate(course, 1) if iou >= 85), 8) for course in courses]
        lost = [100 * (max(course) < 85) for course in courses]
        later = [course[2] for course in courses]
        for metric, values in (("NoC85", counts), ("failures85", lost), ("IoU3", later)):
            expected = np.mean(values) if values else np.nan
            assert kept.of_draws(metric, times)[0][draw] == pytest.approx(expected, nan_ok=True)
    assert kept.of_draws("mIoU", times) == kept.of_draws("IoU9", times) == kept.of_draws("IoU0", times) == []
    hollow = [course for course, holes in zip(kept.click_iou, kept.holes, strict=True) if holes]
    assert kept.mean("IoU1", kept.kinds["with holes"]) == pytest.approx(np.mean([each[0] for each in hollow]))


def test_every_kind_is_found_and_others_are_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    cells = {f"{i}": confusion_cells(rng.integers(0, 3, (4, 4)), rng.integers(0, 3, (4, 4)), 3, "") for i in range(3)}
    labels, values = rng.choice([1, -1], (3, 3)).astype(np.int8), rng.random((3, 3))
    kinds: list[PerImageConfusion | PerImageScores | PerImageBoxes | PerObjectClicks] = [
        PerImageConfusion.collect(cells, CLASSES),
        single(["x", "y", "z"], CLASSES, labels, values),
        boxes_of(1),
        clicks_of(1),
    ]
    for number, kept in enumerate(kinds):
        path = tmp_path / f"{number}.npz"
        kept.save(path)
        found: PerImageFile = read_any(path)
        assert type(found) is type(kept)
        assert list(found.names) == list(kept.names)
    np.savez(tmp_path / "other.npz", mine=np.ones(3))
    with pytest.raises(DataError, match="not a kind of per-image statistics that is known: it holds mine"):
        read_any(tmp_path / "other.npz")
    np.save(tmp_path / "array.npy", np.ones(3))
    with pytest.raises(DataError, match="not a file of per-image statistics"):
        read_any(tmp_path / "array.npy")


def test_draws_of_images_are_those_of_a_bootstrap() -> None:
    times = image_draws(50, 4000, 0)
    assert (times.sum(axis=1) == 50).all()
    assert times.mean() == 1
    assert times.var() == pytest.approx(1 - 1 / 50, rel=0.02), "multinomial"
    np.testing.assert_array_equal(times, image_draws.__wrapped__(50, 4000, 0))
    assert (times != image_draws(50, 4000, 1)).any()


def test_spread_over_draws_of_images_is_the_standard_error() -> None:
    rng = np.random.default_rng(8)
    right = rng.random(400) < 0.7
    labels = np.zeros(400, np.int32)
    kept = Verdicts([f"{i}" for i in range(400)], labels, {"conv5": np.where(right, 0, 1)[:, None].astype(np.int32)})
    moved = resampled(kept, "top1", kept.accuracy("conv5", 1), 4000, 0)
    assert moved is not None
    assert moved.std() == pytest.approx(100 * right.std() / 20, rel=0.04)

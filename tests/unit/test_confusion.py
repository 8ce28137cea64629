"""Segmentation figures against direct computation; order of images does not matter; unlabelled pixels do not count."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_motion.errors import DataError
from ssl_motion.per_image.confusion import PerImageConfusion, confusion_cells, read_per_image, scores

CLASSES = ["background", "cat", "dog", "cow", "never"]


def pictures(seed: int, count: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(seed)
    found = {}
    for index in range(count):
        size = tuple(int(side) for side in rng.integers(3, 12, 2))
        label = rng.choice([0, 1, 2, 3, 255], size).astype(np.uint8)
        found[f"image {index}"] = label, rng.integers(0, 4, size)
    return found


def collect(images: dict[str, tuple[np.ndarray, np.ndarray]]) -> PerImageConfusion:
    cells = {name: confusion_cells(*pair, len(CLASSES), name) for name, pair in images.items()}
    return PerImageConfusion.collect(cells, CLASSES)


@given(st.integers(0, 10_000), st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_figures_equal_their_definitions(seed: int, count: int) -> None:
    images = pictures(seed, count)
    figures = scores(collect(images).total())
    label = np.concatenate([pair[0].ravel() for pair in images.values()])
    prediction = np.concatenate([pair[1].ravel() for pair in images.values()])[label != 255]
    label = label[label != 255]
    ious, accuracies = [], []
    for kind in range(len(CLASSES)):
        union = ((label == kind) | (prediction == kind)).sum()
        expected = ((label == kind) & (prediction == kind)).sum() / union * 100 if union else np.nan
        np.testing.assert_allclose(figures.iou[kind], expected, rtol=1e-12)
        if union:
            ious.append(expected)
        if (label == kind).any():
            accuracies.append((prediction[label == kind] == kind).mean() * 100)
    if label.size:
        assert figures.miou == pytest.approx(np.mean(ious), rel=1e-12)
        assert figures.accuracy == pytest.approx((label == prediction).mean() * 100, rel=1e-12)
        assert figures.mean_accuracy == pytest.approx(np.mean(accuracies), rel=1e-12)


def test_order_of_images_does_not_matter(tmp_path: Path) -> None:
    images = pictures(1, 9)
    backwards = dict(reversed(images.items()))
    collect(images).save(tmp_path / "a.npz")
    collect(backwards).save(tmp_path / "b.npz")
    first, second = read_per_image(tmp_path / "a.npz"), read_per_image(tmp_path / "b.npz")
    assert first.names == second.names
    np.testing.assert_array_equal(first.cells, second.cells)
    assert scores(first.total()).miou == scores(second.total()).miou
    # The mean of single images' figures is another thing, and depends on nothing but the images either.
    assert scores(first.total()).miou != pytest.approx(
        np.mean([scores(first.of_image(index)).miou for index in range(9)]), abs=1e-6
    )


def test_file_keeps_every_image(tmp_path: Path) -> None:
    images = pictures(2, 5)
    collect(images).save(tmp_path / "m.npz")
    read = read_per_image(tmp_path / "m.npz")
    assert read.classes == CLASSES
    total = np.zeros((5, 5), dtype=np.int64)
    for index, name in enumerate(read.names):
        label, prediction = images[name]
        dense = np.zeros((5, 5), dtype=np.int64)
        known = label != 255
        np.add.at(dense, (label[known], prediction[known]), 1)
        np.testing.assert_array_equal(read.of_image(index), dense)
        total += dense
    np.testing.assert_array_equal(read.total(), total)


def test_a_perfect_prediction_scores_100_and_an_unlabelled_image_nothing() -> None:
    label = np.array([[0, 1, 255]], dtype=np.uint8)
    cells = confusion_cells(label, np.array([[0, 1, 3]]), 5, "a")
    empty = confusion_cells(np.full((2, 2), 255, dtype=np.uint8), np.zeros((2, 2), dtype=np.int64), 5, "b")
    assert len(empty[0]) == 0
    figures = scores(PerImageConfusion.collect({"a": cells, "b": empty}, CLASSES).total())
    assert (figures.miou, figures.accuracy, figures.mean_accuracy) == (100, 100, 100)
    assert np.isnan(scores(np.zeros((5, 5), dtype=np.int64)).miou)


def test_wrong_input_is_named() -> None:
    with pytest.raises(DataError, match=r"x\.png: label value 7"):
        confusion_cells(np.array([[7]], dtype=np.uint8), np.array([[0]]), 5, "x.png")
    with pytest.raises(DataError, match="the label is"):
        confusion_cells(np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.int64), 5, "x.png")


def test_other_files_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", a=np.ones(3))
    (tmp_path / "text.npz").write_text("nothing", encoding="utf-8")
    for name in ("other.npz", "text.npz", "none.npz"):
        with pytest.raises(DataError, match=name):
            read_per_image(tmp_path / name)

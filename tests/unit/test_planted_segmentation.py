"""Planted predictions through the metric that recipes use: perfect ones, shifted ones, and images in another order."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from ssl_motion.openmmlab.libraries import use_mmseg
from ssl_motion.per_image.confusion import read_per_image

CLASSES = ["background", "square", "stripe", "never"]
HEIGHT, WIDTH, SIDE, BAND = 60, 80, 24, 10
Labels = npt.NDArray[np.uint8]


def planted(index: int) -> Labels:
    """A square of class 1 and, apart from it, an upright stripe of class 2; a corner is unlabelled."""
    label = np.zeros((HEIGHT, WIDTH), np.uint8)
    top, left = 5 + index, 6 + 2 * index
    label[top : top + SIDE, left : left + SIDE] = 1
    label[:, 60 : 60 + BAND] = 2
    label[-3:, :3] = 255
    return label


def score(tmp_path: Path, pairs: list[tuple[str, Labels, npt.NDArray[Any]]], batch: int = 2) -> dict[str, float]:
    """Score (name, label, prediction) as mmsegmentation's test loop does, in batches."""
    use_mmseg()
    from ssl_motion.openmmlab.metric import PerImageConfusionMetric

    metric = PerImageConfusionMetric(path=str(tmp_path / "per_image.npz"))
    metric.dataset_meta = {"classes": CLASSES}
    samples = [
        {
            "pred_sem_seg": {"data": torch.from_numpy(prediction.astype(np.int64))[None]},
            "gt_sem_seg": {"data": torch.from_numpy(label)[None]},
            "img_path": f"JPEGImages/{name}.jpg",
            "seg_map_path": f"SegmentationClass/{name}.png",
        }
        for name, label, prediction in pairs
    ]
    for begin in range(0, len(samples), batch):
        metric.process({}, samples[begin : begin + batch])
    found: dict[str, float] = metric.evaluate(len(samples))
    return found


def named(predict: Any) -> list[tuple[str, Labels, npt.NDArray[Any]]]:
    return [(f"image {index}", planted(index), predict(planted(index))) for index in range(5)]


def test_perfect_predictions_score_100(tmp_path: Path) -> None:
    figures = score(tmp_path, named(lambda label: np.where(label == 255, 3, label)))
    assert figures == {"mIoU": 100, "aAcc": 100, "mAcc": 100}


@pytest.mark.parametrize("shift", [1, 5, 9])
def test_shifted_predictions_score_what_geometry_says(tmp_path: Path, shift: int) -> None:
    # To the right, so that nothing leaves the picture; the unlabelled corner is background before and after.
    figures = score(tmp_path, named(lambda label: np.roll(np.where(label == 255, 0, label), shift, axis=1)))
    known = HEIGHT * WIDTH - 9
    square, stripe = SIDE * (SIDE - shift), HEIGHT * (BAND - shift)
    wrong = shift * (SIDE + HEIGHT)  # pixels that an object leaves; as many are taken for it elsewhere
    background = known - SIDE * SIDE - HEIGHT * BAND
    expected = [
        (background - wrong) / (background + wrong),
        square / (SIDE * (SIDE + shift)),
        stripe / (HEIGHT * (BAND + shift)),
    ]
    assert figures["mIoU"] == pytest.approx(100 * np.mean(expected), rel=1e-12)
    assert figures["aAcc"] == pytest.approx(100 * (1 - 2 * wrong / known), rel=1e-12)
    shares = [(background - wrong) / background, 1 - shift / SIDE, 1 - shift / BAND]
    assert figures["mAcc"] == pytest.approx(100 * np.mean(shares), rel=1e-12)


def test_one_matrix_over_the_split_whatever_the_order_and_batches(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pairs = named(lambda label: np.where(rng.random(label.shape) < 0.3, rng.integers(0, 3, label.shape), label) % 4)
    first = score(tmp_path / "a", pairs, batch=2)
    order = rng.permutation(len(pairs))
    second = score(tmp_path / "b", [pairs[index] for index in order], batch=3)
    assert first == second
    kept = [read_per_image(tmp_path / each / "per_image.npz") for each in "ab"]
    assert kept[0].names == kept[1].names
    label = np.concatenate([pair[1].ravel() for pair in pairs])
    prediction = np.concatenate([pair[2].ravel() for pair in pairs])[label != 255]
    label = label[label != 255]
    ious = [
        ((label == kind) & (prediction == kind)).sum() / ((label == kind) | (prediction == kind)).sum()
        for kind in range(len(CLASSES))
        if ((label == kind) | (prediction == kind)).any()
    ]
    assert first["mIoU"] == pytest.approx(100 * np.mean(ious), rel=1e-12)

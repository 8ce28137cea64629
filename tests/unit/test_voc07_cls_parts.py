"""Parts of the classification task: crops, loss, metric, and linear SVMs with their draws."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_motion.errors import DataError
from ssl_motion.per_image.multilabel import PerImageScores, average_precisions, read_scores, single
from ssl_motion_benchmarks.voc07_cls.lowshot import DRAWS, draw, low_shot
from ssl_motion_benchmarks.voc07_cls.svm import fit, normalise, rotate, svm_scores

make_voc07 = runpy.run_path(str(Path(__file__).parents[1] / "voc07_devkit.py"))["make_voc07"]


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32), st.integers(20, 90), st.integers(20, 90), st.floats(0.3, 3), st.floats(0, 2))
def test_crops_are_parts_of_the_image(seed: int, height: int, width: int, low: float, more: float) -> None:
    from ssl_motion_benchmarks.voc07_cls.crops import random_crop

    rows, columns = np.mgrid[:height, :width]
    image = np.stack([rows * 2, columns * 2, np.full_like(rows, 7)], axis=-1).astype(np.uint8)
    cut = random_crop(image, np.random.default_rng(seed), 32, (low, low + more), mirror=False)
    assert cut.shape == (32, 32, 3)
    assert (cut[..., 2] == 7).all()
    down, right = (np.diff(cut[..., axis].astype(int), axis=axis) for axis in (0, 1))
    assert min(down.min(), right.min()) >= 0, "not mirrored"
    # The window's sides are equal, and no factor is beyond the range but the one at which the square just fits.
    spans = [int(cut[..., axis].max()) - int(cut[..., axis].min()) for axis in (0, 1)]
    window = 32 / max(low, 32 / min(height, width))
    assert max(spans) <= 2 * window + 2
    assert abs(spans[0] - spans[1]) <= 2


def test_mirroring_is_half_of_the_time() -> None:
    from ssl_motion_benchmarks.voc07_cls.crops import random_crop

    image = np.zeros((40, 40, 3), np.uint8)
    image[:, 20:] = 200
    cuts = [random_crop(image, np.random.default_rng(seed), 40, (1.0, 1.0), mirror=True) for seed in range(200)]
    mirrored = sum(int(cut[0, 0, 0] > 100) for cut in cuts)
    assert 70 < mirrored < 130


def test_training_draws_and_test_crops_are_fixed(tmp_path: Path) -> None:
    from ssl_motion_benchmarks.voc07.devkit import CLASSES
    from ssl_motion_benchmarks.voc07_cls.crops import Voc07Crops

    root = str(make_voc07(tmp_path))
    common = {"data_root": root, "classes": CLASSES, "crop_size": (48, 48), "scale": (0.8, 1.5)}
    train, other = (Voc07Crops(split="trainval", seed=seed, **common) for seed in (1, 2))  # type: ignore[arg-type]
    first = train[3, 17]
    assert torch.equal(first["inputs"], train[3, 17]["inputs"])
    assert not torch.equal(first["inputs"], train[3, 18]["inputs"])
    assert not torch.equal(first["inputs"], other[3, 17]["inputs"])
    test = Voc07Crops(split="test", crops=4, **common)  # type: ignore[arg-type]
    item = test[2]
    assert item["inputs"].shape == (4, 3, 48, 48)
    assert not torch.equal(item["inputs"][0], item["inputs"][1])
    assert torch.equal(item["inputs"], Voc07Crops(split="test", crops=4, seed=9, **common)[2]["inputs"])  # type: ignore[arg-type]
    assert item["names"] == "test_002"
    assert item["labels"].tolist() == train.known.labels[2].tolist()


def test_the_loss_against_a_sum_written_out() -> None:
    from ssl_motion_benchmarks.voc07_cls.classifier import sigmoid_loss

    torch.manual_seed(0)
    logits = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor(np.random.default_rng(0).integers(-1, 2, (5, 4)), dtype=torch.int8)
    loss = sigmoid_loss(logits, labels)
    expected, values = 0.0, logits.detach()
    for row in range(5):
        for column in range(4):
            sign = int(labels[row, column])
            if sign:
                expected += float(torch.log1p(torch.exp(-sign * values[row, column]))) / 5
    assert float(loss.detach()) == pytest.approx(expected)
    loss.backward()
    assert logits.grad is not None
    assert ((logits.grad == 0) == (labels == 0)).all()


def test_the_average_of_crops_is_scored(tmp_path: Path) -> None:
    from ssl_motion.openmmlab.libraries import use_mmseg

    use_mmseg()
    from ssl_motion_benchmarks.voc07_cls.classifier import MultiLabelAPMetric, MultiLabelClassifier

    net = MultiLabelClassifier(
        backbone={"type": "SSLMotionBackbone", "spec": {"arch": "alexnet_mini", "width": 6}, "out_stages": ["conv5"]},
        head={"type": "AverageThenLinear", "in_channels": 16, "num_classes": 3},
        data_preprocessor={"type": "CropPreprocessor", "mean": [100.0, 110, 120], "std": [50.0, 60, 70]},
    ).eval()
    net.init_weights()
    assert float(net.head.score.bias.detach().min()) == pytest.approx(0.1)
    assert float(net.head.score.weight.detach().std()) == pytest.approx(0.01, rel=0.3)
    crops = torch.randint(0, 256, (2, 5, 3, 40, 40), dtype=torch.uint8)
    labels = torch.tensor([[1, -1, 0], [-1, 1, 1]], dtype=torch.int8)
    batch = net.data_preprocessor({"inputs": list(crops), "labels": list(labels), "names": ["a", "b"]})
    shifted = (crops.double() - torch.tensor([100.0, 110, 120]).view(3, 1, 1)) / torch.tensor([50.0, 60, 70]).view(
        3, 1, 1
    )
    torch.testing.assert_close(batch["inputs"].double(), shifted)
    with torch.no_grad():
        found = net(**batch, mode="predict")
        single_crops = torch.stack([net(batch["inputs"][:, n], labels, ["a", "b"]) for n in range(5)])
    np.testing.assert_allclose(np.stack([each["scores"] for each in found]), single_crops.mean(0), rtol=1e-4, atol=1e-6)
    metric = MultiLabelAPMetric(str(tmp_path / "s.npz"))
    metric.dataset_meta = {"classes": ["x", "y", "z"]}
    metric.process(None, found)
    figures = metric.compute_metrics(metric.results)
    kept = read_scores(tmp_path / "s.npz")
    assert (kept.names, kept.labels.tolist()) == (["a", "b"], labels.tolist())
    assert figures["mAP"] == pytest.approx(np.mean(average_precisions(kept.labels, kept.scores[0], "step")))


def test_scores_of_a_file(tmp_path: Path) -> None:
    labels = np.array([[1, 0], [-1, 1], [0, -1]], np.int8)
    kept = single(["a", "b", "c"], ["x", "y"], labels, np.array([[1.0, 9], [2, 1], [3, 0]]))
    # The highest score of x is on an image that is not scored; without it the one with x comes second of two.
    assert average_precisions(kept.labels, kept.scores[0], "step").tolist() == [50, 100]
    assert np.isnan(average_precisions(labels[2:], kept.scores[0][2:], "step")).all()
    kept.save(tmp_path / "scores.npz")
    assert isinstance(read_scores(tmp_path / "scores.npz"), PerImageScores)
    (tmp_path / "scores.npz").write_bytes(b"")
    with pytest.raises(DataError, match="not a file of per-image scores"):
        read_scores(tmp_path / "scores.npz")


def features(images: int, numbers: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels and features in which one direction a class shows it."""
    rng = np.random.default_rng(seed)
    labels = np.where(rng.random((images, classes)) < 0.35, 1, -1).astype(np.int8)
    directions = np.random.default_rng(99).normal(size=(classes, numbers))
    return normalise(rng.normal(size=(images, numbers)) + labels @ directions), labels


def test_rotation_changes_no_machine() -> None:
    train, labels = features(40, 300, 2)
    test, _ = features(25, 300, 2, seed=1)
    small, other = rotate(train, test)
    assert small.shape == (40, 40)
    np.testing.assert_allclose(small @ small.T, train @ train.T, atol=1e-12)
    np.testing.assert_allclose(other @ small.T, test @ train.T, atol=1e-12)
    scores = []
    for one, two in ((train, test), (small, other)):
        weights, bias = fit(one, labels[:, 0], 0.5)
        scores.append(two @ weights + bias)
    np.testing.assert_allclose(scores[0], scores[1], atol=2e-3)
    assert rotate(train[:, :20], test[:, :20])[0].shape == (40, 20)


def test_svms_find_what_was_planted_and_chance_where_labels_are_shuffled() -> None:
    train, labels = features(120, 60, 3)
    test, truth = features(150, 60, 3, seed=1)
    costs = (0.01, 1.0)
    scores, chosen = svm_scores(train, labels, test, ["a", "b", "c"], costs)
    assert set(chosen) <= set(costs)
    assert average_precisions(truth, scores, "envelope").min() > 90
    shuffled = labels[np.random.default_rng(3).permutation(len(labels))]
    scores, _ = svm_scores(train, shuffled, test, ["a", "b", "c"], costs)
    chance = 100 * (truth == 1).mean()
    assert abs(average_precisions(truth, scores, "step").mean() - chance) < 15


def test_difficult_images_take_no_part() -> None:
    train, labels = features(60, 20, 1)
    ignored = labels[:, 0].copy()
    ignored[:10] = 0
    weights, bias = fit(train, ignored, 0.1)
    alone = fit(train[10:], labels[10:, 0], 0.1)
    np.testing.assert_array_equal(weights, alone[0])
    assert bias == alone[1]


def test_too_few_images_of_a_class() -> None:
    train, labels = features(20, 10, 2)
    labels[:, 1] = -1
    labels[:2, 1] = 1
    with pytest.raises(DataError, match="class b: 2 training image"):
        svm_scores(train, labels, train, ["a", "b"], (1.0,))


def test_draws() -> None:
    labels = np.array([1] * 10 + [-1] * 100 + [0] * 5, np.int8)
    drawn = [draw(labels, 4, 5, 0, number) for number in range(DRAWS)]
    for each in drawn:
        assert len(set(each.tolist())) == 20
        assert (labels[each] == 1).sum() == 4
        assert (labels[each] == -1).sum() == 16
    assert len({tuple(each) for each in drawn}) == DRAWS
    assert draw(labels, 4, 5, 0, 2).tolist() == drawn[2].tolist()
    assert draw(labels, 4, 5, 1, 2).tolist() != drawn[2].tolist()
    with pytest.raises(DataError, match="only 10 training images"):
        draw(labels, 11, 5, 0, 0)


def test_more_labels_help_and_the_cost_is_not_chosen_on_test() -> None:
    train, labels = features(200, 40, 3)
    test, truth = features(150, 40, 3, seed=1)
    found = low_shot(train, labels, test, truth, (1, 16), (1e-4, 1.0))
    assert [each.shots for each in found] == [1, 16]
    assert found[1].mean > found[0].mean + 5
    assert all(each.best_on_test >= each.mean for each in found)
    assert found[0].scores.shape == (DRAWS, 150, 3)
    values = [average_precisions(truth, scores, "envelope").mean() for scores in found[1].scores.astype(np.float64)]
    assert np.mean(values) == pytest.approx(found[1].mean, abs=0.2)
    assert np.std(values, ddof=1) == pytest.approx(found[1].spread, abs=0.2)
    # With the test labels exchanged the choice stays, since it never saw them.
    exchanged = low_shot(train, labels, test, -truth, (1, 16), (1e-4, 1.0))
    assert [each.cost for each in exchanged] == [each.cost for each in found]


def test_low_shot_says_how_many_images_it_learns_from(tmp_path: Path) -> None:
    from ssl_motion_benchmarks.voc07_cls import Voc07Cls

    root = make_voc07(tmp_path)
    task = Voc07Cls(Voc07Cls.Config.model_validate({"preset": "voc07_lowshot", "shots": 1}))
    assert task.check_data(root).remarks == [
        "each class is learned from 1 of 40 images with it and up to 19 times as many without it, in 5 draws each"
    ]
    every = Voc07Cls(Voc07Cls.Config.model_validate({"preset": "voc07_lowshot", "shots": 30})).check_data(root)
    assert "classes with at least 30 images in trainval, for 30 shots: aeroplane" in every.missing[0]
    assert not every.fingerprint

"""Supervised pretraining against plain loops over the pixels."""

import math

import numpy as np
import pytest
import torch

from ssl_motion.backbones import build_backbone
from ssl_motion.spec import BackboneSpec
from ssl_motion_methods.baselines import Supervised, SupervisedConfig

CLASSES = 4


@pytest.fixture
def method() -> Supervised:
    torch.manual_seed(3)
    trunk = build_backbone(BackboneSpec(arch="alexnet_mini", width=6))
    return Supervised(SupervisedConfig(classes=CLASSES, width=8), trunk).eval()


@pytest.fixture
def batch() -> dict[str, torch.Tensor]:
    rng = np.random.default_rng(0)
    labels = rng.choice(np.array([0, 1, 3, 255], np.uint8), (3, 32, 40), p=[0.5, 0.2, 0.2, 0.1])
    images = torch.from_numpy(rng.normal(size=(3, 3, 32, 40)).astype(np.float32))
    return {"image": images, "labels": torch.from_numpy(labels)}


def test_the_loss_is_the_mean_over_known_pixels(method: Supervised, batch: dict[str, torch.Tensor]) -> None:
    logits = method.logits(batch).detach().double().numpy()
    terms = []
    for image, row, column in np.ndindex(3, 32, 40):
        label = int(batch["labels"][image, row, column])
        if label != 255:
            scores = logits[image, :, row, column]
            terms.append(math.log(np.exp(scores).sum()) - scores[label])
    assert method.losses(batch)["loss"].item() == pytest.approx(np.mean(terms), rel=1e-5)


def test_nothing_known_costs_nothing(method: Supervised, batch: dict[str, torch.Tensor]) -> None:
    batch["labels"][:] = 255
    loss = method.losses(batch)["loss"]
    loss.backward()
    assert loss.item() == 0
    assert method.evaluate(batch) == {"acc": torch.tensor(0.0), "batch_iou": torch.tensor(0.0)}


def test_figures_are_those_of_plain_counting(method: Supervised, batch: dict[str, torch.Tensor]) -> None:
    predicted = method.logits(batch).argmax(dim=1).numpy()
    true = batch["labels"].numpy()
    known = true != 255
    figures = method.evaluate(batch)
    assert figures["acc"].item() == pytest.approx((predicted == true)[known].mean())
    overlaps = []
    for label in range(CLASSES):
        ours, theirs = known & (predicted == label), true == label
        if (ours | theirs).any():
            overlaps.append((ours & theirs).sum() / (ours | theirs).sum())
    assert len(overlaps) >= 3  # three classes are true, one more may be predicted
    assert figures["batch_iou"].item() == pytest.approx(np.mean(overlaps), rel=1e-5)


def test_a_panel_shows_image_prediction_and_truth(method: Supervised, batch: dict[str, torch.Tensor]) -> None:
    images = [np.full((32, 40, 3), 77, np.uint8) for _ in range(3)]
    panel = method.preview(batch, images)[1]
    zoom = 6  # 32 pixels are enlarged to at least 192
    assert panel.shape == (18 + 32 * zoom, 3 * 40 * zoom + 2 * 4, 3)
    picture, truth = panel[18:, : 40 * zoom], panel[18:, -40 * zoom :]
    assert (picture == 77).all()
    unknown = (batch["labels"][1] == 255).numpy().repeat(zoom, 0).repeat(zoom, 1)
    assert ((truth == 255).all(axis=2) == unknown).all()
    assert (truth[(batch["labels"][1] == 0).numpy().repeat(zoom, 0).repeat(zoom, 1)] == 0).all()

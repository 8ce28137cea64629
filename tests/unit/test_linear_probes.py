"""Linear probes on frozen features: planted answers, chance, scale, exact continuation."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import ssl_motion.frozen.training as training
from ssl_motion.errors import RunError, UsageError
from ssl_motion.frozen.probe import LinearProbe, ProbeSet, moments
from ssl_motion.frozen.training import ProbeRecipe, epoch_order, probing_device, train_probes
from ssl_motion.protocols import RunContext

CLASSES, SIZE = 5, 24
RECIPE = ProbeRecipe(iterations=120, batch_size=32, lr=1e-2)


def context(folder: Path, **changes: object) -> RunContext:
    return RunContext(run_dir=folder, weights=None, data_root=folder, seed=3, device="cpu", **changes)  # type: ignore[arg-type]


def planted(scale: float = 1.0, samples: int = 400) -> tuple[Tensor, Tensor]:
    """Features of which a fixed rotation's first axes are the class, off centre and with a dead one."""
    torch.manual_seed(1)
    labels = torch.randint(0, CLASSES, (samples,))
    code = torch.linalg.qr(torch.randn(SIZE, SIZE)).Q[:CLASSES]
    features = code[labels] + 0.02 * torch.randn(samples, SIZE) + 7
    features[:, 3] = 0.1
    return features * scale, labels


def fitted(folder: Path, features: Tensor, labels: Tensor, recipe: ProbeRecipe = RECIPE) -> ProbeSet:
    probes = ProbeSet({"stage": SIZE}, CLASSES, recipe.dropout, 0)
    probes.of("stage").standardise(*moments(features.numpy()))

    def batch(iteration: int) -> tuple[dict[str, Tensor], Tensor]:
        order = epoch_order(3, "order", len(labels), recipe.batch_size, iteration)
        return {"stage": features[order]}, labels[order]

    train_probes(probes, batch, recipe, context(folder), "cpu", "test")
    return probes


def accuracy(probes: ProbeSet, features: Tensor, labels: Tensor) -> float:
    with torch.no_grad():
        return float((probes.of("stage")(features).argmax(1) == labels).float().mean())


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_what_is_linear_is_read_at_any_scale(tmp_path: Path, scale: float) -> None:
    features, labels = planted(scale)
    assert accuracy(fitted(tmp_path, features[:300], labels[:300]), features[300:], labels[300:]) == 1.0


def test_shuffled_labels_are_chance_and_exclusive_or_is_not_read(tmp_path: Path) -> None:
    features, labels = planted(samples=2000)
    mixed = labels[torch.randperm(len(labels))]
    assert accuracy(fitted(tmp_path / "a", features[:1500], mixed[:1500]), features[1500:], mixed[1500:]) < 0.3
    signs = torch.randint(0, 2, (2000, SIZE)).float()
    differ = (signs[:, 0] != signs[:, 1]).long()
    assert accuracy(fitted(tmp_path / "b", signs[:1500], differ[:1500]), signs[1500:], differ[1500:]) < 0.6


def test_map_and_rows_are_scored_alike() -> None:
    torch.manual_seed(0)
    probe = LinearProbe(6, 4, dropout=0.5).eval()
    features = torch.randn(2, 6, 3, 5)
    probe.standardise(*moments(features.permute(0, 2, 3, 1).reshape(-1, 6).numpy()))
    rows = probe(features.permute(0, 2, 3, 1).reshape(-1, 6)).reshape(2, 3, 5, 4).permute(0, 3, 1, 2)
    torch.testing.assert_close(probe.score_map(features), rows)


def test_standardised_features_have_mean_0_and_variance_1_and_dead_ones_are_0() -> None:
    features, _ = planted(1e-6)
    probe = LinearProbe(SIZE, CLASSES)
    probe.standardise(*moments(features.numpy()))
    normal = ((features - probe.mean) * probe.scale).double()
    alive = [index for index in range(SIZE) if index != 3]
    torch.testing.assert_close(normal.mean(0), torch.zeros(SIZE, dtype=torch.float64), atol=1e-4, rtol=0)
    torch.testing.assert_close(
        normal.var(0, unbiased=False)[alive], torch.ones(SIZE - 1, dtype=torch.float64), rtol=1e-4, atol=0
    )
    assert torch.equal(normal[:, 3], torch.zeros(len(normal), dtype=torch.float64))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 5), st.integers(1, 7), st.integers(0, 2**16))
def test_moments_are_numpys_for_rows_and_pixels(samples: int, pixels: int, size: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(3, 2, (samples, pixels, size)).astype(np.float32)
    mean, variance = moments(values)
    flat = values.astype(np.float64).reshape(-1, size)
    np.testing.assert_allclose(mean, flat.mean(0))
    np.testing.assert_allclose(variance, flat.var(0), atol=1e-12)
    np.testing.assert_allclose(
        moments(values[:, 0], range(0, samples, 2))[0], values[::2, 0].astype(np.float64).mean(0)
    )


def test_stages_are_trained_as_if_alone(tmp_path: Path) -> None:
    features, labels = planted()
    other = torch.randn(len(labels), 7)
    both = ProbeSet({"stage": SIZE, "other": 7}, CLASSES, 0.0, 0)
    alone = ProbeSet({"stage": SIZE}, CLASSES, 0.0, 0)
    recipe = ProbeRecipe(iterations=30, batch_size=32, dropout=0.0)
    for name, probes in (("both", both), ("alone", alone)):

        def batch(iteration: int, stages: tuple[str, ...] = tuple(probes.stages)) -> tuple[dict[str, Tensor], Tensor]:
            order = epoch_order(3, "order", len(labels), 32, iteration)
            return {stage: {"stage": features, "other": other}[stage][order] for stage in stages}, labels[order]

        train_probes(probes, batch, recipe, context(tmp_path / name), "cpu", "test")
    torch.testing.assert_close(both.of("stage").linear.weight, alone.of("stage").linear.weight, rtol=1e-6, atol=1e-7)


class Killed(Exception):
    pass


def test_a_killed_run_ends_as_if_it_had_not_been(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)
    features, labels = planted()
    recipe = ProbeRecipe(iterations=20, batch_size=32, lr=1e-2, dropout=0.5)
    whole = fitted(tmp_path / "whole", features, labels, recipe)
    real = training.generator

    def fatal(seed: int, purpose: str, *position: int) -> np.random.Generator:
        if purpose == "probe dropout" and position == (11,):
            raise Killed
        return real(seed, purpose, *position)

    monkeypatch.setattr(training, "generator", fatal)
    with pytest.raises(Killed):
        fitted(tmp_path / "killed", features, labels, recipe)
    monkeypatch.setattr(training, "generator", real)
    resumed = fitted(tmp_path / "killed", features, labels, recipe)
    for name, value in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value), name
    logs = [
        [json.loads(line) for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        for name in ("whole", "killed")
    ]
    assert logs[0] == logs[1]
    assert [line["iteration"] for line in logs[0]] == list(range(1, 21))


def test_unknown_labels_teach_nothing() -> None:
    features, labels = planted()
    probes = ProbeSet({"stage": SIZE}, CLASSES, 0.0, 0)
    half = labels.clone()
    half[::2] = 255
    torch.testing.assert_close(
        probes.losses({"stage": features}, half)["stage"],
        probes.losses({"stage": features[1::2]}, labels[1::2])["stage"],
    )
    assert float(probes.losses({"stage": features}, torch.full_like(labels, 255))["stage"]) == 0


def test_divergence_is_said(tmp_path: Path) -> None:
    features, labels = planted()
    features[5] = float("inf")
    probes = ProbeSet({"stage": SIZE}, CLASSES, 0.0, 0)
    with pytest.raises(RunError, match=r"the loss of iteration \d+ is nan.*lower lr"):
        train_probes(probes, lambda _: ({"stage": features}, labels), RECIPE, context(tmp_path), "cpu", "test")


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(1, 50), st.integers(0, 5))
def test_every_epoch_draws_every_image_once(images: int, batch_size: int, seed: int) -> None:
    epochs = 4
    drawn = [
        index
        for iteration in range(-(-images * epochs // batch_size))
        for index in epoch_order(seed, "order", images, batch_size, iteration)
    ]
    for epoch in range(epochs):
        assert sorted(drawn[epoch * images : (epoch + 1) * images]) == list(range(images))


def test_rates_follow_the_schedule() -> None:
    cycle = ProbeRecipe(iterations=40_000, batch_size=1)
    assert cycle.rate(1499) == pytest.approx(1e-3 * 1500 / 1501)  # DINOv3: 1,500 iterations of warm-up, 1e-3
    assert cycle.rate(1500) == pytest.approx(1e-3)
    assert cycle.rate(20750) == pytest.approx(0.5e-3)
    assert 0 < cycle.rate(39_999) < 1e-8
    step = ProbeRecipe(iterations=140_000, batch_size=1, lr=0.01, schedule="step", milestones=(2 / 7, 4 / 7, 6 / 7))
    points = [0, 39_999, 40_000, 80_000, 120_000, 139_999]
    assert [step.rate(point) for point in points] == pytest.approx([1e-2, 1e-2, 1e-3, 1e-4, 1e-5, 1e-5])


def test_what_such_runs_do_not_have_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="without torchrun"):
        probing_device(context(tmp_path))

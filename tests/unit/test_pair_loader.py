"""The loader: what a batch holds depends on seed and position alone."""

from collections import Counter
from collections.abc import Mapping
from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ssl_motion.backbones import build_backbone
from ssl_motion.data.augment import crop
from ssl_motion.data.loader import DrawSampler, PairDataset, training_loader, validation_batches, validation_loader
from ssl_motion.data.sample import FlowSample
from ssl_motion.errors import DataError
from ssl_motion.protocols import PretrainMethod
from ssl_motion.spec import BackboneSpec, DataSpec, Strict

SPEC = DataSpec(shards=["x"], crop=16, flip=True)


def samples(count: int, side: int = 24) -> list[FlowSample]:
    """Samples whose images are constant: the number of the sample."""
    flow, valid = np.ones((side, side, 2), np.float32), np.ones((side, side), bool)
    return [FlowSample(np.full((side, side, 3), i, np.uint8), flow, valid, f"clip{i}", 0, 1) for i in range(count)]


class Noise(PretrainMethod):
    """A method whose tensors tell which sample and which random numbers they are made of."""

    Config, recipe_version, citation = Strict, 1, "none"

    def targets(self, sample: FlowSample, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        return {"noise": torch.from_numpy(rng.random(3)), "flow": torch.from_numpy(sample.flow)}

    def losses(self, batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {"loss": batch["noise"].mean()}


METHOD = Noise(Strict(), build_backbone(BackboneSpec(arch="alexnet_mini", width=12)))


def batches(count: int, start: int = 0, workers: int = 0, seed: int = 5, **share: int) -> list[dict[str, torch.Tensor]]:
    loader = training_loader(PairDataset(samples(11), METHOD, SPEC, seed), 4, workers=workers, **share)
    loader.batch_sampler.sampler.start_at(start)
    return list(islice(loader, count))


def equal(a: list[dict[str, torch.Tensor]], b: list[dict[str, torch.Tensor]]) -> bool:
    return len(a) == len(b) and all(
        x.keys() == y.keys() and all(torch.equal(x[k], y[k]) for k in x) for x, y in zip(a, b, strict=True)
    )


@given(st.integers(1, 40), st.integers(0, 5), st.integers(1, 7))
def test_every_epoch_uses_every_sample_once(length: int, seed: int, batch_size: int) -> None:
    draws = list(islice(iter(DrawSampler(length, seed, batch_size)), 3 * length))
    assert [number for _, number in draws] == list(range(3 * length))
    for epoch in range(3):
        assert sorted(index for index, _ in draws[epoch * length : (epoch + 1) * length]) == list(range(length))


@given(st.integers(1, 40), st.integers(0, 5), st.integers(1, 5), st.integers(0, 12))
def test_starting_later_gives_the_same_draws(length: int, seed: int, batch_size: int, block: int) -> None:
    whole = list(islice(iter(DrawSampler(length, seed, batch_size)), 100))
    later = DrawSampler(length, seed, batch_size)
    later.start_at(block * batch_size)
    assert list(islice(iter(later), 100 - block * batch_size)) == whole[block * batch_size :]


@given(st.integers(1, 40), st.integers(1, 5), st.integers(2, 4))
def test_processes_share_the_draws_of_one(length: int, batch_size: int, world: int) -> None:
    alone = list(islice(iter(DrawSampler(length, 0, batch_size * world)), 3 * batch_size * world))
    shares = [
        list(islice(iter(DrawSampler(length, 0, batch_size, rank, world)), 3 * batch_size)) for rank in range(world)
    ]
    for step in range(3):
        together = [draw for share in shares for draw in share[step * batch_size : (step + 1) * batch_size]]
        assert together == alone[step * batch_size * world : (step + 1) * batch_size * world]


def test_seeds_differ_and_orders_of_epochs_differ() -> None:
    orders = {
        tuple(index for index, _ in islice(iter(DrawSampler(30, seed, 1)), epoch * 30, (epoch + 1) * 30))
        for seed in range(3)
        for epoch in range(3)
    }
    assert len(orders) == 9


def test_batches_do_not_depend_on_workers_or_start() -> None:
    alone = batches(6)
    assert equal(batches(6, workers=2), alone)
    assert equal(batches(4, start=8, workers=2), alone[2:])
    assert not equal(batches(6, seed=6), alone)
    assert alone[0]["image"].dtype == torch.uint8
    assert alone[0]["image"].shape == (4, 3, 16, 16)


def test_a_sample_drawn_again_is_augmented_anew() -> None:
    noise = torch.cat([batch["noise"] for batch in batches(8)])
    assert len({tuple(row.tolist()) for row in noise}) == 32


def test_the_loader_leaves_torchs_generator_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    batches(2)
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("workers", [0, 1])
def test_bad_data_name_the_pair(workers: int) -> None:
    bad = samples(6)
    bad[4] = FlowSample(bad[4].image, np.full((24, 24, 2), np.nan, np.float32), bad[4].valid, "clip four", 7, 1)
    loader = training_loader(PairDataset(bad, METHOD, SPEC, 0), 3, workers=workers)
    with pytest.raises(DataError, match=r"training pair 4: clip 'clip four'.*NaN") as caught:
        list(islice(loader, 4))
    assert "Traceback" not in str(caught.value)


def test_images_of_different_sizes_are_refused_with_advice() -> None:
    mixed = samples(3) + samples(3, side=20)
    loader = training_loader(PairDataset(mixed, METHOD, DataSpec(shards=["x"]), 0), 6)
    with pytest.raises(DataError, match=r"20x20, 24x24.*data\.crop"):
        next(iter(loader))


@given(st.integers(1, 50), st.integers(1, 9))
def test_validation_batches_hold_every_sample_once_and_never_one_alone(length: int, batch_size: int) -> None:
    found = validation_batches(length, batch_size)
    assert Counter(index for batch in found for index, _ in batch) == Counter(range(length))
    assert all(len(batch) > 1 for batch in found) or length == 1


def test_validation_is_the_same_in_any_number_of_processes() -> None:
    dataset = PairDataset(samples(11), METHOD, SPEC, 0, training=False)
    alone = list(validation_loader(dataset, 3))
    shares = [list(validation_loader(dataset, 3, rank=rank, world_size=2)) for rank in range(2)]
    assert equal(shares[0], alone[::2])
    assert equal(shares[1], alone[1::2])


class Centre(Noise):
    """Looks at one pixel's surroundings, drawn in training and fixed in validation."""

    def view(self, sample: FlowSample, rng: np.random.Generator | None) -> FlowSample:
        return crop(sample, 0 if rng is None else int(rng.integers(8)), 0, 8, 8)


def test_a_method_sees_the_view_it_chose() -> None:
    method = Centre(Strict(), METHOD.backbone)
    ramp = np.arange(24, dtype=np.uint8)[:, None, None] * np.ones((1, 24, 3), np.uint8)
    flow, valid = np.zeros((24, 24, 2), np.float32), np.ones((24, 24), bool)
    spec = DataSpec(shards=["x"])
    dataset = PairDataset([FlowSample(ramp, flow, valid, "clip", 0, 1)], method, spec, 0)
    tops = {int(dataset[0, number]["image"][0, 0, 0]) for number in range(40)}
    assert tops == set(range(8))
    assert dataset[0, 3]["image"].shape == (3, 8, 8)
    fixed = PairDataset([FlowSample(ramp, flow, valid, "clip", 0, 1)], method, spec, 0, training=False)
    assert {int(fixed[0, number]["image"][0, 0, 0]) for number in range(9)} == {0}

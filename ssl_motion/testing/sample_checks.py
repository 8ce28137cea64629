"""Checks of what a method does with one sample, in a loader's worker."""

import numpy as np
from torch import Tensor, from_numpy

from ssl_motion.data.sample import FlowSample
from ssl_motion.errors import DataError
from ssl_motion.protocols import PretrainMethod
from ssl_motion.seeding import generator
from ssl_motion.testing.promise import ContractError, expect, same
from ssl_motion.testing.samples import arrays, example_sample, example_samples

KINDS = ("moving", "moving", "still", "unknown")


def _equal(first: FlowSample, second: FlowSample) -> bool:
    return first.layers.keys() == second.layers.keys() and all(map(np.array_equal, arrays(first), arrays(second)))


def check_view(method: PretrainMethod, size: int) -> None:
    """Check that `view` is pure, gives every sample one size, and leaves the sample one that `targets` can take."""
    layers = method.layers(method.config)
    sizes = set()
    for seed, kind in enumerate(KINDS):
        sample = example_sample(kind, size=size, seed=seed, layers=layers)
        before = [array.copy() for array in arrays(sample)]
        for training in (True, False):
            first, second = (method.view(sample, generator(0, "view") if training else None) for _ in range(2))
            expect(all(map(np.array_equal, arrays(sample), before)), "view() changed the sample it was given")
            said = "the same state of rng" if training else "rng None, as in validation"
            expect(_equal(first, second), f"view() differs for the same sample and {said}")
            try:
                first.checked()
                from_numpy(first.image)
            except (DataError, ValueError) as error:
                raise ContractError(f"view() returned no sound sample of a {kind} one: {error}") from error
            expect(set(layers) <= first.layers.keys(), f"view() lost layers: only {sorted(first.layers)} are left")
            sizes.add(first.size)
    expect(
        len(sizes) == 1,
        f"view() gives samples of one size several sizes: {sorted(sizes)}; batches could not be stacked",
    )


def check_targets(method: PretrainMethod, size: int) -> None:
    """Check that `targets` is pure, keeps nothing of the sample's memory, and has one form for all samples."""
    (sample,) = example_samples(method, ["moving"], size=size)
    memory = arrays(sample)
    before = [array.copy() for array in memory]
    first = method.targets(sample, generator(0, "targets"))
    second = method.targets(sample, generator(0, "targets"))
    expect(all(map(np.array_equal, before, memory)), "targets() changed the sample it was given")
    expect(all(isinstance(value, Tensor) for value in first.values()), "targets() must return tensors only")
    expect("image" not in first, 'targets() returned the key "image", which is the harness\'s own')
    expect(same(first, second), "targets() differs for the same sample and the same state of rng")
    shared = [k for k, v in first.items() if any(np.shares_memory(v.numpy(), array) for array in memory)]
    for key in shared:
        first[key].zero_()
    expect(
        all(map(np.array_equal, before, memory)),
        f"targets() returned views of the sample ({', '.join(shared)}); a loader that reuses buffers would change them",
    )
    for kind in ("still", "unknown"):
        (viewed,) = example_samples(method, [kind], size=size)
        other = method.targets(viewed, generator(0, "targets"))
        expect(other.keys() == first.keys(), f"targets() gives other keys for a {kind} sample")
        for key, value in other.items():
            fits = value.shape == first[key].shape and value.dtype == first[key].dtype
            expect(
                fits, f"targets()[{key!r}] has another shape or type for a {kind} sample; batches could not be stacked"
            )

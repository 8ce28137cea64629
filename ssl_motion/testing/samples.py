"""Made-up samples and batches for checks and tests."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ssl_motion.backbones import INPUT_MEAN, INPUT_STD
from ssl_motion.data.sample import UNKNOWN_LABEL, FlowSample, UInt8Array
from ssl_motion.protocols import PretrainMethod
from ssl_motion.seeding import generator

BAND = 2
"""Half the width, in pixels, of the ignored band around the disc in the layer "masks"."""


def example_sample(kind: str = "moving", *, size: int = 96, seed: int = 0, layers: Iterable[str] = ()) -> FlowSample:
    """Make a small sample.

    Args:
        kind: "moving": a disc that moves by a few pixels and turns a little (half a pixel at its edge) before a still
            background, a strip of it unknown; "still": the same picture without motion; "unknown": nothing is known of
            any pixel.
        size: side in pixels.
        seed: of texture, place and motion.
        layers: names of the maps it carries. "masks" is 1 on what moves, 0 elsewhere, and ignored on a band around the
            disc and where the flow is unknown. Any other is a class map: 1 or 2 on the disc (by the seed), 0
            elsewhere. In an unknown sample all pixels of every layer are ignored.
    """
    rng = generator(seed, "example sample")
    image = rng.integers(0, 80, (size, size, 3)).astype(np.uint8)
    rows, columns = np.mgrid[:size, :size]
    centre = rng.uniform(0.35, 0.65, 2) * size
    distance = np.hypot(rows - centre[0], columns - centre[1]) - size / 4
    disc = distance < 0
    image[disc] += 120
    flow = np.zeros((size, size, 2), np.float32)
    valid = np.ones((size, size), np.bool_)
    if kind == "moving":
        motion, turn = rng.uniform(1, 6, 2) * rng.choice([-1, 1], 2), rng.uniform(-2, 2) / size
        turning = turn * np.stack([centre[0] - rows, columns - centre[1]], axis=-1)
        flow[disc] = (motion + turning)[disc]
        valid[:, : size // 16] = False
        flow[~valid] = 0
    elif kind == "unknown":
        valid[:] = False
    else:
        assert kind == "still", kind
    maps = {name: _layer(name, kind, distance, valid, label=1 + seed % 2) for name in layers}
    return FlowSample(image, flow, valid, clip=f"example-{kind}", frame=seed, gap=1, layers=maps).checked()


def _layer(
    name: str, kind: str, distance: npt.NDArray[np.float64], valid: npt.NDArray[np.bool_], label: int
) -> UInt8Array:
    """Make one layer; `distance` is to the disc's edge in pixels, negative inside."""
    layer = np.zeros(distance.shape, np.uint8)
    if kind == "unknown":
        layer[:] = UNKNOWN_LABEL
    elif name != "masks":
        layer[distance < 0] = label
    elif kind == "moving":
        layer[distance < 0] = 1
        layer[np.abs(distance) < BAND] = UNKNOWN_LABEL
        layer[~valid] = UNKNOWN_LABEL
    return layer


def arrays(sample: FlowSample) -> list[npt.NDArray[Any]]:
    """All arrays of a sample, its layers last."""
    return [sample.image, sample.flow, sample.valid, *sample.layers.values()]


def example_samples(method: PretrainMethod, kinds: Iterable[str], *, size: int = 96) -> list[FlowSample]:
    """Make samples with the layers that a method asks for, as it looks at them in training (`view`)."""
    layers = method.layers(method.config)
    stored = [example_sample(kind, size=size, seed=index, layers=layers) for index, kind in enumerate(kinds)]
    return [method.view(sample, generator(0, "view", index)) for index, sample in enumerate(stored)]


def example_batch(
    method: PretrainMethod, kinds: tuple[str, ...] = ("moving", "moving"), *, size: int = 96
) -> dict[str, Tensor]:
    """Make a batch as the harness does: `view` and `targets` of each sample, stacked, and the normalised "image".

    Args:
        method: its `config` must be a fitted one (`PretrainMethod.fit`).
        kinds: of the samples, as in `example_sample`.
        size: side of the samples in pixels, before `view`.
    """
    samples = example_samples(method, kinds, size=size)
    rows = [method.targets(sample, generator(0, "targets", index)) for index, sample in enumerate(samples)]
    batch = {key: torch.stack([row[key] for row in rows]) for key in rows[0]}
    pixels = torch.from_numpy(np.stack([sample.image for sample in samples])).float()
    batch["image"] = ((pixels - torch.tensor(INPUT_MEAN)) / torch.tensor(INPUT_STD)).permute(0, 3, 1, 2).contiguous()
    return batch

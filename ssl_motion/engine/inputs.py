"""What a method is told of its training data on average, such as the number of guidance points an image."""

import re
from collections.abc import Sequence

import numpy as np

from ssl_motion.data.augment import augment
from ssl_motion.data.loader import VALIDATION_SEED
from ssl_motion.data.sample import FlowSample
from ssl_motion.protocols import PretrainMethod
from ssl_motion.seeding import generator
from ssl_motion.spec import DataSpec

SAMPLES = 256


def describe_inputs(method: PretrainMethod, samples: Sequence[FlowSample], spec: DataSpec) -> dict[str, float]:
    """Average the figures of `PretrainMethod.describe_sample` over pairs as training sees them.

    The pairs, spread evenly over all, their crops and whatever else is random are the same in every run, so that runs
    of different seeds agree.

    Args:
        method: as trained; its settings are complete.
        samples: training pairs under the run's control, before augmentation.
        spec: augmentation.

    Returns:
        Name -> mean over the pairs that have the figure; names in small letters, joined by "_": "guidance_points".
    """
    values: dict[str, list[float]] = {}
    count = min(SAMPLES, len(samples))
    for number in range(count):
        rng = generator(VALIDATION_SEED, "inputs", number)
        sample = method.view(augment(samples[number * len(samples) // count].checked(), spec, rng), rng)
        for name, value in method.describe_sample(method.config, sample, rng).items():
            values.setdefault(figure_name(name), []).append(value)
    return {name: float(np.mean(each)) for name, each in values.items()}


def figure_name(name: str) -> str:
    """Turn a figure's name for people into one for records: "guidance points" -> "guidance_points"."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")

"""Looking at a data set: how far things move, how much stands still, what a method makes of it, and some samples."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ssl_motion.data.layers import MASKS, LayerSet, finished_layers
from ssl_motion.data.sample import FlowSample
from ssl_motion.data.shard_pairs import ShardPairs
from ssl_motion.data.shards import SPLITS, ShardSet, Split
from ssl_motion.errors import SSLMotionError, UsageError
from ssl_motion.fileio import write_json
from ssl_motion.plugins import METHODS, load
from ssl_motion.progress import Progress
from ssl_motion.seeding import generator
from ssl_motion.spec_text import parse_spec

if TYPE_CHECKING:
    from ssl_motion.protocols import PretrainMethod

# Upper ends of the histogram's bins in pixels: fine where most flow is, up to what a shard can hold.
MAGNITUDE_EDGES = np.concatenate([[0.0], np.geomspace(1 / 16, 512, 79)])
STILL_BELOW = 0.5
CROP = 384


@dataclass(frozen=True)
class Statistics:
    """Figures of a data set, from samples spread evenly over it.

    Attributes:
        summary: JSON data: counts, percentiles, shares; what is written to `statistics.json`.
        magnitudes: int64 [bins], valid pixels per bin of `MAGNITUDE_EDGES`.
        still_share: float64 [N], per sample, share of valid pixels that move less than 0.5 px.
        method_figures: figure -> float64 [N], of the method's `describe_sample`.
        examples: a few samples; with their masks, where there are any.
    """

    summary: dict[str, Any]
    magnitudes: npt.NDArray[np.int64]
    still_share: npt.NDArray[np.float64]
    method_figures: dict[str, npt.NDArray[np.float64]]
    examples: list[FlowSample]


def statistics(
    folder: Path,
    *,
    max_samples: int = 500,
    method: str | None = None,
    method_config: dict[str, Any] | None = None,
    examples: int = 6,
    out: Path | None = None,
) -> dict[str, Any]:
    """Measure a data set, and draw it.

    Args:
        folder: a finished data set.
        max_samples: pairs to read, spread evenly over both splits.
        method: name of a pretraining method whose `describe_sample` is asked, with the central crop of 384 pixels
            (or the shorter side) of each sample.
        method_config: the method's settings; its defaults unless given.
        examples: samples to show.
        out: folder of `statistics.json` and `statistics.png`; the data set's unless given.

    Returns:
        The content of `statistics.json`.

    Raises:
        UsageError: There is no finished data set, or no such method.
        RunError: The files cannot be written.
    """
    found = measure(folder, max_samples=max_samples, method=method, method_config=method_config, examples=examples)
    target = out or folder
    from ssl_motion.prepare.drawing import draw

    draw(found, target / "statistics.png", title=str(found.summary["name"]))
    write_json(target / "statistics.json", found.summary)
    return found.summary


def measure(
    folder: Path,
    *,
    max_samples: int = 500,
    method: str | None = None,
    method_config: dict[str, Any] | None = None,
    examples: int = 6,
) -> Statistics:
    """Read samples and collect figures; arguments and errors as `statistics`."""
    data = ShardSet(folder)
    total = sum(data.count(split) for split in SPLITS)
    if not total:
        raise UsageError(f"{folder} holds no pairs")
    describer = _Describer(method, method_config or {}) if method else None
    magnitudes = np.zeros(len(MAGNITUDE_EDGES) - 1, dtype=np.int64)
    still: list[float] = []
    sides: set[tuple[int, int]] = set()
    figures: dict[str, list[float]] = {}
    shown: list[FlowSample] = []
    unknown = beyond = pixels = 0
    planned = {
        split: min(data.count(split), max(1, round(max_samples * data.count(split) / total))) for split in SPLITS
    }
    read = sum(planned.values())
    show_every = max(1, read // max(1, examples))
    with Progress("statistics", read, "pairs") as progress:
        for number, sample in enumerate(_samples(folder, planned)):
            speed = np.hypot(sample.flow[..., 0], sample.flow[..., 1])[sample.valid]
            magnitudes += np.histogram(np.minimum(speed, MAGNITUDE_EDGES[-1]), MAGNITUDE_EDGES)[0]
            still.append(float((speed < STILL_BELOW).mean()) if speed.size else 1.0)
            beyond += int((np.abs(sample.flow[sample.valid]).max(axis=1, initial=0.0) > 50).sum())
            pixels += sample.valid.size
            unknown += sample.valid.size - speed.size
            sides.add(sample.size)
            if describer is not None:
                for key, value in describer(sample, number).items():
                    figures.setdefault(key, []).append(value)
            # The middle of each stretch, so that few examples come from a clip's first, often still, moments.
            if number % show_every == show_every // 2 and len(shown) < examples:
                shown.append(sample)
            progress.advance()
    arrays = {key: np.array(values) for key, values in figures.items()}
    layers = {name: _layer(data, name) for name in finished_layers(data)}
    if layers.get(MASKS, {}).get("kept", {}).get("train"):
        shown = list(ShardPairs([folder], "train", examples, layers=(MASKS,)))
    summary = {
        "name": data.info["name"],
        "fingerprint": data.fingerprint,
        "flow_estimator": data.info["flow_estimator"],
        "flow_version": data.info["flow_version"],
        "pairs": {split: data.count(split) for split in SPLITS},
        "pairs_read": len(still),
        "sizes": [list(size) for size in sorted(sides)[:20]],
        "magnitude_px": _percentiles(magnitudes),
        "share_beyond_50_px": beyond / max(pixels - unknown, 1),
        "share_unknown": unknown / pixels,
        "still_share": {"below_px": STILL_BELOW, "mean": float(np.mean(still)), "median": float(np.median(still))},
        "method": {"name": method, "crop": CROP, "figures": {key: _spread(values) for key, values in arrays.items()}},
        "layers": layers,
        "facts": {key: value for key, value in data.info["extra"].items() if key != "settings"},
    }
    return Statistics(summary, magnitudes, np.array(still), arrays, shown)


def _layer(data: ShardSet, name: str) -> dict[str, Any]:
    """Tell what a layer is and what it keeps, or what is wrong with it."""
    try:
        return LayerSet(data, name).summary()
    except SSLMotionError as error:
        return {"problem": str(error)}


def _samples(folder: Path, planned: dict[Split, int]) -> Iterator[FlowSample]:
    for split, count in planned.items():
        if count:
            yield from ShardPairs([folder], split, max_pairs=count)


class _Describer:
    """Asks a method what it makes of samples."""

    def __init__(self, name: str, config: dict[str, Any]) -> None:
        self._method: type[PretrainMethod] = load(METHODS, name)
        self._config = parse_spec(self._method.Config, config, f"settings of method {name}")

    def __call__(self, sample: FlowSample, number: int) -> dict[str, float]:
        rng = generator(0, "statistics", number)
        return self._method.describe_sample(self._config, _central_crop(sample, CROP), rng)


def _central_crop(sample: FlowSample, side: int) -> FlowSample:
    height, width = sample.size
    side = min(side, height, width)
    top, left = (height - side) // 2, (width - side) // 2
    window = np.s_[top : top + side, left : left + side]
    return replace(
        sample,
        image=np.ascontiguousarray(sample.image[window]),
        flow=np.ascontiguousarray(sample.flow[window]),
        valid=np.ascontiguousarray(sample.valid[window]),
    )


def _percentiles(counts: npt.NDArray[np.int64]) -> dict[str, float]:
    """Percentiles of the magnitude, interpolated inside the histogram's bins; none where no flow is known."""
    if not counts.any():
        return {}
    below = np.concatenate([[0], np.cumsum(counts)]) / int(counts.sum())
    return {f"p{level}": float(np.interp(level / 100, below, MAGNITUDE_EDGES)) for level in (10, 25, 50, 75, 90, 99)}


def _spread(values: npt.NDArray[np.float64]) -> dict[str, float]:
    return {
        "mean": float(values.mean()),
        "median": float(np.median(values)),
        "min": float(values.min()),
        "max": float(values.max()),
    }

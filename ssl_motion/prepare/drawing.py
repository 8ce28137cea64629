"""The picture of a data set's statistics."""

import textwrap
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ssl_motion.data.layers import MASKS
from ssl_motion.data.sample import UNKNOWN_LABEL, FlowSample, UInt8Array
from ssl_motion.fileio import write_atomically
from ssl_motion.flow.colour import colour_wheel_legend, flow_to_colour

if TYPE_CHECKING:
    from ssl_motion.prepare.statistics import Statistics

_BLUE, _GREY = "#2f6f9f", "#666666"
_PANEL = 288  # width of an example's image in pixels


def draw(found: "Statistics", path: Path, *, title: str) -> None:
    """Draw histograms and example samples to a PNG.

    Args:
        found: what `measure` returned.
        path: file to write.
        title: heading.

    Raises:
        RunError: The file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from ssl_motion.prepare.statistics import STILL_BELOW

    summary = found.summary
    plots = 2 + len(found.method_figures)
    columns = plots if plots <= 4 else 3
    rows = -(-plots // columns)
    shown = len(found.examples)
    example_rows = -(-shown // 3)
    figure = Figure(figsize=(13, 1.0 + 2.9 * rows + 1.8 * example_rows), layout="constrained")
    FigureCanvasAgg(figure)
    pairs = summary["pairs"]
    figure.suptitle(
        f"{title}: {pairs['train']:,} train and {pairs['val']:,} val pairs, flow by {summary['flow_estimator']} "
        f"({summary['pairs_read']:,} pairs read)",
        fontsize=12,
    )
    parts: Any = figure.subfigures(2, 1, height_ratios=[2.9 * rows, max(1.8 * example_rows, 0.1)], squeeze=False)
    top, bottom = parts.ravel()
    axes = top.subplots(rows, columns, squeeze=False).ravel()
    _magnitudes(axes[0], found)
    _histogram(
        axes[1],
        100 * found.still_share,
        f"standing still (below {STILL_BELOW} px), % of a sample's pixels",
        np.linspace(0, 100, 26),
    )
    for axis, (name, values) in zip(axes[2:], sorted(found.method_figures.items()), strict=False):
        # A sixth figure or so would not be read: as many as there are axes.
        whole = bool((values == np.rint(values)).all())
        low, high = float(values.min()), float(values.max())
        step = max(1, int(np.ceil((high - low) / 40)))
        edges = np.arange(low - 0.5, high + step + 0.5, step) if whole else np.linspace(low, max(high, low + 1e-6), 31)
        _histogram(axis, values, f"{summary['method']['name']}: {name}", edges)
    for axis in axes[plots:]:
        axis.set_visible(False)
    if shown:
        _examples(bottom, found.examples, example_rows)
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    write_atomically(path, lambda file: file.write(buffer.getvalue()) and None)


def _magnitudes(axis: Any, found: "Statistics") -> None:
    from ssl_motion.prepare.statistics import MAGNITUDE_EDGES

    share = 100 * found.magnitudes / max(int(found.magnitudes.sum()), 1)
    axis.stairs(share, MAGNITUDE_EDGES, fill=True, color=_BLUE)
    # Linear below 1/16 px, logarithmic above: still pixels get one bar of their own.
    axis.set_xscale("symlog", linthresh=1 / 16, linscale=0.3, base=10)
    axis.set_xlim(0, 512)
    ticks = [0, 0.1, 1, 10, 100]
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()
    axis.axvline(50, color=_GREY, linestyle="--", linewidth=1)
    axis.annotate(" 50", (50, 0.97), xycoords=("data", "axes fraction"), ha="left", va="top", color=_GREY, fontsize=8)
    _label(axis, "flow magnitude, px of the stored image", "% of valid pixels")


def _histogram(axis: Any, values: Any, label: str, edges: Any) -> None:
    axis.hist(values, bins=edges, color=_BLUE)
    mean = float(np.mean(values))
    axis.axvline(mean, color=_GREY, linestyle="--", linewidth=1)
    axis.set_title(f"mean {mean:.3g}", fontsize=9, color=_GREY, loc="right")
    axis.yaxis.get_major_locator().set_params(integer=True)
    _label(axis, label, "samples")


def _label(axis: Any, x: str, y: str) -> None:
    axis.set_xlabel(textwrap.fill(x, 36), fontsize=9)
    axis.set_ylabel(y, fontsize=9)
    axis.tick_params(labelsize=8)
    axis.spines[["top", "right"]].set_visible(False)


def _examples(figure: Any, samples: list[FlowSample], rows: int) -> None:
    axes = figure.subplots(rows, 3, squeeze=False).ravel()
    for axis in axes:
        axis.axis("off")
    if any(MASKS in sample.layers for sample in samples):
        figure.suptitle("red: moves on its own; yellow: left open", fontsize=9)
    for axis, sample in zip(axes, samples, strict=False):
        picture, reach = _panel(sample)
        axis.imshow(picture)
        axis.set_anchor("N")
        clip = sample.clip if len(sample.clip) <= 34 else f"...{sample.clip[-31:]}"
        axis.set_title(f"{clip}, frame {sample.frame} + {sample.gap}, up to {reach:.3g} px", fontsize=8)


def with_mask(image: UInt8Array, mask_HW: UInt8Array) -> UInt8Array:
    """Tint what moves on its own red, and what is left open yellow."""
    tinted = image.copy()
    for label, colour in ((1, (255, 0, 0)), (UNKNOWN_LABEL, (255, 220, 0))):
        where = mask_HW == label
        tinted[where] = (image[where] // 2 + np.array(colour, np.uint8) // 2).astype(np.uint8)
    return tinted


def _panel(sample: FlowSample) -> tuple[UInt8Array, float]:
    """Image, tinted by its mask, and flow side by side, the wheel in the corner; and the wheel's radius in pixels."""
    speed = np.hypot(sample.flow[..., 0], sample.flow[..., 1])[sample.valid]
    reach = max(float(np.percentile(speed, 99)) if speed.size else 0.0, 1.0)
    height = max(1, round(sample.size[0] * _PANEL / sample.size[1]))
    colour = flow_to_colour(sample.flow, reach, sample.valid)
    image = with_mask(sample.image, sample.layers[MASKS]) if MASKS in sample.layers else sample.image
    parts = [cv2.resize(part, (_PANEL, height), interpolation=cv2.INTER_AREA) for part in (image, colour)]
    picture: UInt8Array = np.concatenate(parts, axis=1)
    side = min(40, height // 3)
    if side >= 8:
        picture[height - side :, 2 * _PANEL - side :] = colour_wheel_legend(side)
    return picture, reach

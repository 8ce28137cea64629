"""The figures of `ssl-bench visualise`, as contact sheets."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ssl_motion.data.sample import Float32Array, UInt8Array
from ssl_motion.errors import UsageError
from ssl_motion.inspection.colours import component_colours, principal_components, random_colours
from ssl_motion.inspection.kernels import Point, chosen_points, embedding_row, flow_row, heat
from ssl_motion.inspection.maps import FeatureMap, spread
from ssl_motion.inspection.maximise import Ascent, maximise
from ssl_motion.inspection.models import EMBEDDING, Inspected
from ssl_motion.inspection.pictures import Shown
from ssl_motion.inspection.sheet import Cell, Row, Sheet
from ssl_motion.similarity import FlowKernel

_ABREAST = 6  # pictures in a row
_UNITS_ABREAST = 8


def embedding_figure(models: Sequence[Inspected], images: Sequence[Shown], stage: str | None, seed: int) -> Sheet:
    """Show features as colours by a random projection (Mahendran et al. 2018).

    Args:
        models: one or more.
        images: one or more.
        stage: of the trunks, or `models.EMBEDDING`; None for the last stage.
        seed: of the projection, which is one for all images and all models of as many channels.

    Raises:
        UsageError: A trunk has no such stage.
    """

    def colours(maps: Sequence[Float32Array]) -> tuple[list[UInt8Array], str]:
        return random_colours(maps, seed), f"{maps[0].shape[0]} channels"

    explained = (
        f"Features at each cell, projected to three random orthogonal directions (seed {seed}) as red, green and blue; "
        "one projection and one scale for all images of a row. Like colours mean like features; the colours themselves "
        "mean nothing."
    )
    return _coloured("Embedding maps", explained, models, images, stage, colours)


def component_figure(models: Sequence[Inspected], images: Sequence[Shown], stage: str | None) -> Sheet:
    """Show features as colours by their first three principal components over all images; see `embedding_figure`."""

    def colours(maps: Sequence[Float32Array]) -> tuple[list[UInt8Array], str]:
        components = principal_components(maps)
        shares = ", ".join(f"{100 * share:.0f}" for share in components.shares)
        return component_colours(maps, components), f"{maps[0].shape[0]} channels, {shares} % of the variance"

    explained = (
        "Features at each cell, projected to their first three principal components as red, green and blue, fitted for "
        "each network to all images of the figure. Like colours mean like features within a row, not between networks."
    )
    return _coloured("Principal components of features", explained, models, images, stage, colours)


def _coloured(
    title: str,
    explained: str,
    models: Sequence[Inspected],
    images: Sequence[Shown],
    stage: str | None,
    colours: Callable[[Sequence[Float32Array]], tuple[list[UInt8Array], str]],
) -> Sheet:
    lines: list[tuple[str, list[UInt8Array]]] = [("images", [each.sample.image for each in images])]
    for model, chosen, maps in _looked(models, images, stage):
        drawn, facts = colours([each.values.numpy() for each in maps])
        pictures = [
            spread(picture, each.stride, shown.sample.size)
            for picture, each, shown in zip(drawn, maps, images, strict=True)
        ]
        lines.append((f"{model.label}: {chosen}, {facts}", pictures))
    rows = []
    for begin in range(0, len(images), _ABREAST):
        part = slice(begin, begin + _ABREAST)
        for number, (heading, pictures) in enumerate(lines):
            names = [image.name for image in images[part]] if number == 0 else [""] * _ABREAST
            cells = [Cell(picture, name) for picture, name in zip(pictures[part], names, strict=False)]
            rows.append(Row(cells, heading))
    return Sheet(title, f"{explained} {_sizes(images)}", rows)


def kernel_figure(
    models: Sequence[Inspected], images: Sequence[Shown], stage: str | None, points: Sequence[Point] = ()
) -> Sheet:
    """Show the kernel rows of chosen pixels: by motion, where the flow is known, beside by embedding.

    Args:
        models: one or more.
        images: one or more.
        stage: as in `embedding_figure`.
        points: (x, y) in pixels of the original images; none for the pixel that moves fastest, or the middle.

    Raises:
        UsageError: A trunk has no such stage, or a point lies outside an image.
    """
    looked = list(_looked(models, images, stage))
    learned = next((kernel for model in models if (kernel := model.flow_kernel) is not None), None)
    rows = []
    for number, shown in enumerate(images):
        kernel = learned or FlowKernel.of_paper(min(shown.sample.size))
        for original, inner in chosen_points(shown, points):
            cells = [Cell(shown.sample.image, shown.name, inner)]
            if shown.sample.valid.any():
                cells.append(_flow_cell(shown, inner, kernel))
            for model, chosen, maps in looked:
                row = embedding_row(maps[number], inner, shown.sample.size)
                low, high = float(row.min()), float(row.max())
                caption = f"K_phi, {model.label}: {chosen}; {low:.2f} to {high:.2f}"
                cells.append(Cell(heat(row, low, high), caption, inner))
            rows.append(Row(cells, f"pixel ({original[0]:.0f}, {original[1]:.0f})"))
    explained = (
        "How alike every pixel is to the one in the ring (Mahendran et al. 2018): K_phi = cos(phi_p, phi_q) / 4 by "
        "features, K_f = exp(-|f_p - f_q|^2 / (2 sigma^2)) by flow, dark blue for least to yellow for most, in the "
        "range that is given; grey where the flow is not known."
    )
    return Sheet("Kernel rows", f"{explained} {_sizes(images)}", rows)


def _flow_cell(shown: Shown, inner: Point, kernel: FlowKernel) -> Cell:
    row = flow_row(shown.sample, inner, kernel)
    facts = f"K_f: sigma {kernel.sigma:.3g} ({kernel.source}), saturation {kernel.saturation:.3g} px"
    if row is None:
        nothing = heat(np.full(shown.sample.size, np.nan, np.float32), 0, 1)
        return Cell(nothing, f"{facts}; the flow of this pixel is not known", inner)
    return Cell(heat(row, 0, 1), f"{facts}; 0 to 1", inner)


def neuron_figure(
    models: Sequence[Inspected],
    stage: str | None,
    channels: Sequence[int] = (),
    count: int = 16,
    ascent: Ascent | None = None,
    seed: int = 0,
) -> Sheet:
    """Show images that units in the middle of a stage respond to most (`ssl_motion.inspection.maximise`).

    Args:
        models: one or more.
        stage: of the trunks; None for the last stage.
        channels: which units; none for `count` of them, spread evenly over the stage.
        count: how many, where none are named.
        ascent: settings.
        seed: of noise and jitter.

    Raises:
        UsageError: A trunk has no such stage or channel.
    """
    ascent = ascent or Ascent()
    rows = []
    facts = []
    for model in models:
        chosen = model.resolve_stage(stage)
        if chosen == EMBEDDING:
            raise UsageError("--stage embedding: neurons are channels of a trunk's stage; name one")
        units = _units(model, chosen, channels, count)
        found = maximise(model, chosen, units, ascent, seed)
        cells = [
            Cell(picture, f"{chosen} {unit}: {f'{response:.2f}' if response else 'silent'}")
            for picture, unit, response in zip(found.pictures, units, found.responses, strict=True)
        ]
        stride = model.network.strides[chosen]
        facts.append(f"{ascent.side_at(stride)} px, jitter {ascent.jitter_at(stride)} px")
        for begin in range(0, len(cells), _UNITS_ABREAST):
            rows.append(Row(cells[begin : begin + _UNITS_ABREAST], model.label if begin == 0 else ""))
    explained = (
        "Images that single units respond to most, by gradient ascent from noise with jitter and a total-variation "
        f"prior (weight {ascent.total_variation:g}, {ascent.steps} steps, {' and '.join(dict.fromkeys(facts))}, seed "
        f"{seed}); not the natural-image prior of Mahendran et al. 2018. Numbers: the unit's response."
    )
    return Sheet("What units respond to", explained, rows)


def _units(model: Inspected, stage: str, channels: Sequence[int], count: int) -> list[int]:
    total = model.network.channels[stage]
    for channel in channels:
        if not 0 <= channel < total:
            raise UsageError(f"--channel {channel}: {stage} of {model.label} has channels 0 to {total - 1}")
    return list(channels) or np.linspace(0, total - 1, min(count, total)).round().astype(int).tolist()


def _looked(
    models: Sequence[Inspected], images: Sequence[Shown], stage: str | None
) -> Iterator[tuple[Inspected, str, list[FeatureMap]]]:
    for model in models:
        chosen = model.resolve_stage(stage)
        yield model, chosen, [model.look(shown.sample.image, chosen) for shown in images]


def _sizes(images: Sequence[Shown]) -> str:
    """Say at which size the networks saw the images."""
    sizes = dict.fromkeys(f"{shown.sample.size[1]} x {shown.sample.size[0]}" for shown in images)
    return f"Images as the networks saw them: {', '.join(sizes)} pixels."

"""`ssl-bench visualise`: look into networks."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ssl_motion.cli.common_options import device_option, json_option, option_group, runs_option

if TYPE_CHECKING:
    from ssl_motion.inspection.models import Inspected
    from ssl_motion.inspection.pictures import Shown
    from ssl_motion.inspection.sheet import Sheet


@click.group("visualise", short_help="Look into networks: embeddings, kernels, neurons.")
def command() -> None:
    """Draw what networks make of images, as contact sheets (PNG).

    --init takes a pretraining run, a backbone folder, a weights file, or random, and may be repeated: the networks then
    stand below each other, on the same images. Sheets of a run lie in its folder visualised/, where the report's site
    finds them.
    """


def _png(context: click.Context, option: click.Parameter, path: Path | None) -> Path | None:
    if path is not None and path.suffix.lower() != ".png":
        raise click.BadParameter(f"{path}: expected the name of a PNG file", context, option)
    return path


_network_options = option_group(
    click.option(
        "--init",
        "queries",
        metavar="RUN|FILE|random",
        multiple=True,
        required=True,
        help="What to look into: a run, a weights file, random, random:SCHEME or imagenet. May be repeated.",
    ),
    click.option("--stage", metavar="NAME", help="Stage of the trunk [the last]."),
    click.option(
        "--backbone", metavar="NAME", help="Trunk of files and random starts [read off a file; that of another --init]."
    ),
    click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of everything that is drawn."),
)
_image_options = option_group(
    click.option(
        "--images",
        type=click.Path(path_type=Path),
        multiple=True,
        help="Image file or folder; may be repeated [Puppets].",
    ),
    click.option("--data", type=click.Path(path_type=Path), help="Take images of a data set of `ssl-bench prepare`."),
    click.option("--count", type=click.IntRange(1, 100), default=4, show_default=True, help="Most images."),
    click.option(
        "--size",
        type=click.IntRange(16, 4096),
        metavar="PIXELS",
        help="Shorter side of images as the networks see them [of the training images; else their own, 384 at most].",
    ),
)
_output_options = option_group(
    click.option(
        "--out",
        type=click.Path(path_type=Path, dir_okay=False),
        callback=_png,
        help="PNG file [visualised/ in the folder of the first run; else here].",
    ),
    runs_option,
    device_option,
    json_option(),
)


@command.command("embedding", short_help="Features as colours, by a random projection.")
@_network_options
@_image_options
@_output_options
def embedding_command(seed: int, stage: str | None, out: Path | None, as_json: bool, **options: Any) -> None:
    """Show the features of every cell as a colour, by one random projection for all images.

    --stage embedding shows what the method itself compares pixels by, where it does (mahendran).
    """
    from ssl_motion.inspection.figures import embedding_figure

    models = _models(stage=stage, seed=seed, **options)
    _write(embedding_figure(models, _images(models, **options), stage, seed), "embedding", models, stage, out, as_json)


@command.command("pca", short_help="Features as colours, by their principal components.")
@_network_options
@_image_options
@_output_options
def pca_command(seed: int, stage: str | None, out: Path | None, as_json: bool, **options: Any) -> None:
    """Show the features of every cell as a colour, by their principal components over all images."""
    from ssl_motion.inspection.figures import component_figure

    models = _models(stage=stage, seed=seed, **options)
    _write(component_figure(models, _images(models, **options), stage), "pca", models, stage, out, as_json)


@command.command("kernel", short_help="To which pixels a pixel is alike: by features, by motion.")
@_network_options
@_image_options
@click.option(
    "--at",
    metavar="X,Y",
    multiple=True,
    help="Pixel of the original image, from its upper left corner; may be repeated [the fastest, or the middle].",
)
@_output_options
def kernel_command(
    seed: int, stage: str | None, at: tuple[str, ...], out: Path | None, as_json: bool, **options: Any
) -> None:
    """Show to which pixels a chosen one is alike, by features beside by motion where the flow is known.

    It is known of Puppets and of the data sets of `ssl-bench prepare` (--data).
    """
    from ssl_motion.inspection.figures import kernel_figure
    from ssl_motion.propagation.guidance import parse_points

    points = parse_points(at, "--at")
    models = _models(stage=stage, seed=seed, **options)
    sheet = kernel_figure(models, _images(models, **options), stage, points)
    _write(sheet, "kernel", models, stage, out, as_json)


@command.command("neurons", short_help="Images that single units respond to most.")
@_network_options
@click.option("--channel", "channels", type=click.IntRange(0), multiple=True, help="Which unit; may be repeated.")
@click.option("--count", type=click.IntRange(1, 512), default=16, show_default=True, help="Units, where none is named.")
@click.option("--size", type=click.IntRange(16, 1024), metavar="PIXELS", help="Side of the images [16 cells].")
@click.option("--steps", type=click.IntRange(1), default=128, show_default=True, help="Of gradient ascent.")
@click.option("--jitter", type=click.IntRange(0), metavar="PIXELS", help="Largest shift [a quarter of a cell].")
@click.option(
    "--total-variation",
    type=click.FloatRange(0),
    default=0.3,
    show_default=True,
    help="Weight of the prior.",
)
@_output_options
def neurons_command(
    seed: int,
    stage: str | None,
    channels: tuple[int, ...],
    count: int,
    size: int | None,
    steps: int,
    jitter: int | None,
    total_variation: float,
    out: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Seek images that units in the middle of a stage respond to most.

    By gradient ascent from noise, with jitter and a total-variation prior.
    """
    from ssl_motion.inspection.figures import neuron_figure
    from ssl_motion.inspection.maximise import Ascent

    models = _models(stage=stage, seed=seed, **options)
    ascent = Ascent(steps=steps, jitter=jitter, total_variation=total_variation, side=size)
    sheet = neuron_figure(models, stage, channels, count, ascent, seed)
    _write(sheet, "neurons", models, stage, out, as_json)


def _models(
    *,
    queries: tuple[str, ...],
    stage: str | None,
    backbone: str | None,
    seed: int,
    runs_folder: str | None,
    device: str,
    **_: Any,
) -> "list[Inspected]":
    from ssl_motion.inspection.models import EMBEDDING, open_models
    from ssl_motion.paths import runs_root
    from ssl_motion.spec import BackboneSpec
    from ssl_motion.store import Store

    spec = BackboneSpec(arch=backbone) if backbone is not None else None
    store = Store(runs_root(runs_folder))
    return open_models(queries, store, whole=stage == EMBEDDING, backbone=spec, seed=seed, device=device)


def _images(
    models: "list[Inspected]", *, images: tuple[Path, ...], data: Path | None, count: int, size: int | None, **_: Any
) -> "list[Shown]":
    from ssl_motion.errors import UsageError
    from ssl_motion.inspection.models import shared_side, shared_world
    from ssl_motion.inspection.pictures import from_files, from_pairs, of_puppets

    if images and data is not None:
        raise UsageError("give --images or --data, not both")
    side = size or shared_side(models)
    if images:
        return from_files(images, count, side)
    return from_pairs(data, count, side) if data is not None else of_puppets(shared_world(models), count, side)


def _write(
    sheet: "Sheet", kind: str, models: "list[Inspected]", stage: str | None, out: Path | None, as_json: bool
) -> None:
    import json

    from ssl_motion.inspection.sheet import FOLDER

    run = next((model.run for model in models if model.run is not None), None)
    path = out or (run / FOLDER if run is not None else Path()) / f"{kind}-{models[0].resolve_stage(stage)}.png"
    sheet.write(path)
    if as_json:
        click.echo(json.dumps({"path": str(path), "title": sheet.title, "description": sheet.description}))
    else:
        click.echo(f"{sheet.title}: {path}")

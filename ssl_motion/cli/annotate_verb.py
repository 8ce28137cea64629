"""`ssl-bench annotate`: from a few clicks to the mask of an object."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ssl_motion.cli.application_options import application_options, force_option, open_predictor
from ssl_motion.cli.common_options import json_option

if TYPE_CHECKING:
    from ssl_motion.annotation.procedure import Annotation, AnnotationSettings, Point


@click.command("annotate", short_help="Cut an object out of an image by a few clicks.")
@click.argument("image", type=click.Path(path_type=Path))
@click.option("--positive", multiple=True, metavar="X,Y", help="A point on the object; may be repeated.")
@click.option("--negative", multiple=True, metavar="X,Y", help="A point that is not on it; may be repeated.")
@click.option("--label", default="object", show_default=True, help="What the object is called in the json.")
@click.option(
    "--motion",
    type=float,
    metavar="PIXELS",
    help="Length of the dummy motion on a network input of 384 pixels; in proportion on another [10].",
)
@click.option("--directions", type=int, metavar="N", help="Number of directions of the dummy motion [4].")
@click.option(
    "--threshold", type=float, metavar="SHARE", help="Of the largest response: the object begins there [0.5]."
)
@click.option(
    "--zoom-factor",
    type=float,
    metavar="F",
    help="With two points or more, look at the square of F times their extent [4].",
)
@click.option("--no-zoom", is_flag=True, help="Always look at the whole image.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER", help="Folder to write [NAME-annotation].")
@force_option
@application_options
@json_option()
def command(
    image: Path,
    positive: tuple[str, ...],
    negative: tuple[str, ...],
    label: str,
    motion: float | None,
    directions: int | None,
    threshold: float | None,
    zoom_factor: float | None,
    no_zoom: bool,
    out: Path | None,
    force: bool,
    as_json: bool,
    **model: Any,
) -> None:
    """Find the object of IMAGE that the positive points lie on.

    The points are told to move, in several directions; what moves with them is the object. Coordinates are pixels of
    the original image, upright: x to the right, y down, (0, 0) the centre of the upper left pixel. Written are mask.png
    (255 on the object), score.png, annotation.json (COCO's format, run lengths) and overlay.png. Click away from
    borders, and more than once on small objects.

    \b
    ssl-bench annotate dog.jpg --positive 320,200 --positive 300,260 --negative 60,60
    """
    from ssl_motion.annotation.outputs import ANNOTATION_FILES, write_annotation
    from ssl_motion.annotation.procedure import annotate
    from ssl_motion.errors import UsageError
    from ssl_motion.propagation.destinations import destination
    from ssl_motion.propagation.guidance import Guidance, parse_points
    from ssl_motion.propagation.requests import Request

    if no_zoom and zoom_factor is not None:
        raise UsageError("--no-zoom and --zoom-factor exclude each other")
    settings = _settings(motion=motion, directions=directions, threshold=threshold, zoom_factor=zoom_factor)
    if no_zoom:
        settings = settings.model_copy(update={"zoom_factor": None})
    on, beside = parse_points(positive, "--positive"), parse_points(negative, "--negative")
    if not on:
        raise UsageError("no point on the object: name --positive x,y")
    if not label.strip():
        raise UsageError("--label is empty: name the object, or leave --label out")
    _distinct(on, beside)
    folder = destination(out, Path(f"{image.stem}-annotation"), ANNOTATION_FILES.values(), [image], force)
    # What is wrong with the image or a point is said before a model is read.
    pixels = Request(image, Guidance(stills=[*on, *beside]), folder).read_image()
    predictor = open_predictor(**model)
    found = annotate(predictor, pixels, on, beside, settings)
    files = write_annotation(folder, image.name, pixels, found, (on, beside), label)
    if as_json:
        asked = {"label": label, "clicks": {"positive": on, "negative": beside}, "settings": settings.model_dump()}
        _print_json(image, found, files, {**asked, "size": predictor.side})
    else:
        _print(image, found, predictor.inner_size((found.window.height, found.window.width)), files)
    if not found.mask.any():
        click.echo("warning: nothing moves with these points: no object was found", err=True)


def _distinct(on: Sequence["Point"], beside: Sequence["Point"]) -> None:
    """Refuse a point that is to lie on the object and beside it at once."""
    from ssl_motion.errors import UsageError

    pixels = {(math.floor(x + 0.5), math.floor(y + 0.5)): (x, y) for x, y in on}
    for x, y in beside:
        if other := pixels.get((math.floor(x + 0.5), math.floor(y + 0.5))):
            raise UsageError(
                f"--positive {other[0]:g},{other[1]:g} and --negative {x:g},{y:g} are one pixel: it is on the object "
                "or not; leave one out"
            )


def _settings(**given: float | None) -> "AnnotationSettings":
    """Take the options that were given; the others keep their defaults."""
    from ssl_motion.annotation.procedure import AnnotationSettings
    from ssl_motion.spec_text import parse_spec

    return parse_spec(AnnotationSettings, {key: value for key, value in given.items() if value is not None}, "options")


def _print(image: Path, found: "Annotation", inner: tuple[int, int], files: dict[str, Path]) -> None:
    window = found.window
    click.echo(
        f"{image}: looked at {window.width} x {window.height} pixels from ({window.left}, {window.top}) on, seen by "
        f"the network at {inner[1]} x {inner[0]}; the object covers {100 * found.mask.mean():.1f} % of the image"
    )
    click.echo(f"wrote {files['mask'].parent}: {', '.join(path.name for path in files.values())}")


def _print_json(image: Path, found: "Annotation", files: dict[str, Path], asked: dict[str, Any]) -> None:
    """Print what was found, with all that was asked, so that the mask can be made again."""
    import json

    from ssl_motion.annotation.export import encode_mask

    window = found.window
    outcome = {
        "image": str(image),
        "height": found.mask.shape[0],
        "width": found.mask.shape[1],
        **asked,
        "share": float(found.mask.mean()),
        "window": [window.left, window.top, window.width, window.height],
        "segmentation": encode_mask(found.mask),
        "files": {name: str(path) for name, path in files.items()},
    }
    click.echo(json.dumps(outcome, indent=2))

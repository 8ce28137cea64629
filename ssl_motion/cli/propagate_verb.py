"""`ssl-bench propagate`: from an image and a few vectors to dense flow."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ssl_motion.cli.application_options import application_options, force_option, open_predictor
from ssl_motion.cli.common_options import json_option

if TYPE_CHECKING:
    from ssl_motion.propagation.following import Followed
    from ssl_motion.propagation.predictor import MotionPredictor
    from ssl_motion.propagation.requests import Batch, Request


@click.command("propagate", short_help="Predict an image's dense motion from a few arrows.")
@click.argument("image", type=click.Path(path_type=Path))
@click.option("--arrow", "arrows", multiple=True, metavar="X,Y,DX,DY", help="The point (x, y) moves by (dx, dy).")
@click.option("--still", "stills", multiple=True, metavar="X,Y", help="The point (x, y) stays where it is.")
@click.option(
    "--guidance",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help='{"arrows": [[x, y, dx, dy], ...], "stills": [[x, y], ...]} as JSON.',
)
@click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER", help="Folder to write [NAME-flow].")
@force_option
@application_options
@json_option()
def command(
    image: Path,
    arrows: tuple[str, ...],
    stills: tuple[str, ...],
    guidance: Path | None,
    out: Path | None,
    force: bool,
    as_json: bool,
    **model: Any,
) -> None:
    """Predict the motion of every pixel of IMAGE from the motion of a few.

    IMAGE is a file, or a folder of images, each beside its guidance (dog.jpg and dog.json). Coordinates are pixels of
    the original image, upright: x to the right, y down, (0, 0) the centre of the upper left pixel; --arrow and --still
    may be repeated. Written are flow.flo, flow_kitti.png (16 bits), flow.png (colour wheel) and overlay.png. Flow is in
    pixels of the image over one step of the videos that the model learned from.

    \b
    ssl-bench propagate dog.jpg --arrow 320,200,25,-10 --still 300,420
    """
    import json

    from ssl_motion.errors import UsageError
    from ssl_motion.propagation.destinations import destination
    from ssl_motion.propagation.outputs import PROPAGATION_FILES
    from ssl_motion.propagation.requests import Request, files_of, folder_requests, given_guidance, output_folder

    names = PROPAGATION_FILES.values()
    if image.is_dir():
        if arrows or stills or guidance:
            raise UsageError(f"{image} is a folder: each of its images takes its guidance from the .json of its name")
        stems, read = files_of(image)
        folder = destination(
            out, output_folder(image), [f"{stem}/{name}" for stem in stems for name in names], read, force
        )
        batch = folder_requests(image, folder)
        if batch.alone:
            click.echo(f"left out, without a partner: {', '.join(batch.alone)}", err=True)
        _answer_all(batch, as_json, model)
        return
    if not image.exists():
        raise UsageError(f"no such image, nor a folder of images: {image}")
    folder = destination(out, output_folder(image), names, [image, *filter(None, [guidance])], force)
    request = Request(image, given_guidance(arrows, stills, guidance), folder)
    request.read_image()  # what is wrong with it is said before a model is read
    outcome = _answer(open_predictor(**model), request, as_json)
    if as_json:
        click.echo(json.dumps([outcome], indent=2))


def _answer_all(batch: "Batch", as_json: bool, model: dict[str, Any]) -> None:
    """Answer what can be answered of a folder; what cannot is listed at the end.

    Raises:
        RunError: There was something that cannot.
    """
    import json

    from ssl_motion.errors import RunError, SSLMotionError

    outcomes, faults = [], dict(batch.faults)
    predictor = open_predictor(**model) if batch.requests else None
    for request in batch.requests:
        assert predictor is not None
        try:
            outcomes.append(_answer(predictor, request, as_json))
        except SSLMotionError as error:  # such as a file that cannot be written
            faults[request.image] = str(error)
    if as_json:
        bad = [{"image": str(path), "error": reason} for path, reason in faults.items()]
        click.echo(json.dumps([*outcomes, *bad], indent=2))
    if faults:
        lines = [reason if str(path) in reason else f"{path}: {reason}" for path, reason in faults.items()]
        whole = len(outcomes) + len(faults)
        raise RunError(
            "\n  ".join([f"{len(faults)} of {whole} images could not be done, {len(outcomes)} are:", *lines])
        )


def _answer(predictor: "MotionPredictor", request: "Request", as_json: bool) -> dict[str, Any]:
    """Predict and write one image's flow, and say so; returns what is to be said of it as JSON."""
    from ssl_motion.propagation.following import followed, warnings
    from ssl_motion.propagation.outputs import write_propagation

    picture = request.read_image()
    flow = predictor.look(picture).flow([request.guidance])[0]
    points = followed(flow, request.guidance)
    files = write_propagation(request.folder, picture, request.guidance, flow)
    if not as_json:
        _print(request, predictor.inner_size(picture.shape[:2]), picture.shape, points, files)
    for warning in warnings(points):
        click.echo(f"warning: {request.image}: {warning}", err=True)
    return _outcome(request, picture.shape, points, files)


def _outcome(
    request: "Request", shape: tuple[int, ...], points: list["Followed"], files: dict[str, Path]
) -> dict[str, Any]:
    return {
        "image": str(request.image),
        "height": shape[0],
        "width": shape[1],
        "files": {name: str(path) for name, path in files.items()},
        "points": [point.as_dict() for point in points],
    }


def _print(
    request: "Request",
    inner: tuple[int, int],
    shape: tuple[int, ...],
    points: list["Followed"],
    files: dict[str, Path],
) -> None:
    seen = f"seen by the network at {inner[1]} x {inner[0]}"
    click.echo(f"{request.image}: {shape[1]} x {shape[0]} pixels, {seen}; motion in pixels of the image:")
    if points:
        click.echo(f"      {'at':<18}{'asked for':<20}{'predicted there':<20}along the arrow")
    for number, point in enumerate(points, 1):
        at = f"({point.foot[0]:g}, {point.foot[1]:g})"
        asked = f"({point.asked[0]:+.1f}, {point.asked[1]:+.1f})" if point.share is not None else "still"
        predicted = f"({point.predicted[0]:+.1f}, {point.predicted[1]:+.1f})"
        share = f"{100 * point.share:.0f} %" if point.share is not None else ""
        click.echo(f"  {number:>2}  {at:<18}{asked:<20}{predicted:<20}{share}".rstrip())
    click.echo(f"wrote {request.folder}: {', '.join(path.name for path in files.values())}")

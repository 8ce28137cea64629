"""`ssl-bench animate`: a photograph that moves."""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ssl_motion.cli.application_options import application_options, force_option, open_predictor
from ssl_motion.cli.common_options import json_option

if TYPE_CHECKING:
    from ssl_motion.animation.script import MotionScript
    from ssl_motion.data.sample import UInt8Array
    from ssl_motion.progress import Progress
    from ssl_motion.propagation.following import Followed


@click.command("animate", short_help="Make a photograph move.")
@click.argument("image", type=click.Path(path_type=Path))
@click.option("--script", required=True, type=click.Path(path_type=Path), metavar="FILE", help="Guidance over time.")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), metavar="CLIP", help="NAME.mp4, NAME.gif, or a folder."
)
@click.option(
    "--warp",
    type=click.Choice(["forward", "backward"]),
    default="forward",
    show_default=True,
    help="Carry pixels to where they go, the fastest on top; or fetch them from where they came.",
)
@click.option(
    "--fill",
    type=click.Choice(["inpaint", "lookup", "black"]),
    default="inpaint",
    show_default=True,
    help="What the forward warp puts where everything left: inpainting, the image one step back along the "
    "flow, or nothing.",
)
@force_option
@application_options
@json_option()
def command(
    image: Path, script: Path, out: Path, warp: Any, fill: Any, force: bool, as_json: bool, **model: Any
) -> None:
    """Make IMAGE move as a script of key frames says; every frame is warped from IMAGE itself.

    \b
    {"fps": 12, "keys": [{"frame": 0,  "arrows": [[320, 200, 0, 0]],    "stills": [[300, 420]]},
                         {"frame": 12, "arrows": [[320, 200, 25, -10]], "stills": [[300, 420]]}]}

    Arrows are [x, y, dx, dy] and still points [x, y] in pixels of the original image, as for `ssl-bench propagate`.
    Between key frames, arrow i of one goes over linearly into arrow i of the next.

    \b
    ssl-bench animate dog.jpg --script motion.json --out dog.gif
    """
    import json

    import numpy as np

    from ssl_motion.animation.clips import check_clip_path, clip_files, clip_rate, save_clip
    from ssl_motion.animation.render import render
    from ssl_motion.animation.script import read_script
    from ssl_motion.errors import UsageError
    from ssl_motion.progress import Progress
    from ssl_motion.propagation.destinations import destination
    from ssl_motion.propagation.following import followed, warnings
    from ssl_motion.propagation.photographs import MOST_PIXELS, read_photograph

    # Whatever can be wrong is said before a model is read.
    check_clip_path(out)
    motion = read_script(script)
    destination(out, None, clip_files(out, motion.frames), [image, script], force)
    picture = read_photograph(image, most_pixels=MOST_PIXELS)
    try:
        motion.checked((picture.shape[0], picture.shape[1]))
    except UsageError as error:
        raise UsageError(f"{script}: {error}") from None
    seen = open_predictor(**model).look(picture)
    # In a frame at rest nothing moves, whatever the model says (`render`).
    still = np.zeros((1, 1, 2), np.float32)
    points = [
        followed(still if key.is_at_rest else seen.flow([key])[0], key, (picture.shape[0], picture.shape[1]))
        for key in motion.keys
    ]
    concerned: dict[str, list[str]] = {}  # key frames by what is to be said of them
    for key, there in zip(motion.keys, points, strict=True):
        for warning in warnings(there):
            concerned.setdefault(warning, []).append(str(key.frame))
    said = [f"frame {', '.join(numbers)}: {warning}" for warning, numbers in concerned.items()]
    for line in said:
        click.echo(f"warning: {line}", err=True)
    with Progress("animate", motion.frames, "frames") as progress:
        save_clip(_counted(render(seen, picture, motion, warp, fill), progress), out, motion.fps)
    rate = clip_rate(out, motion.fps)
    if as_json:
        facts = {"path": str(out), "frames": motion.frames, "fps": rate, "fps_asked": motion.fps}
        facts |= {"warp": warp, "fill": fill, "height": picture.shape[0], "width": picture.shape[1]}
        keys = [
            {"frame": key.frame, "points": [point.as_dict() for point in there]}
            for key, there in zip(motion.keys, points, strict=True)
        ]
        click.echo(json.dumps({**facts, "keys": keys, "warnings": said}))
        return
    asked = "" if rate == motion.fps else f" (asked for {motion.fps:g}; GIF counts in 1/100 s, and 1/50 s at least)"
    click.echo(f"wrote {out}: {motion.frames} frames at {rate:.4g} a second{asked}")
    _print_followed(motion, points)


def _print_followed(motion: "MotionScript", points: list[list["Followed"]]) -> None:
    """Say how much of each arrow is followed in the key frame with the longest one; nothing where none has a length."""
    lengths = [max((math.hypot(*point.asked) for point in there), default=0.0) for there in points]
    longest = lengths.index(max(lengths))
    if not lengths[longest]:
        return
    shares = [point.share for point in points[longest][: len(motion.keys[longest].arrows)]]
    words = [
        f"arrow {number} {'has no length' if share is None else f'{100 * share:.0f} %'}"
        for number, share in enumerate(shares, 1)
    ]
    click.echo(
        f"followed along the arrows in frame {motion.keys[longest].frame}, where they are longest: {', '.join(words)}"
    )


def _counted(frames: Iterable["UInt8Array"], progress: "Progress") -> Iterator["UInt8Array"]:
    for frame in frames:
        yield frame
        progress.advance()

"""The files of one propagation: flow for programs, pictures for people."""

import io
from pathlib import Path

from PIL import Image

from ssl_motion.data.sample import Float32Array, UInt8Array
from ssl_motion.fileio import write_atomically
from ssl_motion.flow.formats import write_flo, write_kitti
from ssl_motion.propagation.drawing import flow_picture, overlay, speed_at_full_colour, with_legend
from ssl_motion.propagation.guidance import Guidance

PROPAGATION_FILES = {"flo": "flow.flo", "kitti": "flow_kitti.png", "picture": "flow.png", "overlay": "overlay.png"}
"""Names of the files of `write_propagation`, by what they are."""


def write_png(path: Path, picture: UInt8Array) -> None:
    """Write a PNG.

    Args:
        path: the file; its folder is made when missing.
        picture: uint8 [H, W, 3] RGB, or [H, W] for grey.

    Raises:
        RunError: The file cannot be written.
    """
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    write_atomically(path, lambda file: file.write(buffer.getvalue()))


def write_propagation(folder: Path, image: UInt8Array, guidance: Guidance, flow: Float32Array) -> dict[str, Path]:
    """Write what was predicted.

    Flow is the displacement of each pixel of the image, (right, down) in its own pixels, over one step of the videos
    that the model learned from (from frame t to t + gap).

    Args:
        folder: made when missing; files of before are overwritten.
        image: uint8 [H, W, 3] RGB.
        guidance: that the flow was predicted from.
        flow: float32 [H, W, 2].

    Returns:
        The files: "flo" (Middlebury), "kitti" (16-bit PNG, to 1/64 px, within +-512), "picture" (the colour wheel's
        colours with a legend), "overlay" (flow and guidance over the image).

    Raises:
        RunError: A file cannot be written.
    """
    files = {what: folder / name for what, name in PROPAGATION_FILES.items()}
    write_flo(files["flo"], flow)
    write_kitti(files["kitti"], flow)
    write_png(files["picture"], with_legend(flow_picture(flow), speed_at_full_colour(flow)))
    write_png(files["overlay"], overlay(image, guidance, flow))
    return files

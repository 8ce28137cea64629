"""From what a user names (an image or a folder, arrows or files) to images with their guidance."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ssl_motion.data.sample import UInt8Array
from ssl_motion.errors import SSLMotionError, UsageError
from ssl_motion.propagation.guidance import ArrowNumbers, Guidance, parse_numbers, parse_points, read_guidance
from ssl_motion.propagation.photographs import MOST_PIXELS, read_photograph
from ssl_motion.spec_text import parse_spec
from ssl_motion.video.discover import list_images

GUIDANCE_SUFFIX = ".json"


@dataclass(frozen=True)
class Request:
    """An image to predict the motion of.

    Attributes:
        image: its file.
        guidance: what is given.
        folder: where the answer goes.
    """

    image: Path
    guidance: Guidance
    folder: Path

    def read_image(self) -> UInt8Array:
        """Read the image: uint8 [H, W, 3] RGB.

        Raises:
            UsageError: It cannot be read, or a point of the guidance lies outside.
        """
        pixels = read_photograph(self.image, most_pixels=MOST_PIXELS)
        try:
            self.guidance.checked((pixels.shape[0], pixels.shape[1]))
        except UsageError as error:
            raise UsageError(f"{self.image}: {error}") from None
        return pixels


def given_guidance(arrows: Sequence[str], stills: Sequence[str], file: Path | None) -> Guidance:
    """Put together what the options give; a file and options add up.

    Args:
        arrows: "x,y,dx,dy" of each.
        stills: "x,y" of each.
        file: a guidance file.

    Raises:
        UsageError: An option or the file cannot be read, or there is neither. (A file may hold no point: a model then
            predicts from the image alone.)
    """
    if file is None and not arrows and not stills:
        raise UsageError("nothing is given: name --arrow x,y,dx,dy (or --still x,y), or a --guidance file")
    base = read_guidance(file) if file is not None else Guidance()
    more_arrows: list[ArrowNumbers] = []
    for text in arrows:
        x, y, dx, dy = parse_numbers(text, "--arrow", ("x", "y", "dx", "dy"))
        more_arrows.append((x, y, dx, dy))
    points = {"arrows": [*base.arrows, *more_arrows], "stills": [*base.stills, *parse_points(stills, "--still")]}
    return parse_spec(Guidance, points, "arrows and still points")


def output_folder(source: Path) -> Path:
    """Folder for answers where none is named: NAME-flow in the working directory."""
    name = source.resolve().name if source.is_dir() else source.stem
    return Path(f"{name}-flow")


def files_of(source: Path) -> tuple[list[str], list[Path]]:
    """List the stems of the images in a folder, below which answers go, and all files there that may be read."""
    images = list_images(source)
    return [image.stem for image in images], [*images, *source.glob(f"*{GUIDANCE_SUFFIX}")]


@dataclass(frozen=True)
class Batch:
    """What a folder holds.

    Attributes:
        requests: images with their guidance, in natural order of names.
        faults: why others with a partner cannot be done, by image.
        alone: names of images and guidance files without a partner.
    """

    requests: list[Request]
    faults: dict[Path, str]
    alone: list[str]


def folder_requests(source: Path, out: Path) -> Batch:
    """Pair the images of a folder with the guidance files of their names: `dog.jpg` with `dog.json`.

    All are read before anything is computed, so that what is wrong is known at once; one that is bad stops no other.

    Args:
        source: the folder.
        out: answers go to folders below it, named after the images.

    Raises:
        UsageError: There is no pair, or two images share a name.
    """
    images: dict[str, Path] = {}
    for image in list_images(source):
        if image.stem in images:
            raise UsageError(
                f"{source}: {images[image.stem].name} and {image.name} share the guidance {image.stem}{GUIDANCE_SUFFIX}"
            )
        images[image.stem] = image
    files = {path.stem: path for path in sorted(source.glob(f"*{GUIDANCE_SUFFIX}"))}
    pairs = {stem: path for stem, path in images.items() if stem in files}
    if not pairs:
        raise UsageError(
            f"{source}: expected images, each beside its guidance (dog.jpg and dog{GUIDANCE_SUFFIX}); found "
            f"{len(images)} images and {len(files)} {GUIDANCE_SUFFIX} files, none of one name"
        )
    alone = [path.name for stem, path in images.items() if stem not in files]
    alone += [path.name for stem, path in files.items() if stem not in images]
    batch = Batch([], {}, alone)
    for stem, path in pairs.items():
        try:
            request = Request(path, read_guidance(files[stem]), out / stem)
            request.read_image()
        except SSLMotionError as error:
            batch.faults[path] = str(error)
        else:
            batch.requests.append(request)
    return batch

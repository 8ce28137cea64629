"""A contact sheet: image, flow, classes, instances and parts of some scenes, with titles and legends."""

import colorsys
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from ssl_motion.data.sample import UInt8Array
from ssl_motion.flow.colour import colour_wheel_legend, flow_to_colour
from ssl_motion.lettering import font
from ssl_motion.puppets.labels import CLASSES, PALETTE, PARTS
from ssl_motion.puppets.scene import Scene, Stream, render
from ssl_motion.puppets.worlds import REFERENCE_SIDE, WORLDS
from ssl_motion.spec import PuppetsSpec

TITLES = ("image", "flow", "classes", "instances", "parts")

_CELL = 176  # least side of a picture on the sheet, px
_GAP, _MARGIN, _BETWEEN = 6, 28, 30
_INK, _FAINT, _PAPER, _NOTHING = (32, 33, 36), (110, 112, 116), (255, 255, 255), (236, 236, 236)
_FONT, _LINE = 15, 22


def distinct_colours(count: int) -> UInt8Array:
    """Make colours that are easy to tell apart in order, uint8 [count, 3] RGB; the first is the sheet's light grey."""
    colours = [_NOTHING]
    for number in range(count - 1):
        hue = number * 0.61803398875 % 1
        lightness, saturation = ((0.5, 0.75), (0.36, 0.8), (0.66, 0.7))[number % 3]
        red, green, blue = colorsys.hls_to_rgb(hue, lightness, saturation)
        colours.append((round(255 * red), round(255 * green), round(255 * blue)))
    return np.array(colours, np.uint8)


def contact_sheet(spec: PuppetsSpec, stream: Stream = "pairs", count: int = 12) -> UInt8Array:
    """Draw the first scenes of a stream.

    Args:
        spec: which data set.
        stream: see `render`.
        count: number of scenes.

    Returns:
        uint8 [height, width, 3] RGB.
    """
    limit = WORLDS[spec.world].max_flow * spec.size / REFERENCE_SIDE
    zoom = max(1, -(-_CELL // spec.size))
    cell = zoom * spec.size
    blocks = min(2, count)
    rows = -(-count // blocks)
    block = len(TITLES) * cell + (len(TITLES) - 1) * _GAP
    width = max(2 * _MARGIN + blocks * block + (blocks - 1) * _BETWEEN, 2 * _MARGIN + 860)
    head = _MARGIN + 2 * _LINE + 40
    body = rows * (cell + _GAP)
    legend = _legend(width - 2 * _MARGIN, limit)
    sheet = Image.new("RGB", (width, head + body + 24 + legend.height + _MARGIN), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, _MARGIN - 4), f"Puppets: world “{spec.world}”", _INK, font(22, bold=True))
    facts = f"{spec.size} by {spec.size} px, seed {spec.seed}, scenes 0 to {count - 1} of “{stream}”"
    draw.text((_MARGIN, _MARGIN + 28), facts, _FAINT, font(_FONT))
    for column in range(blocks):
        left = _MARGIN + column * (block + _BETWEEN)
        for number, title in enumerate(TITLES):
            middle = left + number * (cell + _GAP) + cell // 2
            draw.text((middle, head - 8), title, _INK, font(_FONT, bold=True), anchor="ms")
    for index in range(count):
        left = _MARGIN + index % blocks * (block + _BETWEEN)
        top = head + index // blocks * (cell + _GAP)
        for number, picture in enumerate(_pictures(render(spec, stream, index), limit)):
            enlarged = Image.fromarray(picture).resize((cell, cell), Image.Resampling.NEAREST)
            place = (left + number * (cell + _GAP), top)
            sheet.paste(enlarged, place)
            draw.rectangle((place[0] - 1, top - 1, place[0] + cell, top + cell), outline=(205, 205, 205))
    sheet.paste(legend, (_MARGIN, head + body + 24))
    return np.asarray(sheet)


def _pictures(scene: Scene, limit: float) -> tuple[UInt8Array, ...]:
    instance_colours = distinct_colours(256)
    return (
        scene.sample.image,
        flow_to_colour(scene.sample.flow, limit, scene.sample.valid),
        _coloured(scene.semantic, _class_colours()),
        _coloured(scene.instances, instance_colours),
        _coloured(scene.parts, distinct_colours(len(PARTS))),
    )


def _coloured(labels: npt.NDArray[Any], colours: UInt8Array) -> UInt8Array:
    pictured: UInt8Array = colours[labels]
    return pictured


def _class_colours() -> UInt8Array:
    """VOC's palette as in the PNG files, but with light grey for the background: its dark colours stay visible."""
    colours = PALETTE.copy()
    colours[0] = _NOTHING
    return colours


def _legend(width: int, limit: float) -> Image.Image:
    """Colour wheel with its scale, classes and parts."""
    wheel, left, column = 120, 260, 205
    columns = max(1, (width - left) // column)
    part_rows = -(-(len(PARTS) - 1) // columns)
    class_rows = -(-(len(CLASSES) - 1) // columns)
    picture = Image.new("RGB", (width, max(wheel + 3 * _LINE, (class_rows + part_rows + 3) * _LINE)), _PAPER)
    draw = ImageDraw.Draw(picture)
    draw.text((0, 0), "Flow", _INK, font(_FONT, bold=True))
    picture.paste(Image.fromarray(colour_wheel_legend(wheel)), (0, _LINE + 4))
    for row, line in enumerate(
        (f"rim: {limit:.3g} px", "white: still", "black: hidden", "or gone in", "the next frame")
    ):
        draw.text((wheel + 14, _LINE + 8 + row * _LINE), line, _FAINT, font(_FONT - 1))
    top = 0
    for title, names, colours in (
        ("Classes", CLASSES, _class_colours()),
        ("Parts (a person's: LIP; left and right are its own)", PARTS, distinct_colours(len(PARTS))),
    ):
        draw.text((left, top), title, _INK, font(_FONT, bold=True))
        for number in range(1, len(names)):
            x = left + (number - 1) % columns * column
            y = top + _LINE * (1 + (number - 1) // columns)
            draw.rectangle((x, y + 3, x + 14, y + 17), fill=tuple(int(part) for part in colours[number]))
            draw.text((x + 21, y + 1), names[number], _INK, font(_FONT - 2))
        top += _LINE * (2 + (len(names) - 2) // columns) + _LINE // 2
    return picture

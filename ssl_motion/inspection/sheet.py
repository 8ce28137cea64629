"""Contact sheets: pictures in rows under a title, with captions; and the files they are kept in."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, PngImagePlugin

from ssl_motion.data.sample import UInt8Array
from ssl_motion.fileio import write_atomically
from ssl_motion.lettering import font, wrapped

FOLDER = "visualised"
"""In the folder of a run: its contact sheets."""

DESCRIPTION = "Description"
"""Keyword of the PNG text chunk that says what a sheet shows."""

_LEAST, _MOST = 144, 320  # height of a picture on the sheet, px: smaller ones are enlarged, larger ones reduced
_GAP, _MARGIN, _RING = 8, 24, 8
_INK, _FAINT, _PAPER, _RIM = (32, 33, 36), (95, 97, 101), (255, 255, 255), (205, 205, 205)
_LEAST_WIDTH = 480
_TITLE, _HEADING, _TEXT, _SMALL = (20, True), (14, True), (14, False), (12, False)  # size, whether bold
_LINE = 1.4  # height of a line in sizes


@dataclass(frozen=True)
class Cell:
    """A picture and what stands below it.

    Attributes:
        picture: uint8 RGB [h, w, 3].
        caption: may be long.
        mark: a pixel (x, y) to draw a ring around.
    """

    picture: UInt8Array
    caption: str = ""
    mark: tuple[float, float] | None = None


@dataclass(frozen=True)
class Row:
    """Pictures side by side, under a heading."""

    cells: Sequence[Cell]
    heading: str = ""


@dataclass(frozen=True)
class Sheet:
    """A figure.

    Attributes:
        title: what it shows, in a few words.
        description: how to read it, and how it was made.
        rows: from the top.
    """

    title: str
    description: str
    rows: Sequence[Row]

    def draw(self) -> UInt8Array:
        """Draw it, uint8 [height, width, 3] RGB."""
        rows = [[(_sized(cell), cell.caption) for cell in row.cells] for row in self.rows]
        widths = [sum(picture.width + _GAP for picture, _ in cells) - _GAP for cells in rows]
        width = max(_LEAST_WIDTH, *widths)
        pieces = [_text(self.title, _TITLE, _INK, width), _text(self.description, _TEXT, _FAINT, width)]
        for row, cells in zip(self.rows, rows, strict=True):
            pieces += [_text(row.heading, _HEADING, _INK, width), _row(cells, width)]
        height = sum(piece.height + _GAP for piece in pieces) - _GAP
        sheet = Image.new("RGB", (width + 2 * _MARGIN, height + 2 * _MARGIN), _PAPER)
        top = _MARGIN
        for piece in pieces:
            sheet.paste(piece, (_MARGIN, top))
            top += piece.height + _GAP
        return np.asarray(sheet)

    def write(self, path: Path) -> None:
        """Write it as a PNG that carries its title and description as text.

        Raises:
            RunError: It cannot be written.
        """
        notes = PngImagePlugin.PngInfo()
        notes.add_itxt("Title", self.title)
        notes.add_itxt(DESCRIPTION, self.description)
        buffer = io.BytesIO()
        Image.fromarray(self.draw()).save(buffer, "PNG", pnginfo=notes)
        write_atomically(path, lambda file: file.write(buffer.getvalue()))


def _sized(cell: Cell) -> Image.Image:
    height, width = cell.picture.shape[:2]
    picture = Image.fromarray(cell.picture)
    scale = _MOST / height
    if height > _MOST:
        sized = picture.resize((max(1, round(width * scale)), _MOST), Image.Resampling.BOX)
    else:
        scale = max(1, -(-_LEAST // height))
        sized = picture.resize((width * int(scale), height * int(scale)), Image.Resampling.NEAREST)
    if cell.mark is not None:
        x, y = ((place + 0.5) * scale for place in cell.mark)
        draw = ImageDraw.Draw(sized)
        for colour, inside, thickness in ((_INK, 0, 4), (_PAPER, 1, 2)):  # white on black shows on any ground
            radius = _RING - inside
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=colour, width=thickness)
    return sized


def _text(text: str, kind: tuple[int, bool], ink: tuple[int, int, int], width: int) -> Image.Image:
    """Draw a text in lines; one without letters is a strip of no height."""
    line = round(_LINE * kind[0])
    lines = wrapped(text, font(*kind), width)
    piece = Image.new("RGB", (width, len(lines) * line), _PAPER)
    draw = ImageDraw.Draw(piece)
    for number, each in enumerate(lines):
        draw.text((0, number * line), each, ink, font(*kind))
    return piece


def _row(cells: Sequence[tuple[Image.Image, str]], width: int) -> Image.Image:
    captions = [_text(caption, _SMALL, _INK, picture.width) for picture, caption in cells]
    deepest = max(picture.height + caption.height for (picture, _), caption in zip(cells, captions, strict=True))
    piece = Image.new("RGB", (width, deepest + 3), _PAPER)
    draw = ImageDraw.Draw(piece)
    left = 0
    for (picture, _), caption in zip(cells, captions, strict=True):
        piece.paste(picture, (left, 0))
        draw.rectangle((left, 0, left + picture.width - 1, picture.height - 1), outline=_RIM)
        piece.paste(caption, (left, picture.height + 3))
        left += picture.width + _GAP
    return piece

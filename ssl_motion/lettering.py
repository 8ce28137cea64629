"""Text in pictures that are put together by hand."""

from functools import lru_cache
from pathlib import Path

from PIL import ImageFont


@lru_cache(maxsize=8)
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Load a font that matplotlib brings, so that pictures look alike on every machine.

    Args:
        size: in pixels.
        bold: whether it is.
    """
    from matplotlib import get_data_path

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(get_data_path()) / "fonts" / "ttf" / name), size)


def wrapped(text: str, type_face: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Break a text into lines of at most so many pixels; a word that is longer stands alone."""
    lines: list[str] = []
    for word in text.split():
        if lines and type_face.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines

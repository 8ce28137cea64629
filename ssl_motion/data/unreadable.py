"""What Pillow raises where a file is no image that can be read."""

from PIL import Image

UNREADABLE = (
    OSError,
    ValueError,
    SyntaxError,  # a broken PNG
    Image.DecompressionBombError,  # a header that claims more pixels than any image has
)

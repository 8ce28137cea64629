"""Features from watching objects move: masks of what moves, predicted from one image. See README.md beside this."""

from ssl_motion_methods.pathak.config import PathakConfig
from ssl_motion_methods.pathak.method import Pathak

__all__ = ["Pathak", "PathakConfig"]

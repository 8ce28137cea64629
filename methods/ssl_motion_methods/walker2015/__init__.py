"""Dense flow prediction from a static image (Walker, Gupta, Hebert 2015). See README.md beside this file."""

from ssl_motion_methods.walker2015.config import Walker2015Config
from ssl_motion_methods.walker2015.method import Walker2015

__all__ = ["Walker2015", "Walker2015Config"]

"""Cross-pixel flow similarity, and direct flow prediction on the same network. See README.md beside this file."""

from ssl_motion_methods.mahendran.config import MahendranConfig, MahendranDirectConfig
from ssl_motion_methods.mahendran.direct import MahendranDirect
from ssl_motion_methods.mahendran.method import Mahendran

__all__ = ["Mahendran", "MahendranConfig", "MahendranDirect", "MahendranDirectConfig"]

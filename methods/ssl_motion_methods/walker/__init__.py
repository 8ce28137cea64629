"""Walker et al.'s dense flow prediction as CMP's authors read it: CMP without guidance. See README.md beside this."""

from ssl_motion_methods.walker.config import WalkerConfig
from ssl_motion_methods.walker.method import Walker

__all__ = ["Walker", "WalkerConfig"]

"""What self-supervised methods are compared with. See README.md beside this file."""

from ssl_motion_methods.baselines.supervised import Supervised, SupervisedConfig

__all__ = ["Supervised", "SupervisedConfig"]

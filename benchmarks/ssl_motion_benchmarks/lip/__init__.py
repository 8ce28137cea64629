"""Human parsing, of one person (LIP) or several (CIHP), by a fully convolutional network."""

from ssl_motion_benchmarks.lip.task import LIP

__all__ = ["LIP"]
